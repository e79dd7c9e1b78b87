// A copy of the sources with one bug planted, to show that a test sees it. The checkout itself is never touched.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROJECT = join(import.meta.dirname, "..", "..");

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

/** Durable before visible, undone: an ACK leaves while its record is on its way to the disk. */
export const REPLY_BEFORE_FLUSH: Plant = {
  file: "src/dhcp/engine/runner.ts",
  text: "const waiting: WaitingTurn = { effects, done, durable: false };",
  instead:
    "this.#perform({ effects, done }); const waiting: WaitingTurn = { effects: [], done: () => {}, durable: false };",
};

/** Copies src/ and plants the bug. Fails when the text to replace is not there any more. */
export function plantedTree({ file, text, instead }: Plant): PlantedTree {
  const root = mkdtempSync(join(tmpdir(), "leasepair-planted-"));
  const remove = () => rmSync(root, { recursive: true, force: true });
  try {
    cpSync(join(PROJECT, "src"), join(root, "src"), { recursive: true });
    cpSync(join(PROJECT, "package.json"), join(root, "package.json"));
    symlinkSync(join(PROJECT, "node_modules"), join(root, "node_modules"));
    const original = readFileSync(join(PROJECT, file), "utf8");
    assert.equal(original.split(text).length, 2, `${file} has the text to replace once: ${text}`);
    writeFileSync(join(root, file), original.replace(text, instead));
    return { root, remove };
  } catch (error) {
    remove();
    throw error;
  }
}
