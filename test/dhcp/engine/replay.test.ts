// Every recorded conversation of real dhcpds, replayed with our engine in the seat of either side: it gives the same
// answers, by type, verdict and options, and announces the same states. Where it does not, replay-differences.json says
// what differs, how often, and why; nothing else may differ, and nothing in it may go unused.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Role } from "../../../src/dhcp/failover/transition.ts";
import { type Difference, type Row, replay, type Start } from "./replay.ts";

const CORPUS = new URL("../../corpus/failover/", import.meta.url);

interface Explained {
  /** NAME/SEAT of the recordings in which it comes up. */
  readonly in: readonly string[];
  readonly to: string;
  readonly recorded: string;
  readonly ours: string;
  readonly times: number;
  readonly why: string;
}

/** Where a script played one side, a real dhcpd sat in this seat. */
const REAL_SEAT: Readonly<Record<string, Role>> = {
  "i10-probe-secondary-normal": "primary",
  "i6-connects": "secondary",
  "i6-normal": "secondary",
  "i6-stray": "secondary",
  "i7-probe-fatal": "secondary",
  "i8-probe-acks": "secondary",
  "i9-probe-secondary": "primary",
};
/** The relationship's name in a seat where it is not that of all others. */
const OTHER_NAME: Readonly<Record<string, string>> = { "i1-name-mismatch/secondary": "other-name" };

const starts = readJson<Readonly<Record<string, Partial<Record<Role, Start>>>>>("starts.json");
const explained = readJson<readonly Explained[]>("replay-differences.json");

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(file, CORPUS), "utf8")) as T;
}

const keyOf = ({ to, recorded, ours }: Pick<Difference, "to" | "recorded" | "ours">) =>
  `${to}: recorded ${recorded}, ours ${ours}`;

test("our engine answers as the dhcpd did, but for what is explained", () => {
  const found = new Map<string, { in: Set<string>; times: number }>();
  let compared = 0;
  for (const file of readdirSync(CORPUS).sort()) {
    if (!file.endsWith(".jsonl")) continue;
    const name = file.replace(".jsonl", "");
    const lines = readFileSync(new URL(file, CORPUS), "utf8").trim().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as Row);
    const seats: readonly Role[] =
      REAL_SEAT[name] === undefined ? ["primary", "secondary"] : [REAL_SEAT[name]];
    for (const seat of seats) {
      const place = `${name}/${seat}`;
      const options = {
        start: starts[name]?.[seat] ?? null,
        relationshipName: OTHER_NAME[place] ?? "fo-demo",
      };
      const replayed = replay(rows, seat, options);
      compared += replayed.compared;
      for (const difference of replayed.differences) {
        const entry = found.get(keyOf(difference)) ?? { in: new Set(), times: 0 };
        entry.in.add(place);
        found.set(keyOf(difference), { in: entry.in, times: entry.times + 1 });
      }
    }
  }
  assert.ok(compared > 800, `${compared} answers compared`);
  const actual = [...found].map(
    ([key, entry]) => `${key} (${entry.times} in ${[...entry.in].sort().join(", ")})`,
  );
  const expected = explained.map((entry) => `${keyOf(entry)} (${entry.times} in ${entry.in.join(", ")})`);
  assert.deepEqual(actual.sort(), expected.sort());
  for (const entry of explained) assert.ok(entry.why.length > 20, `${keyOf(entry)} is explained`);
});
