// npm run mutants: breaks each rule in a copy of the tree and sees it noticed. The last line says how many of how many.

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readOptions } from "../../dev/lib/options.ts";
import { describeCaught, MUTANTS, mutationsPage } from "./catalog.ts";
import { tryMutant } from "./plant.ts";

const PAGE = join(resolve(import.meta.dirname, "../.."), "docs/protocol/mutations.md");

const HELP = `Breaks each rule in a copy of the tree and sees it noticed.

  npm run mutants -- [--only TEXT] [--write]

  --only TEXT  those with the text in their name or in what must notice them, e.g. --only "the simulator"
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

function plantAll(text: string): number {
  let caught = 0;
  const wanted = MUTANTS.filter(({ name, caught }) => `${name}: ${describeCaught(caught)}`.includes(text));
  for (const mutant of wanted) {
    const started = process.hrtime.bigint();
    const verdict = tryMutant(mutant);
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    if (verdict.caught) caught++;
    const said = verdict.caught ? "caught" : `MISSED (wanted ${describeCaught(mutant.caught)})`;
    process.stdout.write(
      `${mutant.rule.padEnd(5)} ${mutant.name}: ${said} by ${verdict.by} (${seconds.toFixed(1)} s)\n`,
    );
  }
  process.stdout.write(`${caught} of ${wanted.length} caught\n`);
  return caught === wanted.length && caught > 0 ? 0 : 1;
}

process.exitCode = main();
