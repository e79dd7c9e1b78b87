// A partner may ask for everything as often as it likes, in whatever pieces and on how many connections: the records are
// searched once a second at most. The latest request is answered, however little else happens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { Engine } from "../../../src/dhcp/engine/engine-state.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import { REJECT_REASON } from "../../../src/dhcp/wire-failover/message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { hardwareClient, ip, scope } from "../server/world.ts";
import { Pair, START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

/** How often all records of the engine have been walked over since. */
function walksOf({ leases }: Engine): () => number {
  let walks = 0;
  const bindings = leases.bindings.bind(leases);
  leases.bindings = () => {
    walks += 1;
    return bindings();
  };
  return () => walks;
}

/** Linked, in NORMAL, with so many leases that the partner knows. */
function knowing(count: number): ScriptedPartner {
  const bindings = Array.from({ length: count }, (_, i) => ({
    address: (ip("10.0.0.10") + i) as Binding["address"],
    status: "ACTIVE" as const,
    client: hardwareClient((0x020000000000 + i).toString(16).padStart(12, "0")),
    expiresAt: unixSeconds(START + 86_400),
  }));
  const scopes = [scope("first", "10.0.0.0/15", ["10.0.0.10", "10.0.255.255"])];
  const partner = new ScriptedPartner({ config: { scopes }, bindings });
  partner.meet();
  partner.announce("NORMAL");
  return partner;
}

function doneXids({ heard }: ScriptedPartner): readonly number[] {
  return heard.filter(({ message }) => message.type === "UPDDONE").map(({ xid }) => xid);
}

test("a flood of UPDREQALL in one piece searches the records once, and the last request is answered", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.lease("020000000001");
  pair.run(2_000);
  const runner = pair.a.runner!;
  const { engine } = runner;
  const connection = engine.session!.connection.id;
  const walks = walksOf(engine);
  const flood = Array.from({ length: 1_000 }, (_, i) =>
    writeMessage({ type: "UPDREQALL" }, unixSeconds(START), 5_000 + i),
  );
  runner.deliver({ kind: "link-bytes", connection, bytes: Buffer.concat(flood) });
  runner.endTurn();
  assert.equal(walks(), 1);
  pair.until("the last one is answered", () => engine.session?.partnerUpdated === true);
});

test("each in a step of its own, 1,000 requests for 50,000 records have them searched once in a second", () => {
  const partner = knowing(50_000);
  const walks = walksOf(partner.engine);
  for (let i = 0; i < 1_000; i++) partner.say({ type: "UPDREQALL" });
  assert.equal(walks(), 1);
  for (let ms = 0; ms < 3_000; ms += 10) {
    partner.say({ type: "UPDREQALL" });
    if (ms % 100 === 0) partner.pass(100);
  }
  assert.equal(walks(), 4);
});

test("a connection for each request searches no more often", () => {
  const partner = knowing(10);
  const walks = walksOf(partner.engine);
  for (let i = 0; i < 10; i++) {
    partner.meet();
    partner.announce("NORMAL");
    partner.say({ type: "UPDREQALL" });
  }
  assert.equal(walks(), 1);
});

test("a first request is taken up at once; one that follows waits, voids it, and is answered without another word", () => {
  const partner = knowing(10);
  partner.say({ type: "UPDREQALL" }, { xid: 500 });
  assert.ok(partner.heard.filter(({ message }) => message.type === "BNDUPD").length >= 10);
  partner.say({ type: "UPDREQALL" }, { xid: 501 });
  partner.say({ type: "UPDREQALL" }, { xid: 502 });
  partner.acknowledgeAll();
  assert.deepEqual(doneXids(partner), []);
  assert.equal(partner.engine.session?.partnerUpdated, false);
  partner.pass(1_000, { isSilent: true });
  partner.acknowledgeAll();
  assert.deepEqual(doneXids(partner), [502]);
  assert.equal(partner.engine.session?.partnerUpdated, true);
});

test("a request that waits wakes nobody: the beat takes it up", () => {
  const pair = new Pair().startBoth().untilNormal();
  pair.lease("020000000001");
  const { engine } = pair.a;
  const connection = engine.session!.connection.id;
  const bytes = (xid: number) => writeMessage({ type: "UPDREQALL" }, pair.now.wall, xid);
  const ticksIn = (pass: () => void) => {
    const before = pair.a.ticks;
    pass();
    return pair.a.ticks - before;
  };
  const quiet = ticksIn(() => pair.run(12_000));
  for (const xid of [5_000, 5_001]) {
    pair.deliver(pair.a, { kind: "link-bytes", connection, bytes: bytes(xid) });
  }
  assert.equal(engine.session?.partnerUpdated, false);
  const flooded = ticksIn(() => {
    pair.until("answered", () => engine.session?.partnerUpdated === true, 2_100);
    pair.run(9_900);
  });
  assert.ok(flooded <= quiet + 2, `${flooded} ticks, without requests ${quiet}`);
});

test("W10: a lost store that cannot judge times yet has not got what it refused, though the store before had acknowledged it", () => {
  const partner = knowing(3);
  partner.announce("RECOVER", { store: "77".repeat(16), incomplete: true });
  partner.heard.length = 0;
  partner.say({ type: "UPDREQALL" }, { xid: 900 });
  const told = () => partner.heard.filter(({ message }) => message.type === "BNDUPD");
  const answer = (rejectReason: number | null) => {
    for (const { message, xid } of told().slice(-3)) {
      assert.ok(message.type === "BNDUPD");
      const { address } = message.update;
      partner.say({ type: "BNDACK", address, rejectReason, message: null, extras: null }, { xid });
    }
  };
  partner.pass(2_000);
  assert.equal(told().length, 3);
  answer(REJECT_REASON.timeMismatch);
  assert.deepEqual(doneXids(partner), []);
  partner.pass(8_000);
  assert.equal(told().length, 6, "told again");
  answer(null);
  assert.deepEqual(doneXids(partner), [900]);
});
