// Runs the tests: everything (npm test) or the developer's fast loop (npm run check, --fast). The last line is always
// `N passed, N failed, N skipped`. It must never report success when nothing ran, nor, with LEASEPAIR_FORBID_SKIPS=1,
// when something was skipped.

import { globSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { clusterPrograms } from "../cluster/programs.ts";
import { clusterUnmet } from "../cluster/requirements.ts";
import { installTestPackages, isRoot } from "../lib/debian-packages.ts";
import { writeReliabilityPage } from "./reliability.ts";
import { type FileResult, runTestFile } from "./run-file.ts";

const OWN_ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const CONCURRENCY = 2;
/** Clusters wait for timers most of the time: with three at once on two processors a file takes a tenth longer. */
const CLUSTERS_AT_ONCE = 3;
const LONGEST = [
  "checks.test.ts",
  "rest.long.cluster.test.ts",
  "certificates.long.cluster.test.ts",
  "upgrade.cluster.test.ts",
  "nodes.cluster.test.ts",
  "store-restore.long.cluster.test.ts",
  "controllers.long.cluster.test.ts",
  "wrong-partner-down.cluster.test.ts",
  "alerts.cluster.test.ts",
  "namespace.long.cluster.test.ts",
  "claims.cluster.test.ts",
  "pair.cluster.test.ts",
  "chart.cluster.test.ts",
  "api.cluster.test.ts",
  "etcd-restore.cluster.test.ts",
  "stores.cluster.test.ts",
];
/** So long that only what hangs is ended: a slow machine takes three times as long as most. */
const FILE_LIMIT_SECONDS = 600;
const E2E_LIMIT_SECONDS = 1800;
const LONG_LIMIT_SECONDS = 3 * 3600;
/** What --all asks of the tests that can do more than fits a normal run; what is set already stays. */
const LONG_RUN: Readonly<Record<string, string>> = {
  LEASEPAIR_KILLS: "2000",
  LEASEPAIR_ROUNDS: "20",
  LEASEPAIR_REST_MINUTES: "60",
};
const SLOWEST_SHOWN = 5;
const USAGE = `Usage: npm test -- [--fast | --all] [--limit SECONDS] [PATH ...]
  --fast           without the end-to-end tests (npm run check)
  --all            the long targets as well, such as 2,000 kills; takes hours (npm run test:all)
  --limit SECONDS  what one file may take; ${FILE_LIMIT_SECONDS}, for end-to-end tests ${E2E_LIMIT_SECONDS}
  --root DIR       the tests in DIR/test instead of this checkout's (to test this program)
  PATH             only test files whose path contains PATH, e.g. test/kube`;

interface Options {
  readonly fast: boolean;
  readonly all: boolean;
  readonly limitSeconds: number | null;
  readonly root: string;
  readonly paths: readonly string[];
}

function readOptions(): Options | null {
  try {
    const { values, positionals } = parseArgs({
      options: {
        fast: { type: "boolean" },
        all: { type: "boolean" },
        limit: { type: "string" },
        root: { type: "string" },
      },
      allowPositionals: true,
    });
    const limitSeconds = values.limit === undefined ? null : Number(values.limit);
    if (limitSeconds !== null && !(limitSeconds > 0))
      throw new Error(`--limit ${values.limit} is not a number of seconds`);
    return {
      fast: values.fast ?? false,
      all: values.all ?? false,
      limitSeconds,
      root: resolve(values.root ?? OWN_ROOT),
      paths: positionals,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return null;
  }
}

interface TestFiles {
  /** Run two at a time. */
  readonly together: readonly string[];
  /** Each on a cluster of its own, where it waits most of the time and measures nothing under seconds: three at a time. */
  readonly clusters: readonly string[];
  /** End-to-end tests, and those that only --all runs: one at a time, with the machine to themselves. */
  readonly alone: readonly string[];
}

function findTests(options: Options): TestFiles {
  const all = globSync("test/**/*.test.ts", { cwd: options.root });
  const found = all.filter((path) => options.all || !path.includes(".long."));
  const wanted = found.filter(
    (path) => options.paths.length === 0 || options.paths.some((part) => path.includes(part)),
  );
  const kinds = Map.groupBy(wanted.sort(), kindOf);
  const together = longestFirst(kinds.get("together"));
  if (options.fast) return { together, clusters: [], alone: [] };
  return { together, clusters: longestFirst(kinds.get("clusters")), alone: kinds.get("alone") ?? [] };
}

function kindOf(path: string): keyof TestFiles {
  if (path.endsWith(".cluster.test.ts")) return "clusters";
  return path.endsWith(".e2e.test.ts") || path.includes(".long.") ? "alone" : "together";
}

/** Those that take longest come first, so that the others fill the time beside them. */
function longestFirst(files: readonly string[] = []): readonly string[] {
  const place = (path: string) => LONGEST.findIndex((name) => path.endsWith(name));
  const rank = (path: string) => (place(path) < 0 ? LONGEST.length : place(path));
  return files.toSorted((a, b) => rank(a) - rank(b));
}

/** Runs the files of one kind, `concurrency` at a time, and says how long the kind took by the wall's clock. */
async function runAll(
  kind: keyof TestFiles,
  root: string,
  files: readonly string[],
  concurrency: number,
  limitSeconds: number,
): Promise<FileResult[]> {
  const startedAt = performance.now();
  const waiting = [...files];
  const results: FileResult[] = [];
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runTestFile(root, file, limitSeconds * 1000);
      results.push(result);
      printResult(result);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (files.length > 0) console.log(`     ${kind}: ${files.length} files, ${secondsSince(startedAt)}`);
  return results;
}

function printResult(result: FileResult): void {
  const verdict = result.failures.length > 0 ? "FAIL" : "ok  ";
  const counts = `${result.passed} passed${result.failures.length > 0 ? `, ${result.failures.length} failed` : ""}`;
  const skipped = result.skips.length > 0 ? `, ${result.skips.length} skipped` : "";
  console.log(`${verdict} ${result.path}: ${counts}${skipped} (${result.seconds.toFixed(1)} s)`);
}

function printFailures(results: readonly FileResult[]): void {
  for (const { path, failures, output } of results.filter((result) => result.failures.length > 0)) {
    for (const failure of failures) {
      const place = failure.line === null ? path : `${path}:${failure.line}`;
      console.log(`\nFAILED ${place}\n  ${failure.name}\n${indent(failure.error)}`);
    }
    if (output.trim() !== "") console.log(`\n  what ${path} printed:\n${indent(output.trimEnd())}`);
    console.log(`\n  again: npm test -- ${path}`);
  }
}

function printSkips(results: readonly FileResult[]): void {
  const lines = results.flatMap(({ path, skips }) =>
    skips.map((skip) => `  ${path}: ${skip.name}: ${skip.reason}`),
  );
  if (lines.length > 0) console.log(`\nSkipped:\n${lines.join("\n")}`);
}

function printSlowest(results: readonly FileResult[]): void {
  const slowest = results.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST_SHOWN);
  const lines = slowest.map(({ path, seconds }) => `  ${seconds.toFixed(1).padStart(6)} s  ${path}`);
  console.log(`\nSlowest files:\n${lines.join("\n")}`);
}

/** @param startedAt by performance.now() */
function secondsSince(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "    ");
}

