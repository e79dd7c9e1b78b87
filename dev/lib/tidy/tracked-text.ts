// What must stand in no tracked file, whatever its language: paths of one machine, names of package registries.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Complaint } from "./rules.ts";
import { lineAt } from "./source-file.ts";

export interface TrackedFile {
  readonly path: string;
  readonly text: string;
}

/** All text files git knows, and those it would add. */
export function readTrackedFiles(root: string): TrackedFile[] {
  const listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
  });
  const files: TrackedFile[] = [];
  for (const path of listing.toString("utf8").split("\0").filter(Boolean)) {
    const bytes = readIfThere(join(root, path));
    if (bytes !== null && !bytes.includes(0)) files.push({ path, text: bytes.toString("utf8") });
  }
  return files;
}

/** Null for a file that is deleted but not yet committed as such. */
function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

// Put together from parts, so that this file does not break its own rule.
const MACHINE_PATH = new RegExp(
  `(?<![\\w.$}/-])/(?:${["wo" + "rk", "home/\\w+", "ro" + "ot", "Users/\\w+"].join("|")})/[\\w.]`,
  "g",
);
const REGISTRY = new RegExp(
  [
    "registry\\.npm" + "js",
    "npm" + "js\\.(?:org|com)",
    "registry\\.yarn" + "pkg",
    '"resol' + 'ved": "http',
  ].join("|"),
  "g",
);

export function machineTraces(files: readonly TrackedFile[]): Complaint[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(MACHINE_PATH), ...text.matchAll(REGISTRY)].map((match) => ({
      path,
      line: lineAt(text, match.index),
      message: `${match[0]}: no paths of one machine and no registry's name in the repository`,
    })),
  );
}
