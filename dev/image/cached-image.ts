// The image of this checkout as it is now, for tests and for `npm run cluster`: written anew only when something in it
// changed.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { collectImage, IMAGE_NAME } from "./image.ts";
import { writeImage } from "./oci-archive.ts";

const CACHE = join(import.meta.dirname, "..", "..", ".cache");
const PREFIX = "image-";
/** Three for the tests, and what is left of a change or two. */
const KEPT = 6;

/** The archive's path; the image in it has the chart's name and this version, or `tag`. `sources`: of another version, see
 *  collectImage. */
export async function cachedImage(tag?: string, sources?: string): Promise<string> {
  const { image, version } = collectImage(sources);
  const name = `${IMAGE_NAME}:${tag ?? version}`;
  const digest = createHash("sha256").update(JSON.stringify([name, image.config]));
  for (const { path, mode, content = "", capabilities = "" } of image.layers.flat()) {
    digest.update(`${path}\0${mode}\0`).update(capabilities).update(content);
  }
  const file = join(CACHE, `${PREFIX}${digest.digest("hex").slice(0, 16)}.tar`);
  // Used last, and so thrown away last: another test may be about to make room for its own.
  if (isTouched(file)) return file;
  mkdirSync(CACHE, { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  await writeImage(unfinished, name, image);
  const age = (name: string) => statSync(join(CACHE, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const images = readdirSync(CACHE).filter((name) => name.startsWith(PREFIX) && name.endsWith(".tar"));
  for (const old of images.sort((x, y) => age(y) - age(x)).slice(KEPT - 1))
    rmSync(join(CACHE, old), { force: true });
  renameSync(unfinished, file);
  return file;
}

/** False when it is not there, or no longer. */
function isTouched(file: string): boolean {
  const now = new Date();
  try {
    utimesSync(file, now, now);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
