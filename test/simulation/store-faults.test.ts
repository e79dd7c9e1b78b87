// Which old copies are put back in a run: those that the partner can tell. What a member did since its partner last heard it, nobody
// knows but its clients. Source: docs/reference/store-format.md, old copies.

import assert from "node:assert/strict";
import { it } from "node:test";
import { COMMUNICATIONS_INTERRUPTED, NORMAL, PAUSED } from "./ledger.ts";
import { Prng } from "./prng.ts";
import { NO_STORE_FAULTS } from "./run-plan.ts";
import { P, Q, Scene } from "./scene.ts";
import { StoreFaults } from "./store-faults.ts";

/** A pair, and what puts a copy of P's store back at every start. */
function scene(): { pair: Scene; stores: StoreFaults } {
  const pair = new Scene({}, { storeFaults: { ...NO_STORE_FAULTS, restored: 1 } }).begin();
  return { pair, stores: new StoreFaults(pair.run, new Prng(1)) };
}

/** P is killed, the copy is put back if at all, and P starts. */
function restart(pair: Scene, stores: StoreFaults): void {
  const [p] = pair.run.nodes;
  p.crash(false);
  pair.until("Q has noticed", () => pair.state(Q) === COMMUNICATIONS_INTERRUPTED);
  stores.beforeStart(P);
  p.start();
}

function count({ lines }: Scene, text: string): number {
  return lines.filter((line) => line.includes(text)).length;
}

it("a copy is put back when the partner has heard of something later, and is found out", () => {
  const { pair, stores } = scene();
  stores.copy(P);
  pair.bound(pair.clientsReach(P).client()).pass(5);
  restart(pair, stores);
  assert.equal(count(pair, "P is put back to an old copy"), 1);
  pair.until("found out", () => count(pair, "P log store-outdated") === 1, 12);
});

it("a copy is found out although the partner has had another store since", () => {
  const { pair, stores } = scene();
  stores.copy(P);
  pair.replaceDisk(Q).bothNormal();
  pair.api.setReach(P, false);
  restart(pair, stores);
  assert.equal(count(pair, "P is put back to an old copy"), 1);
  pair.until("found out", () => count(pair, "P log store-outdated") === 1, 12);
});

it("no copy is put back of what was done since the partner last heard this member", () => {
  const { pair, stores } = scene();
  const [p, q] = pair.run.nodes;
  q.crash(false);
  pair.until("P alone", () => pair.state(P) === COMMUNICATIONS_INTERRUPTED);
  const client = pair.clientsReach(P).client();
  pair.bound(client).pass(5);
  stores.copy(P);
  // It asks another time, and its lease is longer than the copy says.
  pair.pass(600).bound(client);
  p.crash(false);
  q.start();
  pair.until("Q alone", () => pair.state(Q) === COMMUNICATIONS_INTERRUPTED).pass(10);
  stores.beforeStart(P);
  assert.equal(count(pair, "P is put back to an old copy"), 0);
});

it("no copy is put back that a partner which was killed since may remember nothing of", () => {
  const { pair, stores } = scene();
  const [p, q] = pair.run.nodes;
  stores.copy(P);
  pair.bound(pair.clientsReach(P).client());
  p.crash(false);
  q.crash(false);
  q.start();
  pair.until("Q alone", () => pair.state(Q) !== NORMAL).pass(10);
  stores.beforeStart(P);
  assert.equal(count(pair, "P is put back to an old copy"), 0);
});

it("no copy is put back beside a partner that is about to end, and would find nothing out", () => {
  const { pair, stores } = scene();
  const [p, q] = pair.run.nodes;
  stores.copy(P);
  pair.bound(pair.clientsReach(P).client()).pass(5);
  p.crash(false);
  pair.until("Q alone", () => pair.state(Q) === COMMUNICATIONS_INTERRUPTED);
  q.stop(5_000);
  pair.until("Q stops", () => pair.state(Q) === PAUSED);
  stores.beforeStart(P);
  assert.equal(count(pair, "P is put back to an old copy"), 0);
});