/** Says before a full run what this machine cannot do, so that nobody takes a partial run for a full one. */
function prepareMachine(): void {
  const missing = installTestPackages();
  if (missing.length > 0)
    console.log(`MISSING Debian packages: ${missing.join(" ")}. The tests that need them are skipped.`);
  if (!isRoot())
    console.log("NOT ROOT: the tests in network namespaces are skipped. Run as root for all of them.");
}

/** Builds the clusters' programs where they are missing, once and before the clock of any file runs. A build that fails is told
 *  again by each test that wants them. */
async function preparePrograms(files: readonly string[]): Promise<void> {
  if (!files.some((path) => path.includes("/cluster/")) || clusterUnmet() !== false) return;
  await clusterPrograms((line) => console.log(line)).catch((error: unknown) => console.log(String(error)));
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 2;
  const { root, limitSeconds } = options;
  const startedAt = performance.now();
  if (!options.fast) prepareMachine();
  const figures = join(root, ".cache", "figures.jsonl");
  if (options.all) {
    process.env = { ...LONG_RUN, LEASEPAIR_FIGURES: figures, ...process.env };
    rmSync(figures, { force: true });
  }
  const { together, clusters, alone } = findTests(options);
  const endToEndLimit = limitSeconds ?? (options.all ? LONG_LIMIT_SECONDS : E2E_LIMIT_SECONDS);
  await preparePrograms([...clusters, ...alone]);
  const results = await runAll("together", root, together, CONCURRENCY, limitSeconds ?? FILE_LIMIT_SECONDS);
  results.push(...(await runAll("clusters", root, clusters, CLUSTERS_AT_ONCE, endToEndLimit)));
  results.push(...(await runAll("alone", root, alone, 1, endToEndLimit)));
  // The page shows one whole run: what some files alone measured would take the place of all the rest.
  if (options.all && options.paths.length === 0)
    writeReliabilityPage(figures, join(root, "docs", "reliability.md"));
  printFailures(results);
  printSkips(results);
  if (results.length > 0) printSlowest(results);
  const sum = (count: (result: FileResult) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  const passed = sum((result) => result.passed);
  const failed = sum((result) => result.failures.length);
  const skipped = sum((result) => result.skips.length);
  const forbidden = skipped > 0 && process.env["LEASEPAIR_FORBID_SKIPS"] === "1";
  if (passed + failed === 0) console.log("\nNo test ran.");
  if (forbidden) console.log("\nLEASEPAIR_FORBID_SKIPS=1: skipped tests count as failure.");
  console.log(`\n${secondsSince(startedAt)}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || passed === 0 || forbidden ? 1 : 0;
}

process.exitCode = await main();
