// npm run mutants: breaks each rule in a copy of the tree and sees it noticed. The last line says how many breaks of how many.

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readOptions } from "../../dev/lib/options.ts";
import { breaksOf, describeCaught, MUTANTS, mutationsPage } from "./catalog.ts";
import type { Mutant } from "./mutant.ts";
import { tryMutant } from "./plant.ts";

const PAGE = join(resolve(import.meta.dirname, "../.."), "docs/protocol/mutations.md");

const HELP = `Breaks each rule in a copy of the tree and sees it noticed.

  npm run mutants -- [--only TEXT] [--write]

  --only TEXT  those with the text in their rule, in their name or in what must notice them, e.g. --only "the simulator"
  --write      writes docs/protocol/mutations.md, and breaks nothing
`;

function main(): number {
  const { write, only } = readOptions(HELP, {
    write: { type: "boolean", default: false },
    only: { type: "string", default: "" },
  });
  if (write) {
    writeFileSync(PAGE, mutationsPage());
    process.stdout.write("docs/protocol/mutations.md is written\n");
    return 0;
  }
  return plantAll(only);
}

/** A break is caught when all that must notice it do. */
function plantAll(text: string): number {
  const wanted = MUTANTS.filter(({ rule, name, caught }) =>
    `${rule} ${name}: ${describeCaught(caught)}`.includes(text),
  );
  const breaks = breaksOf(wanted).map((mutants) => mutants.map(isNoticed));
  const noticed = breaks.flat().filter(Boolean).length;
  const caught = breaks.filter((each) => each.every(Boolean)).length;
  process.stdout.write(`${noticed} of ${wanted.length} that must notice a break did\n`);
  process.stdout.write(`${caught} of ${breaks.length} caught\n`);
  return caught === breaks.length && caught > 0 ? 0 : 1;
}

function isNoticed(mutant: Mutant): boolean {
  const started = process.hrtime.bigint();
  const verdict = tryMutant(mutant);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const said = verdict.caught ? "caught" : `MISSED (wanted ${describeCaught(mutant.caught)})`;
  process.stdout.write(
    `${mutant.rule.padEnd(5)} ${mutant.name}: ${said} by ${verdict.by} (${seconds.toFixed(1)} s)\n`,
  );
  return verdict.caught;
}

process.exitCode = main();
