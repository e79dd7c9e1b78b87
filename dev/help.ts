// Lists what `npm run` can do here, one line each. The table must name every script of package.json; a test sees to it.

import { readFileSync } from "node:fs";

/** Every script in the order a newcomer meets them. */
export const SCRIPT_DESCRIPTIONS: Readonly<Record<string, string>> = {
  demo: "The whole story on this machine: two engines, real clients, one engine killed. --keep leaves it running",
  test: "All checks and tests; as root also those in network namespaces. -- PATH runs the matching files only",
  "test:all":
    "All of npm test with the long targets, such as 2,000 kills; takes hours, and writes docs/reliability.md",
  check: "The developer's loop, under a minute: format, lint, types, generated files, unit tests",
  format: "Formats and lints the code, and repairs what can be repaired",
  crds: "Writes crds/ and docs/reference/api.md anew from the schemas in src/api",
  cluster: "A real Kubernetes on this machine with the operator and a pair in it, to play with; needs root",
  "cluster:test": "The tests on a real cluster alone: harness, API, chart, faults; needs root",
  chart: "Writes the Helm chart and the manifest for kubectl alone into dist/",
  image:
    "Writes the container image, reproducible, as an OCI archive into dist/, and says how to bring it into a cluster",
  conformance: "Writes docs/protocol/conformance.md anew: each MUST of the RFCs and the tests that hold it",
  bench: "Measures the lease store against its figures; -- store 50000 for one size",
  interop: "Runs our engine against a real ISC dhcpd, the long scenarios too",
  mutants:
    "Breaks each rule in a copy of the tree and sees it noticed; the last line says how many of how many",
  model: "Searches the witness rule's model; -- --omit RULE shows what a rule is for",
  sim: "Simulates pairs under faults; -- --seed N replays one run",
  leasepair: "The command line from this checkout: npm run leasepair -- --help (or bin/leasepair)",
  help: "This list",
};

/** The lines to print; throws when a script has no description or a description no script. */
export function helpLines(scripts: Readonly<Record<string, string>>): string[] {
  const missing = Object.keys(scripts).filter((name) => SCRIPT_DESCRIPTIONS[name] === undefined);
  const stale = Object.keys(SCRIPT_DESCRIPTIONS).filter((name) => scripts[name] === undefined);
  if (missing.length + stale.length > 0) {
    throw new Error(
      `dev/help.ts: no description for [${missing.join(", ")}], no script for [${stale.join(", ")}]`,
    );
  }
  const width = Math.max(...Object.keys(SCRIPT_DESCRIPTIONS).map((name) => name.length));
  return Object.entries(SCRIPT_DESCRIPTIONS).map(([name, text]) => {
    const command = name === "test" ? "npm test" : `npm run ${name}`;
    return `  ${command.padEnd("npm run ".length + width)}  ${text}`;
  });
}

if (import.meta.main) {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  console.log(`Leasepair, the scripts of this checkout:\n\n${helpLines(manifest.scripts).join("\n")}\n`);
}
