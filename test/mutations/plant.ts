// Plants one rule break in a copy of the tree (src/ knows no switch) and looks whether what watches the rule notices: the
// simulator by a named invariant, or a named test by an assertion.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { PlantedRun } from "../simulation/planted-main.ts";
import { type Caught, CPU_MINUTES_MAX, type Mutant, type Patch } from "./mutant.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const COPIED = [
  "src",
  "crds",
  "dev",
  "examples",
  "test/api",
  "test/controller",
  "test/dhcp",
  "test/kube",
  "test/simulation",
  "test/durability",
  "test/corpus/failover",
  "test/corpus/manifests",
  "package.json",
];
const CPU_SECONDS_MAX = CPU_MINUTES_MAX * 60;

export interface Verdict {
  readonly caught: boolean;
  /** What noticed, or what happened instead. */
  readonly by: string;
}

/** How often the text to replace is there in the tree as it is: once, else the mutant cannot be planted. */
export function occurrences({ file, find }: Patch): number {
  return readFileSync(join(ROOT, file), "utf8").split(find).length - 1;
}

/** Plants the mutant and runs what must notice it. Throws when a patch does not fit. */
export function tryMutant(mutant: Mutant): Verdict {
  const copy = mkdtempSync(join(tmpdir(), "leasepair-mutant-"));
  try {
    for (const path of COPIED) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    for (const patch of mutant.patches) applyPatch(copy, patch);
    return mutant.caught.by === "test" ? runTest(copy, mutant.caught) : runSimulation(copy, mutant.caught);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The names of the tests in these files that pass in the tree as it is. */
export function passedTests(files: readonly string[]): ReadonlySet<string> {
  const child = spawnSync(process.execPath, ["--test", "--test-reporter=tap", ...files], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 26,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  return new Set([...child.stdout.matchAll(/^ *ok \d+ - (.*)$/gm)].map(([, name]) => unescapeTap(name!)));
}

/** TAP writes # and \ with a backslash before them. */
function unescapeTap(name: string): string {
  return name.replaceAll(/\\([\\#])/g, "$1");
}

function applyPatch(copy: string, { file, find, replace }: Patch): void {
  const path = join(copy, file);
  const parts = readFileSync(path, "utf8").split(find);
  if (parts.length !== 2) {
    throw new Error(`${file} holds the text to replace ${parts.length - 1} times, wanted once: ${find}`);
  }
  writeFileSync(path, parts.join(replace));
}

/** The named test fails by an assertion; a crash or a timeout is no verdict. */
function runTest(copy: string, { file, name }: Extract<Caught, { by: "test" }>): Verdict {
  const pattern = `${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
  const child = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=tap", `--test-name-pattern=${pattern}`, join(copy, file)],
    {
      cwd: copy,
      encoding: "utf8",
      timeout: CPU_SECONDS_MAX * 1000,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    },
  );
  const output = child.stdout + child.stderr;
  const asserted = child.status === 1 && /# fail [1-9]/.test(output) && output.includes("ERR_ASSERTION");
  return { caught: asserted, by: asserted ? `${file}: ${name}` : output.slice(-2000) };
}

function runSimulation(copy: string, caught: Extract<Caught, { by: "simulation" }>): Verdict {
  const child = spawnSync(
    process.execPath,
    [join(copy, "test/simulation/planted-main.ts"), String(caught.firstSeed), String(CPU_SECONDS_MAX)],
    { encoding: "utf8", timeout: CPU_SECONDS_MAX * 6_000, maxBuffer: 1 << 24 },
  );
  if (child.status !== 0)
    return { caught: false, by: `the copy did not run: ${child.stderr}${child.stdout}` };
  const run = JSON.parse(child.stdout.trim().split("\n").at(-1) ?? "") as PlantedRun;
  const { invariant, seed, runs, claim } = run;
  const wanted = invariant !== null && caught.invariants.includes(invariant);
  return { caught: wanted, by: `${invariant ?? "nothing"}, seed ${seed}, run ${runs}: ${claim}` };
}
