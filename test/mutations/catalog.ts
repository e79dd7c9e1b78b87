// Every planted rule break, and the page that lists them.

import { type Caught, CPU_MINUTES_MAX, type Mutant } from "./mutant.ts";
import { RULE_MUTANTS } from "./rule-mutants.ts";
import { SIMULATION_MUTANTS } from "./simulation-mutants.ts";
import { STORE_MUTANTS } from "./store-mutants.ts";

export const MUTANTS: readonly Mutant[] = [...RULE_MUTANTS, ...STORE_MUTANTS, ...SIMULATION_MUTANTS];

/** docs/protocol/mutations.md as it must be. */
export function mutationsPage(): string {
  return [
    "# Mutations: each rule has a test that notices its breach",
    "",
    "A test that cannot fail proves nothing. Each rule below is broken in a copy of the tree, one at a time, and what is named in",
    `its row must notice within ${CPU_MINUTES_MAX} minutes of CPU time: a test by an assertion, or the simulator by an invariant, at once or in one`,
    "of the runs that follow. `npm run mutants` does it for all of them and ends with `N of N caught`; `npm test` does it for some.",
    "This page is written by `npm run mutants -- --write`.",
    "",
    "The witness rule's model has omissions of its own: [model.md](model.md).",
    "",
    "| rule | broken | noticed by |",
    "| --- | --- | --- |",
    ...MUTANTS.map(({ rule, name, caught }) => `| ${rule} | ${name} | ${describeCaught(caught)} |`),
    "",
  ].join("\n");
}

export function describeCaught(caught: Caught): string {
  if (caught.by === "test") return `\`${caught.file}\`: ${caught.name}`;
  return `the simulator: ${caught.invariants.join(" or ")}, from seed ${caught.firstSeed} on`;
}
