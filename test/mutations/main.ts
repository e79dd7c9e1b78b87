// npm run mutants: breaks each rule in a copy of the tree and sees it noticed. The last line says how many of how many.
// --only TEXT takes those with the text in their name or in what must notice them, e.g. --only "the simulator".

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { describeCaught, MUTANTS, mutationsPage } from "./catalog.ts";
import { tryMutant } from "./plant.ts";

const PAGE = join(resolve(import.meta.dirname, "../.."), "docs/protocol/mutations.md");

const { values } = parseArgs({
  options: { write: { type: "boolean", default: false }, only: { type: "string", default: "" } },
});
if (values.write) {
  writeFileSync(PAGE, mutationsPage());
  process.stdout.write("docs/protocol/mutations.md is written\n");
} else {
  let caught = 0;
  const wanted = MUTANTS.filter(({ name, caught }) =>
    `${name}: ${describeCaught(caught)}`.includes(values.only),
  );
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
  process.exitCode = caught === wanted.length && caught > 0 ? 0 : 1;
}
