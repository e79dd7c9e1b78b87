// npm run model: searches every system of the catalog to its end or to a bound, and walks through each, in its own sizes
// and with leases longer than the MCLT. The last line says systems, states, events and violations.

import { readOptions } from "../../dev/lib/options.ts";
import { FOUND_IN, SYSTEMS, type SystemName, withLongLeases } from "./catalog.ts";
import { findOmission } from "./find-omission.ts";
import { type Model, makeModel, OMISSIONS, type Omission } from "./model.ts";
import { search } from "./search.ts";
import { type WalkResult, walk } from "./walk.ts";

const HELP = `Checks the witness rule's model.

  npm run model -- [--states N] [--seconds S] [--seed S] [--system NAME] [--omit RULE]

  --states N     states per search at most (default 25,000,000: 20 bytes each and the frontier)
  --seconds S    CPU seconds per search, and per system's walks, at most (default 150)
  --seed S       of the walks (default 1)
  --system NAME  only this system
  --omit RULE    leaves a rule out and shows how it breaks; names:
                 ${Object.keys(OMISSIONS).join(" ")}
`;

function main(): number {
  const values = readOptions(HELP, {
    states: { type: "string", default: "25000000" },
    seconds: { type: "string", default: "150" },
    seed: { type: "string", default: "1" },
    system: { type: "string" },
    omit: { type: "string" },
  });
  const limits = { states: Number(values.states), seconds: Number(values.seconds) };
  if (values.omit !== undefined) return showOmission(values.omit, limits.seconds);
  const names = Object.keys(SYSTEMS) as SystemName[];
  const wanted = names.filter((name) => values.system === undefined || name === values.system);
  if (wanted.length === 0) throw new Error(`no system ${values.system}; there are: ${names.join(", ")}`);
  let states = 0;
  let events = 0;
  let violations = 0;
  for (const name of wanted) {
    const walkFor = (model: Model): WalkResult =>
      walk(model, { seed: Number(values.seed), seconds: limits.seconds / 2, events: 1e12, liveness: true });
    const model = makeModel(SYSTEMS[name]);
    const searched = search(model, limits);
    const walked = walkFor(model);
    const walkedLong = walkFor(makeModel(withLongLeases(name)));
    states += searched.states;
    events += walked.events + walkedLong.events;
    print(
      `${name}: ${searched.kind}, ${searched.states} states, depth ${searched.depth}, ${searched.seconds.toFixed(0)} s; ` +
        `walked ${walked.events} events, ${walked.converged} times to rest; ` +
        `with long leases ${walkedLong.events} events, ${walkedLong.converged} times to rest`,
    );
    for (const { invariant, trace } of [searched, walked, walkedLong]) {
      if (invariant === null) continue;
      violations++;
      print(`  ${invariant}`);
      for (const line of trace) print(`    ${line}`);
    }
  }
  print(`${wanted.length} systems, ${states} states, ${events} events, ${violations} violations`);
  return violations === 0 ? 0 : 1;
}

function showOmission(name: string, seconds: number): number {
  if (!(name in OMISSIONS)) throw new Error(`no rule ${name}`);
  const omission = name as Omission;
  const found = findOmission(omission, seconds);
  print(`${OMISSIONS[omission]}: ${found.invariant ?? "not found"} in "${FOUND_IN[omission].system}"`);
  for (const line of found.trace) print(`  ${line}`);
  return found.invariant === null ? 1 : 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${HELP}`);
  process.exitCode = 2;
}
