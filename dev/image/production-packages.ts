// The npm packages the product runs with, as package-lock.json has them: no development tools, nothing for other systems,
// and of each package what can be run and its licence; no types, maps, sources or pages.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageFile } from "./oci-archive.ts";

export interface LockedPackage {
  /** node_modules/NAME, perhaps nested. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly integrity: string;
}

interface LockEntry {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
}

/** Types are no part of a running program, and Node itself is copied apart. */
const LEFT_OUT = /^(@types\/|undici-types$|node-linux-)/;
const KEPT_FILE = /\.(?:[cm]?js|json|node|wasm)$|^(?:licen[cs]e|copying|notice)/i;
/** At a package's top; deeper down such names may be part of the program. */
const LEFT_OUT_FOLDERS: ReadonlySet<string> = new Set([
  "test",
  "tests",
  "docs",
  "example",
  "examples",
  "benchmark",
  "benchmarks",
]);

/** In the order of the lock file, which is sorted. */
export function productionPackages(root: string): readonly LockedPackage[] {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockEntry>;
  };
  return Object.entries(lock.packages).flatMap(
    ([path, { version, license = "", integrity = "", dev = false }]) => {
      const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
      const isNeeded = path !== "" && !dev && !LEFT_OUT.test(name) && existsSync(join(root, path));
      return isNeeded ? [{ path, name, version, license, integrity }] : [];
    },
  );
}

/** The package's files below `prefix`. */
export function packageFiles(root: string, found: LockedPackage, prefix: string): readonly ImageFile[] {
  return filesBelow(join(root, found.path), LEFT_OUT_FOLDERS).map((path) => ({
    path: `${prefix}${found.path}/${path}`,
    mode: 0o644,
    content: readFileSync(join(root, found.path, path)),
  }));
}

function filesBelow(directory: string, leftOut: ReadonlySet<string>): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile()) return KEPT_FILE.test(entry.name) ? [entry.name] : [];
    if (!entry.isDirectory() || entry.name === "node_modules" || leftOut.has(entry.name)) return [];
    return filesBelow(join(directory, entry.name), new Set()).map((path) => `${entry.name}/${path}`);
  });
}
