// A copy of the sources with one bug planted, to show that a test sees it. The checkout itself is never touched.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Plant {
  /** Below the root. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly instead: string;
}

export interface PlantedTree {
  readonly root: string;
  remove(): void;
}

/** Copies src/ and plants the bug. Fails when the text to replace is not there any more. */
export function plantedTree(project: string, { file, text, instead }: Plant): PlantedTree {
  const root = mkdtempSync(join(tmpdir(), "leasepair-planted-"));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    cpSync(join(project, "src"), join(root, "src"), { recursive: true });
    cpSync(join(project, "package.json"), join(root, "package.json"));
    symlinkSync(join(project, "node_modules"), join(root, "node_modules"));
    const original = readFileSync(join(project, file), "utf8");
    assert.equal(original.split(text).length, 2, `${file} has the text to replace once: ${text}`);
    writeFileSync(join(root, file), original.replace(text, instead));
    return { root, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
