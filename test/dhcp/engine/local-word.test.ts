// A human's word on this machine that the partner is down: in which states, with and without API, it is followed, and why it is
// refused. Source: docs/protocol/witness.md answer h; failover draft 9.4.1, 9.9.3.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seconds } from "../../../src/base/units.ts";
import { declarationObjection } from "../../../src/dhcp/engine/local-word.ts";
import type { EndpointState } from "../../../src/dhcp/lease/durable-record.ts";
import { FencedPair } from "./fenced-pair.ts";
import { Pair } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

type Node = Pair["a"];

function say(pair: Pair, node: Node, digest = "1"): void {
  pair.deliver(node, { kind: "declared-partner-down", operation: "by hand", digest, atOnce: true });
}

/** Why it was refused, as the log says; null when it was followed. */
function refusalOf(pair: Pair, node: Node): string | null {
  const objection = declarationObjection(node.engine, node.clock());
  const before = node.log.length;
  say(pair, node, `${pair.boot}`);
  const told = node.log.slice(before).find(({ event }) => event === "declaration-refused");
  assert.equal(told?.message ?? null, objection, "who asks beforehand hears the same");
  assert.equal(node.engine.declared, null, "nothing is kept for later");
  return told?.message ?? null;
}

function interrupted(pair: Pair): void {
  pair.kill(pair.b);
  pair.until("interrupted", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
}

describe("a word for now or never", () => {
  test("is refused while the partner answers, and does not come into force when it falls silent later", () => {
    const pair = new Pair().startBoth().untilNormal();
    assert.match(refusalOf(pair, pair.a) ?? "", /^b answers on the link: stop it first/);
    interrupted(pair);
    pair.run(120_000);
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
  });

  test("is refused in the first seconds of a process, in which its partner may still answer", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.kill(pair.b);
    pair.kill(pair.a);
    pair.start(pair.a);
    pair.run(100);
    assert.match(refusalOf(pair, pair.a) ?? "", /has just started/);
    pair.until("alone", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
    assert.equal(refusalOf(pair, pair.a), null);
    assert.equal(pair.a.state, "PARTNER-DOWN");
  });

  test("W10: is refused by a store that took the place of a damaged one, after a restart too; a pair's first store is alone", () => {
    const begun = (replacesDamagedStore: boolean) => {
      const pair = new Pair();
      pair.a.replacesDamagedStore = replacesDamagedStore;
      pair.start(pair.a);
      pair.run(20_000);
      return pair;
    };
    const damaged = begun(true);
    assert.match(refusalOf(damaged, damaged.a) ?? "", /has not got everything/);
    damaged.kill(damaged.a);
    damaged.a.replacesDamagedStore = false;
    damaged.start(damaged.a);
    damaged.run(20_000);
    assert.match(refusalOf(damaged, damaged.a) ?? "", /has not got everything/);
    const first = begun(false);
    assert.equal(refusalOf(first, first.a), null);
  });

  test("W10: is refused by a store that lost its leases and has not had them from the partner", () => {
    for (const pair of [new Pair(), new FencedPair()]) {
      pair.startBoth();
      if (pair instanceof FencedPair) pair.bothNormal();
      else pair.untilNormal();
      pair.kill(pair.a);
      pair.kill(pair.b);
      pair.b.loseDisk();
      pair.start(pair.b);
      pair.run(130_000);
      assert.equal(pair.b.state, "RECOVER");
      assert.match(refusalOf(pair, pair.b) ?? "", /has not got everything from a yet.*W10.*bring a up/);
    }
  });

  test("is refused as soon as fencing is switched on, by the API's answers of before", () => {
    const pair = new FencedPair({ fencing: "None" }).startBoth();
    pair.until("both NORMAL", () => {
      for (const node of [pair.a, pair.b]) pair.read(node, { fencing: "None" });
      return pair.a.state === "NORMAL" && pair.b.state === "NORMAL";
    });
    interrupted(pair);
    // A watch shows it: no answer by itself.
    pair.read(pair.a, { fencing: "Witness", provenAt: null });
    assert.equal(pair.a.engine.endpoint.fencing, "Witness");
    assert.match(refusalOf(pair, pair.a) ?? "", /API answers/);
    pair.run(60_000);
    assert.equal(refusalOf(pair, pair.a), null, "a minute later it counts as gone");
  });

  test("is refused while the process stops", () => {
    const pair = new Pair().startBoth().untilNormal();
    interrupted(pair);
    pair.deliver(pair.a, { kind: "stopping" });
    assert.match(refusalOf(pair, pair.a) ?? "", /stopping/);
  });

  test("without fencing a primary that never met anybody may be declared a lone server, a secondary not", () => {
    for (const [name, refusal] of [
      ["a", null],
      ["b", /has not got everything/],
    ] as const) {
      const pair = new Pair();
      const node = pair[name];
      pair.start(node);
      pair.run(20_000);
      assert.equal(node.state, "RECOVER");
      if (refusal === null) assert.equal(refusalOf(pair, node), null);
      else assert.match(refusalOf(pair, node) ?? "", refusal);
    }
  });

  test("without fencing a primary that lost its store is no lone server once it has met its partner", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.kill(pair.a);
    pair.a.loseDisk();
    pair.linkDelayMs = 100;
    pair.start(pair.a);
    pair.until("met", () => (pair.a.engine.session?.partnerState ?? null) !== null);
    pair.kill(pair.b);
    pair.run(20_000);
    assert.equal(pair.a.report.complete, false, "the partner died before it had told everything");
    assert.match(refusalOf(pair, pair.a) ?? "", /has not got everything from b yet.*bring b up/);
  });
});

