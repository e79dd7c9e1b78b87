// SHUTDOWN by a person's word: the partner takes over at once, this member says nothing to clients until it has recovered,
// also when it is started again and cannot reach its partner. Source: failover draft 9.14.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { shutDownObjection } from "../../../src/dhcp/engine/shut-down.ts";
import { FencedPair } from "./fenced-pair.ts";
import { Pair } from "./pair.ts";

type Node = Pair["a"];

const MAC = "020000000001";
const NEWCOMERS = Array.from({ length: 15 }, (_, i) => `0200000001${i.toString(16).padStart(2, "0")}`);
const MCLT_MS = 600_000;

function shutDown(pair: Pair, node: Node): void {
  pair.deliver(node, { kind: "shut-down" });
}

/** Why it was refused, as the log says; null when it was followed. */
function refusalOf(pair: Pair, node: Node): string | null {
  const objection = shutDownObjection(node.engine);
  const before = node.log.length;
  const { state } = node;
  shutDown(pair, node);
  const told = node.log.slice(before).find(({ event }) => event === "shutdown-refused");
  assert.equal(told?.message ?? null, objection, "who asks beforehand hears the same");
  if (objection !== null) assert.equal(node.state, state);
  return told?.message ?? null;
}

/** a has leased to one client and is away for long; b has taken over. */
function aIsAway(): { readonly pair: Pair; readonly address: string } {
  const pair = new Pair().startBoth().untilNormal();
  const { address } = pair.lease(MAC, [pair.a], 10)!;
  shutDown(pair, pair.a);
  assert.equal(pair.a.state, "SHUTDOWN");
  pair.until("b alone", () => pair.b.state === "PARTNER-DOWN", 1_000);
  return { pair, address };
}

/** How many newcomers b serves; its own addresses are enough for ten. */
function servedByB(pair: Pair): number {
  return NEWCOMERS.filter((mac) => pair.lease(mac, [pair.b]) !== null).length;
}

describe("a member that is shut down for long", () => {
  test("S9: says nothing to clients and still acknowledges; its partner serves all of them from that moment on", () => {
    const { pair, address } = aIsAway();
    assert.equal(pair.renew(MAC, address, [pair.a]), null);
    assert.equal(pair.lease(NEWCOMERS[0]!, [pair.a], 100), null);
    assert.equal(pair.renew(MAC, address, [pair.b])?.address, address);
    pair.until("a has heard of it", () => pair.b.report.unackedUpdates === 0, 5_000);
    pair.run(60_000);
    assert.equal(pair.a.state, "SHUTDOWN", "nothing that the partner says leads out of it");
  });

  test("S6: its free addresses are its partner's after the MCLT, not before", () => {
    const { pair } = aIsAway();
    assert.equal(servedByB(pair), 10);
    pair.run(MCLT_MS / 2);
    assert.equal(servedByB(pair), 10);
    pair.run(MCLT_MS / 2 + 120_000);
    assert.equal(servedByB(pair), NEWCOMERS.length);
  });

  test("S1: started again out of its partner's reach it serves nobody: its addresses are the partner's meanwhile", () => {
    const { pair } = aIsAway();
    pair.kill(pair.a);
    pair.run(MCLT_MS + 120_000);
    assert.equal(servedByB(pair), NEWCOMERS.length);
    pair.cut();
    pair.start(pair.a);
    pair.run(120_000);
    assert.equal(pair.a.state, "RECOVER");
    for (const mac of ["0200000002aa", "0200000002bb"]) assert.equal(pair.lease(mac, [pair.a], 100), null);
  });

  test("recovers from its partner; the wait of RECOVER-WAIT counts from the shutdown, not from the end of the process", () => {
    const { pair, address } = aIsAway();
    pair.run(MCLT_MS + 60_000);
    assert.equal(pair.renew(MAC, address, [pair.b])?.address, address);
    pair.kill(pair.a);
    pair.start(pair.a);
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 30_000);
    assert.equal(pair.renew(MAC, address, [pair.a])?.address, address);
    assert.ok(pair.a.log.some(({ fields }) => fields["to"] === "RECOVER-WAIT"));
  });

  test("recovers as well when its partner did not hear it", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.cut();
    shutDown(pair, pair.a);
    pair.run(10);
    pair.kill(pair.a);
    pair.heal();
    pair.until("b interrupted", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
    pair.start(pair.a);
    pair.until("RECOVER", () => pair.a.state === "RECOVER");
    pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 2 * MCLT_MS);
  });

  test("keeps SHUTDOWN when the process is then stopped in order, and when it is said again", () => {
    const { pair } = aIsAway();
    const since = pair.a.engine.endpoint.stateSince;
    pair.run(5_000);
    assert.equal(
      refusalOf(pair, pair.b)?.includes("would not take over"),
      true,
      "who serves alone cannot go",
    );
    pair.deliver(pair.a, { kind: "stopping" });
    assert.deepEqual([pair.a.engine.endpoint.state, pair.a.engine.endpoint.stateSince], ["SHUTDOWN", since]);
  });
});

describe("a word that is refused", () => {
  test("while the partner is not in NORMAL on the link: it would not take over", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.kill(pair.b);
    pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
    assert.match(refusalOf(pair, pair.a) ?? "", /^b would not take over: .* Stop this engine instead/);
  });

  test("with fencing Witness: a grant alone leads to PARTNER-DOWN", () => {
    const pair = new FencedPair();
    pair.startBoth().bothNormal();
    assert.match(refusalOf(pair, pair.a) ?? "", /Switchover to b, style Stop/);
  });

  test("while the process stops", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.deliver(pair.a, { kind: "stopping" });
    assert.match(refusalOf(pair, pair.a) ?? "", /is stopping/);
  });
});
