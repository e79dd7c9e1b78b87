// The first green version's own source, kept in the corpus as `git archive --prefix=leasepair-0.1.0/ COMMIT src package.json`
// made it from the commit that kept its chart. It runs beside this checkout with this checkout's packages.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROJECT = join(import.meta.dirname, "..", "..");
const ARCHIVE = join(PROJECT, "test/corpus/n-1/leasepair-0.1.0-source.tar.gz");

export interface FirstGreen {
  /** A folder with src/, package.json and node_modules. */
  readonly root: string;
  remove(): void;
}

/** Unpacks it into a folder of its own. Throws what tar says when it cannot. */
export function unpackFirstGreen(): FirstGreen {
  const root = mkdtempSync(join(tmpdir(), "leasepair-first-green-"));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    execFileSync("tar", ["-xzf", ARCHIVE, "-C", root, "--strip-components=1", "--no-same-owner"]);
    symlinkSync(join(PROJECT, "node_modules"), join(root, "node_modules"));
    return { root, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
