// Every planted rule break, and the page that lists them.

import { KUBERNETES_MUTANTS } from "./kubernetes-mutants.ts";
import { type Caught, CPU_MINUTES_MAX, type Mutant } from "./mutant.ts";
import { RULE_MUTANTS } from "./rule-mutants.ts";
import { SIMULATION_MUTANTS } from "./simulation-mutants.ts";
import { STORE_MUTANTS } from "./store-mutants.ts";
import { TRAP_MUTANTS } from "./trap-mutants.ts";

export const MUTANTS: readonly Mutant[] = [
  ...RULE_MUTANTS,
  ...TRAP_MUTANTS,
  ...STORE_MUTANTS,
  ...KUBERNETES_MUTANTS,
  ...SIMULATION_MUTANTS,
];

/** Those of one name are one break, which each of them must notice. */
export function breaksOf(mutants: readonly Mutant[]): readonly (readonly Mutant[])[] {
  return [...Map.groupBy(mutants, ({ name }) => name).values()];
}

/** docs/protocol/mutations.md as it must be. */
export function mutationsPage(): string {
  const breaks = breaksOf(MUTANTS);
  return [
    "# Mutations: each rule has a test that notices its breach",
    "",
    "A test that cannot fail proves nothing. Each rule below is broken in a copy of the tree, one at a time, and what is named in",
    `its row must notice within ${CPU_MINUTES_MAX} minutes of CPU time: a test by an assertion, or the simulator by an invariant, at once or in one`,
    "of the runs that follow. Where two are named, each of them must. `npm run mutants` does it for all of them and ends with",
    "`N of N caught`, which counts breaks; `npm test` does it for some. This page is written by `npm run mutants -- --write`.",
    "",
    `These are ${breaks.length} breaks, and ${MUTANTS.length} that must notice one. A rule is an invariant (S, of liveness L), one of the`,
    "[witness](witness.md) (W, or the letter of an answer), one of life in Kubernetes (K), or a trap: where the draft contradicts itself or",
    "a dhcpd differs from it, by the section of the draft ([draft-errata.md](draft-errata.md)).",
    "",
    "The witness rule's model has omissions of its own: [model.md](model.md).",
    "",
    "| rule | broken | noticed by |",
    "| --- | --- | --- |",
    ...breaks.map(rowOf),
    "",
  ].join("\n");
}

function rowOf(mutants: readonly Mutant[]): string {
  const [{ rule, name }] = mutants as [Mutant];
  return `| ${rule} | ${name} | ${mutants.map(({ caught }) => describeCaught(caught)).join("; and ")} |`;
}

export function describeCaught(caught: Caught): string {
  if (caught.by === "test") return `\`${caught.file}\`: ${caught.name}`;
  return `the simulator: ${caught.invariants.join(" or ")}, from seed ${caught.firstSeed} on`;
}
