// A conflict with a partner that has lost its leases meanwhile: it has all of them told before it serves anybody (W10, S13).

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

const CLIENTS = Array.from({ length: 40 }, (_, i) => `0200000000${(16 + i).toString(16)}`);
const STRANGERS = Array.from({ length: 60 }, (_, i) => `0600000000${(16 + i).toString(16)}`);
const POOL = scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.209"]);

const SETTLE_MS = 5_000;

type Node = Pair["a"];

/** Both were declared down; as they settle it, this one's machine dies and its disk is lost. Gives the leases by client. */
function conflictWithLoss(pair: Pair, lost: Node): ReadonlyMap<string, string> {
  pair.startBoth().untilNormal();
  const leases = new Map(CLIENTS.map((mac) => [mac, pair.lease(mac)!.address]));
  pair.run(SETTLE_MS);
  for (const [mac, address] of leases) pair.renew(mac, address);
  pair.run(SETTLE_MS);
  pair.cut();
  pair.run(SETTLE_MS);
  for (const node of [pair.a, pair.b])
    pair.deliver(node, { kind: "declared-partner-down", operation: "cut", digest: node.name });
  const survivor = pair.partnerOf(lost);
  // Slow enough to be caught in the middle of it.
  pair.linkDelayMs = 200;
  pair.heal();
  pair.until("the conflict", () => survivor.state === "POTENTIAL-CONFLICT");
  pair.kill(lost);
  pair.until("interrupted", () => survivor.state === "RESOLUTION-INTERRUPTED");
  lost.loseDisk();
  return leases;
}

/** Addresses that strangers were given although another client has them. */
function givenTwice(pair: Pair, node: Node, leases: ReadonlyMap<string, string>): readonly string[] {
  const taken = new Set(leases.values());
  return STRANGERS.flatMap((mac) => pair.lease(mac, [node], 10)?.address ?? []).filter((address) =>
    taken.has(address),
  );
}

describe("a member that lost its disk in a conflict", () => {
  for (const name of ["a", "b"] as const) {
    test(`has every lease when it serves again, as ${name === "a" ? "primary" : "secondary"}`, () => {
      const pair = new Pair(relationship({ fencing: "None" }, [POOL]));
      const lost = pair[name];
      const leases = conflictWithLoss(pair, lost);
      pair.start(lost);
      pair.until("it serves", () => lost.state === "CONFLICT-DONE" || lost.state === "NORMAL");
      for (const address of leases.values())
        assert.equal(lost.binding(address)?.status, "ACTIVE", `${address} when it begins to serve`);
      assert.equal(lost.engine.endpoint.complete, true);
      assert.notEqual(lost.engine.endpoint.hold, null, "what it gave untold before the loss is waited for");
      assert.deepEqual(givenTwice(pair, lost, leases), []);
      pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
    });

    test(`is in RECOVER again when it loses the link, or starts again, before it has them, as ${name === "a" ? "primary" : "secondary"}`, () => {
      const pair = new Pair(relationship({ fencing: "None" }, [POOL]));
      const lost = pair[name];
      const leases = conflictWithLoss(pair, lost);
      pair.start(lost);
      pair.until("in the conflict", () => lost.state === "POTENTIAL-CONFLICT");
      pair.cut();
      pair.until("link lost", () => lost.engine.session === null);
      assert.equal(lost.state, "RECOVER");
      assert.deepEqual(givenTwice(pair, lost, leases), []);
      pair.heal();
      pair.until("in the conflict", () => lost.state === "POTENTIAL-CONFLICT");
      pair.kill(lost);
      pair.cut();
      pair.start(lost);
      pair.until("started", () => lost.state !== "STARTUP");
      assert.equal(lost.state, "RECOVER");
      pair.heal();
      pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL", 900_000);
      for (const address of leases.values()) assert.equal(lost.binding(address)?.status, "ACTIVE", address);
    });
  }
});
