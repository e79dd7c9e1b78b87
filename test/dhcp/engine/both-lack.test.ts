// Two stores that both lack leases, restored from backups of different ages or one of them empty: what they agree on, and
// that no human is passed over (W10, docs/adr/0018).

import assert from "node:assert/strict";
import { test } from "node:test";
import { latestPossibleEnd } from "../../../src/dhcp/lease/binding.ts";
import type { DurableRecord } from "../../../src/dhcp/lease/durable-record.ts";
import { FencedPair } from "./fenced-pair.ts";
import { Pair } from "./pair.ts";
import { markRestored } from "./restored.ts";

const MAC = "020000000001";
/** Whom the primary serves: the address of its lease stays the primary's afterwards. */
const PRIMARYS = "020000000002";
const MCLT_MS = 600_000;

type Node = Pair["a"];

function beginAnew(pair: Pair, disks: readonly (DurableRecord[] | "empty")[]): void {
  for (const node of [pair.a, pair.b]) pair.kill(node);
  for (const [i, node] of [pair.a, pair.b].entries()) {
    const disk = disks[i]!;
    if (disk === "empty") node.loseDisk();
    else node.disk.splice(0, node.disk.length, ...markRestored(disk, pair.now.wall));
    node.log.length = 0;
  }
  if (pair instanceof FencedPair) pair.listStores();
  for (const node of [pair.a, pair.b]) pair.start(node);
}

function waitsForHuman(pair: FencedPair): void {
  for (const node of [pair.a, pair.b]) {
    const { state, complete, serving } = node.report;
    assert.deepEqual([state, complete, serving], ["RECOVER-WAIT", false, "None"], node.name);
  }
}

function owners(pair: Pair, address: string): readonly (string | undefined)[] {
  return [pair.a, pair.b].map((node) => node.binding(address)?.status);
}

for (const older of ["a", "b"] as const) {
  test(`a free address that changed hands between two backups, that of ${older} the older, belongs to one of the two`, () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(5_000);
    const copies = { a: [...pair.a.disk], b: [...pair.b.disk] };
    const { address } = pair.lease(PRIMARYS, [pair.b], 10)!;
    pair.until("ended", () => owners(pair, address).every((status) => status === "FREE"), 7_200_000);
    const younger = pair.partnerOf(pair[older]);
    copies[younger.name] = [...younger.disk];

    beginAnew(pair, [copies.a, copies.b]);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 2 * MCLT_MS);
    const [ofA, ofB] = owners(pair, address);
    assert.equal(ofA, ofB);
  });
}

for (const status of ["ACTIVE", "EXPIRED"] as const) {
  test(`what one backup knows of an ended lease, ${status}, is reckoned with on both sides, though the older calls it free`, () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.run(5_000);
    const older = [...pair.a.disk];
    const { address } = pair.lease(MAC, [pair.b], 10)!;
    pair.run(2_000);
    pair.renew(MAC, address);
    pair.run(2_000);
    const known = pair.b.binding(address)!;
    const younger: DurableRecord[] = [...pair.b.disk, { kind: "binding", binding: { ...known, status } }];
    // The client goes on renewing: both have promised so, and neither backup knows it.
    while (pair.now.wall <= known.expiresAt + 60) {
      pair.renew(MAC, address);
      pair.run(600_000);
    }
    assert.ok(pair.now.wall < latestPossibleEnd(known));

    beginAnew(pair, [older, younger]);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 2 * MCLT_MS);
    for (const node of [pair.a, pair.b]) {
      const kept = node.binding(address)!;
      assert.notEqual(kept.status, "FREE", node.name);
      assert.notEqual(kept.status, "BACKUP", node.name);
      assert.ok(latestPossibleEnd(kept) >= latestPossibleEnd(known), node.name);
    }
  });
}

test("an empty store and a restored one wait for a human, also when the empty one was listed before", () => {
  const pair = new FencedPair().startBoth().bothNormal();
  const copy = [...pair.a.disk];
  pair.lease(MAC);
  beginAnew(pair, [copy, "empty"]);
  pair.pass(2 * MCLT_MS);
  waitsForHuman(pair);
  pair.apart();
  pair.pass(2 * MCLT_MS);
  waitsForHuman(pair);
  pair.heal();
  for (const node of [pair.a, pair.b]) {
    pair.read(node, { fencing: "None" });
    pair.reaching.delete(node);
  }
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 2 * MCLT_MS);
});

test("two empty stores wait for a human beyond the loss of their link", () => {
  const pair = new FencedPair().startBoth().bothNormal();
  pair.record.epoch = 1;
  beginAnew(pair, ["empty", "empty"]);
  pair.pass(MCLT_MS);
  waitsForHuman(pair);
  pair.apart();
  pair.pass(2 * MCLT_MS);
  pair.heal();
  pair.pass(MCLT_MS);
  waitsForHuman(pair);
});

test("who waits for a human asks a partner that became complete before fencing was back", () => {
  const pair = new FencedPair().startBoth().bothNormal();
  const copies = [[...pair.a.disk], [...pair.b.disk]];
  beginAnew(pair, copies);
  pair.pass(10_000);
  waitsForHuman(pair);
  const has = (node: Node, outageSince: number) => {
    node.engine.endpoint = { ...node.engine.endpoint, outageSince: outageSince as never };
  };
  has(pair.a, pair.now.wall - MCLT_MS);
  has(pair.b, pair.now.wall);
  pair.reaching.clear();
  for (const node of [pair.a, pair.b]) pair.read(node, { fencing: "None" });
  pair.until("a is complete", () => pair.a.report.complete);
  pair.run(1_000);
  pair.read(pair.b, { fencing: "Witness" });
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", MCLT_MS / 2);
});
