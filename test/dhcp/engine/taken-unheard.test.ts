// A holder that lost power while its grant went to the partner comes back with leases of the partner's own addresses that the partner
// has not heard of, more than one window of updates tells at once. Source: docs/protocol/witness.md W7, W9.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scope } from "../server/world.ts";
import { FencedPair } from "./fenced-pair.ts";

const MAC = (i: number) => `02000000${i.toString(16).padStart(4, "0")}`;
const NEWCOMER = "0200000fffff";

interface Taken {
  readonly mac: string;
  readonly address: string;
}

/** a holds the grant, has given all of its own addresses, and gives b's. */
function takeMany(pair: FencedPair): readonly Taken[] {
  pair.declareDown(pair.b);
  return giveTaken(pair);
}

/** In PARTNER-DOWN it gives all of its own, and then what is b's. */
function giveTaken(pair: FencedPair): readonly Taken[] {
  for (let i = 0; i < 800; i++) pair.lease(MAC(i), [pair.a]);
  pair.pass(700_000);
  const taken: Taken[] = [];
  for (let i = 800; i < 1_500; i++) {
    const address = pair.lease(MAC(i), [pair.a])?.address;
    if (address !== undefined && pair.a.binding(address)!.taken) taken.push({ mac: MAC(i), address });
  }
  return taken;
}

/** Its machine is off for certain, so the grant goes to b, which waits for what a may have given, and serves. */
function transferToPartner(pair: FencedPair): void {
  pair.kill(pair.a);
  pair.record = { ...pair.record, epoch: pair.record.epoch + 1, holder: "b", holderStore: pair.b.store };
  pair.start(pair.b);
  pair.passUntil("b holds", () => pair.b.state === "PARTNER-DOWN", 120_000);
  pair.passUntil("b serves new clients", () => pair.b.report.heldUntil === null, 3_600_000);
  pair.pass(60_000);
}

test("W7: what was taken from the partner is renewed by nobody until the partner knows of it", () => {
  const range = ["10.0.0.10", "10.0.5.209"] as const;
  const pair = new FencedPair({ scopes: [scope("first", "10.0.0.0/21", [...range])] });
  pair.startBoth().bothNormal(120_000);
  const taken = takeMany(pair);
  assert.ok(taken.length > 500);
  transferToPartner(pair);
  pair.linkDelayMs = 300;
  pair.start(pair.a);
  pair.read(pair.a);
  pair.until("both NORMAL", () => pair.a.state === "NORMAL" && pair.b.state === "NORMAL");
  pair.run(200);
  for (const node of [pair.a, pair.b]) pair.read(node);
  assert.notEqual(pair.a.engine.proofAt, null, "a may give leases");
  const { mac, address } = taken.findLast((one) => !pair.a.binding(one.address)!.acknowledged)!;
  const types = (replies: ReturnType<FencedPair["ask"]>) => replies.map(({ message }) => message.messageType);
  const server = "192.0.2.2";
  assert.deepEqual(types(pair.ask({ type: "DISCOVER", mac: NEWCOMER, requested: address }, [pair.b])), [
    "OFFER",
  ]);
  const request = { type: "REQUEST", mac: NEWCOMER, requested: address, server } as const;
  assert.deepEqual(types(pair.ask(request, [pair.b])), ["ACK"]);
  assert.deepEqual(types(pair.ask({ type: "REQUEST", mac, requested: address }, [pair.a])), []);
  assert.deepEqual(
    types(pair.ask({ type: "REQUEST", mac, ciaddr: address, giaddr: "0.0.0.0" }, [pair.a])),
    [],
  );
  pair.pass(30_000);
  assert.equal(pair.a.binding(address)!.client!.hardwareAddress.at(-1), 0xff);
});

for (const [what, isRestarted] of [
  ["serves on", false],
  ["is started again, out of NORMAL", true],
] as const) {
  test(`W9: who hears on the link alone that its partner has given back a grant, and ${what}, holds its free addresses`, () => {
    const range = ["10.0.0.10", "10.0.5.209"] as const;
    const pair = new FencedPair({ scopes: [scope("first", "10.0.0.0/21", [...range])] });
    pair.startBoth().bothNormal(120_000);
    // What b does not read it does not know: neither the grant, nor that it is gone.
    pair.reaching.delete(pair.b);
    if (isRestarted) pair.kill(pair.b);
    else pair.cut();
    pair.passUntil("a is apart", () => pair.a.state === "COMMUNICATIONS-INTERRUPTED");
    pair.grant(pair.a);
    pair.passUntil("a is granted", () => pair.a.state === "PARTNER-DOWN");
    const taken = giveTaken(pair);
    assert.ok(taken.length > 500);
    // Its machine was off: it finds out that its grant is gone.
    pair.kill(pair.a);
    pair.a.bootId = "boot-2";
    pair.clear();
    pair.linkDelayMs = 300;
    if (isRestarted) pair.start(pair.b);
    else pair.heal();
    pair.start(pair.a);
    pair.read(pair.a);
    const from = pair.boot;
    pair.until("b is proven", () => (pair.b.engine.proofAt ?? 0) >= from);
    const { address } = taken.findLast((one) => pair.b.binding(one.address)?.status !== "ACTIVE")!;
    const types = pair
      .ask({ type: "DISCOVER", mac: NEWCOMER, requested: address }, [pair.b])
      .map(({ message }) => message.messageType);
    assert.deepEqual(types, []);
  });
}
