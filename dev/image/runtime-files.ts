// What the programs of the image need of the operating system: the C and C++ libraries that they are linked with, and the
// licences of the Debian packages these belong to. They come from the building machine, so the same packages give the
// same bytes; their versions stand in the image's bill of materials. No shell, no package manager, nothing else.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { run } from "../lib/run.ts";
import type { ImageFile } from "./oci-archive.ts";

export interface SystemPackage {
  readonly name: string;
  readonly version: string;
}

export interface RuntimeFiles {
  readonly files: readonly ImageFile[];
  readonly packages: readonly SystemPackage[];
}

/** The libraries of all these programs and libraries together, each once. */
export function runtimeFiles(programs: readonly string[]): RuntimeFiles {
  if (spawnSync("dpkg-query", ["--version"]).status !== 0) {
    throw new Error(
      "the image's C library comes from Debian packages, and dpkg-query is not here: build it on Debian or Ubuntu",
    );
  }
  const libraries = [...new Set(programs.flatMap(librariesOf))].sort();
  const owners = new Set(libraries.map(packageOf));
  const packages = [...owners].sort().map((name) => ({ name, version: versionOf(name) }));
  return {
    files: [
      ...libraries.map((path) => ({ path: path.slice(1), mode: 0o755, content: readFileSync(path) })),
      ...packages.map(({ name }) => licenceOf(name)),
    ],
    packages,
  };
}

/** Absolute paths under which the loader will look for them, the loader's own among them. */
function librariesOf(program: string): readonly string[] {
  const lines = run("ldd", program).split("\n");
  return lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

/** Packages name the real path or the one before /lib became a link to /usr/lib. */
function packageOf(library: string): string {
  const real = realpathSync(library);
  const names = [
    library,
    real,
    real.replace(/^\/usr/, ""),
    join(realpathSync(dirname(library)), basename(library)),
  ];
  for (const name of names) {
    const found = spawnSync("dpkg-query", ["--search", name], { encoding: "utf8" });
    if (found.status === 0) return found.stdout.split(":")[0] ?? "";
  }
  throw new Error(`${library} belongs to no Debian package; the image would be missing its licence`);
}

function versionOf(name: string): string {
  return run("dpkg-query", "--show", name).split("\n")[0]?.split("\t")[1] ?? "";
}

function licenceOf(name: string): ImageFile {
  const path = `usr/share/doc/${name}/copyright`;
  if (!existsSync(`/${path}`)) throw new Error(`the licence of ${name} is missing: /${path}`);
  return { path, mode: 0o644, content: readFileSync(`/${path}`) };
}
