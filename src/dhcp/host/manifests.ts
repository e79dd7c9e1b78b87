// The files of a manifests directory: which they are, whether they changed, what stands in them. What the text means is
// src/api/manifests.ts's business.

import * as fs from "node:fs";
import { type ManifestError, type Manifests, readManifests } from "../../api/manifests.ts";

/** Files whose names begin with a dot are left out: the kubelet and editors put theirs there. */
const FILE_NAME = /^[^.].*\.(ya?ml|json)$/;
/** As a file is for a moment that is being written anew. */
const EMPTY = "the file is empty; to take away what was in it, remove the file";
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** What tells one state of the directory's files from another: names, sizes, times, and what symlinks lead to. */
export function manifestsFingerprint(directory: string): string {
  try {
    return listManifests(directory)
      .map((name) => {
        const stat = fs.statSync(`${directory}/${name}`, { bigint: true, throwIfNoEntry: false });
        return stat === undefined
          ? `${name} gone`
          : `${name} ${stat.dev}.${stat.ino} ${stat.size} ${stat.mtimeNs}`;
      })
      .join("\n");
  } catch (error) {
    return String(error);
  }
}

/** Reads every manifest of a directory. Never throws: what cannot be read is an error with its file. */
export function readManifestDirectory(directory: string): Manifests {
  const unreadable: ManifestError[] = [];
  const report = (file: string, message: string) =>
    unreadable.push({ file, line: 0, object: "", field: "", message });
  let names: readonly string[] = [];
  try {
    names = listManifests(directory);
    if (names.length === 0) report(directory, "there is no *.yaml, *.yml or *.json file in this directory");
  } catch (error) {
    report(directory, `cannot be read: ${reasonOf(error)}`);
  }
  const texts = names.flatMap((name) => {
    const file = `${directory}/${name}`;
    try {
      const stat = fs.statSync(file);
      // Reading a FIFO would wait for whoever writes to it.
      if (!stat.isFile()) throw new Error("it is no regular file; remove it, or begin its name with a dot");
      if (stat.size > FILE_BYTES_MAX) throw new Error("the file is larger than 64 MiB");
      const text = fs.readFileSync(file, "utf8");
      if (text.trim() !== "") return [{ file, text }];
      report(file, EMPTY);
      return [];
    } catch (error) {
      report(file, `cannot be read: ${reasonOf(error)}`);
      return [];
    }
  });
  const manifests = readManifests(texts);
  return { ...manifests, errors: [...unreadable, ...manifests.errors] };
}

function listManifests(directory: string): readonly string[] {
  return fs
    .readdirSync(directory)
    .filter((name) => FILE_NAME.test(name))
    .sort();
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