/** By state of an engine that has no link: whether the word moves it, and begins a hold. Of one whose partner is gone for good
 *  there is no other way on. */
const FOLLOWED_IN: Readonly<
  Record<Exclude<EndpointState, "STARTUP" | "NORMAL">, "followed" | "under hold" | "refused">
> = {
  "COMMUNICATIONS-INTERRUPTED": "followed",
  "RESOLUTION-INTERRUPTED": "followed",
  RECOVER: "under hold",
  "RECOVER-DONE": "under hold",
  // Its wait is over by then: RECOVER-DONE.
  "RECOVER-WAIT": "under hold",
  // Not to be found without a link: it comes up as RESOLUTION-INTERRUPTED.
  "POTENTIAL-CONFLICT": "followed",
  "CONFLICT-DONE": "followed",
  "PARTNER-DOWN": "refused",
  PAUSED: "followed",
  // It comes up as RECOVER.
  SHUTDOWN: "under hold",
};

describe("by state, without a link and with complete records", () => {
  for (const [state, expected] of Object.entries(FOLLOWED_IN)) {
    for (const fencing of ["None", "Witness"] as const) {
      test(`${state}, fencing ${fencing}: ${expected}`, () => {
        const saved = state as Exclude<EndpointState, "STARTUP">;
        const remembers = { agreedMcltSeconds: seconds(3600) };
        const partner = new ScriptedPartner({ saved, config: { fencing }, remembers });
        partner.pass(6_000);
        const before = partner.engine.endpoint.state;
        const word = { operation: "by hand", digest: "1", atOnce: true };
        partner.deliver({ kind: "declared-partner-down", ...word });
        const { state: now, hold } = partner.engine.endpoint;
        const isFollowed = partner.events("declaration-refused").length === 0;
        assert.equal(isFollowed, expected !== "refused", before);
        assert.equal(now, isFollowed ? "PARTNER-DOWN" : before);
        assert.equal(hold !== null, expected === "under hold");
      });
    }
  }
});

describe("with an API (fencing Witness)", () => {
  test("is refused until nobody has had an answer of it for a minute, then followed", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.kill(pair.b);
    pair.pass(5_000);
    assert.match(refusalOf(pair, pair.a) ?? "", /while the Kubernetes API answers: use a FailoverOperation/);
    pair.reaching.clear();
    pair.pass(58_000);
    assert.match(refusalOf(pair, pair.a) ?? "", /Kubernetes API answers/);
    pair.pass(3_000);
    assert.equal(refusalOf(pair, pair.a), null);
    assert.equal(pair.a.state, "PARTNER-DOWN");
  });

  test("a word that is kept waits for its moment, but is not followed once the API answers", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.reaching.clear();
    pair.pass(61_000);
    pair.deliver(pair.a, { kind: "declared-partner-down", operation: "manifest", digest: "1" });
    assert.equal(pair.a.state, "NORMAL", "the partner answers");
    pair.reaching.add(pair.a);
    pair.pass(2_000);
    pair.kill(pair.b);
    pair.pass(30_000);
    assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
  });

  test("W6: alone by a word, the partner's addresses wait for the MCLT and more", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.reaching.clear();
    pair.kill(pair.b);
    pair.pass(61_000);
    say(pair, pair.a);
    const free = pair.a.report.addresses["first"]!;
    let given = 0;
    while (pair.lease(`02000000${(0x1000 + given).toString(16)}`, [pair.a]) !== null) given += 1;
    assert.equal(given, free.free, "its own addresses at once, not one of the partner's");
    pair.pass(600_000);
    assert.equal(pair.lease("0200000020ff", [pair.a]), null, "not after the bare MCLT");
  });
});

test("a word counts once: said again after the partner has come back it changes nothing", () => {
  const pair = new Pair().startBoth().untilNormal();
  interrupted(pair);
  say(pair, pair.a);
  assert.equal(pair.a.state, "PARTNER-DOWN");
  pair.start(pair.b);
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 700_000);
  interrupted(pair);
  say(pair, pair.a);
  assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
  say(pair, pair.a, "2");
  assert.equal(pair.a.state, "PARTNER-DOWN");
});
