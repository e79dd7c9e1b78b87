// Plants one rule break in a copy of the tree and lets the simulator look for it: src/ knows no switch. The copy holds
// src, the simulator and what it imports; the runs happen in a child process on that copy.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const COPIED = [
  "src",
  "test/simulation",
  "test/durability",
  "test/dhcp/compiled-relationship.ts",
  "package.json",
];

/** One replacement; `find` must occur exactly once in `file`. */
export interface Patch {
  /** Path from the root of the tree. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface PlantedRun {
  /** The invariant that broke first, or null when none did within the budget. */
  readonly invariant: string | null;
  readonly claim: string;
  readonly seed: number;
  readonly runs: number;
  /** Every invariant that broke in the seeds looked at, with how often. */
  readonly all: Readonly<Record<string, number>>;
}

export interface PlantOptions {
  readonly patches: readonly Patch[];
  readonly firstSeed: number;
  readonly runsMax: number;
  /** Goes on after the first violation, up to runsMax. */
  readonly keepGoing?: boolean;
  /** CPU seconds for the child at most. */
  readonly cpuSecondsMax: number;
}

/** Runs seeds on a patched copy of the tree. Throws when a patch does not fit or the copy does not run at all. */
export function runPlanted(options: PlantOptions): PlantedRun {
  const copy = mkdtempSync(join(tmpdir(), "leasepair-planted-"));
  try {
    for (const path of COPIED) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    for (const patch of options.patches) applyPatch(copy, patch);
    return runChild(copy, options);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function applyPatch(copy: string, patch: Patch): void {
  const path = join(copy, patch.file);
  const text = readFileSync(path, "utf8");
  const parts = text.split(patch.find);
  if (parts.length !== 2) {
    throw new Error(
      `${patch.file} holds the text to replace ${parts.length - 1} times, wanted once: ${patch.find}`,
    );
  }
  writeFileSync(path, parts.join(patch.replace));
}

function runChild(copy: string, options: PlantOptions): PlantedRun {
  const child = spawnSync(
    process.execPath,
    [
      join(copy, "test/simulation/planted-main.ts"),
      String(options.firstSeed),
      String(options.runsMax),
      String(options.cpuSecondsMax),
      options.keepGoing === true ? "all" : "first",
    ],
    {
      encoding: "utf8",
      timeout: options.cpuSecondsMax * 6_000,
      maxBuffer: 1 << 24,
      // The copy is gone soon, what is compiled of it would stay.
      env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" },
    },
  );
  if (child.status !== 0) throw new Error(`the planted copy did not run:\n${child.stderr}${child.stdout}`);
  return JSON.parse(child.stdout.trim().split("\n").at(-1) ?? "") as PlantedRun;
}
