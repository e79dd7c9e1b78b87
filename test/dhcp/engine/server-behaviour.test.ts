// What the DHCP server does on its own account, seen with a partner beside it: in NORMAL and while the two are cut apart.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CompiledScope, DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { formatIpv4, type Ipv4 } from "../../../src/base/ipv4.ts";
import { seconds } from "../../../src/base/units.ts";
import { isOwnClient } from "../../../src/dhcp/engine/authority.ts";
import { REST_BEYOND_QUOTA } from "../../../src/dhcp/engine/sweep.ts";
import { DECLINED_ALWAYS } from "../../../src/dhcp/server/decline.ts";
import { type ClientMessage, clientMessage, ip, reservation, routed, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

const MAC = "020000000001";
const OTHER = "020000000003";
const RESERVED = "10.0.0.15";

function pairWith(rest: Partial<CompiledScope>, situation: "NORMAL" | "COMMUNICATIONS-INTERRUPTED"): Pair {
  const scopes = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], rest)];
  const pair = new Pair(relationship({}, scopes)).startBoth().untilNormal();
  if (situation === "COMMUNICATIONS-INTERRUPTED") interrupt(pair);
  return pair;
}

function interrupt(pair: Pair): void {
  pair.cut();
  pair.until("both interrupted", () =>
    [pair.a, pair.b].every((node) => node.state === "COMMUNICATIONS-INTERRUPTED"),
  );
}

function settle(pair: Pair): void {
  pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0);
}

for (const situation of ["NORMAL", "COMMUNICATIONS-INTERRUPTED"] as const) {
  test(`${situation}: a reserved address goes to its client, whatever identifier it sends, and to nobody else`, () => {
    const pair = pairWith({ reservations: [reservation(RESERVED, MAC)] }, situation);
    const owner = pair.a.binding(RESERVED)?.status === "BACKUP" ? pair.b : pair.a;
    const nodes = situation === "NORMAL" ? [pair.a, pair.b] : [owner];
    assert.equal(pair.lease(MAC, nodes)?.address, RESERVED);
    const offer = pair.ask({ type: "DISCOVER", mac: MAC, clientId: "00aabb" }, nodes)[0]!;
    assert.equal(offer.message.yourAddress & 255, 15);
    assert.notEqual(pair.lease(OTHER, nodes)?.address, RESERVED);
  });

  test(`${situation}: a declined address rests for declinedHoldSeconds at whoever hears of it`, () => {
    const policy = { ...DEFAULT_SCOPE_POLICY, declinedHoldSeconds: seconds(120) };
    const pair = pairWith(
      { policy, pools: [{ start: 0x0a00000a as never, end: 0x0a00000d as never }] },
      situation,
    );
    const grant = pair.lease(MAC)!;
    const node = grant.from === "a" ? pair.a : pair.b;
    const server = grant.from === "a" ? "192.0.2.1" : "192.0.2.2";
    pair.ask({ type: "DECLINE", mac: MAC, requested: grant.address, server }, [node]);
    assert.equal(node.binding(grant.address)?.status, "ABANDONED");
    pair.run(100_000);
    assert.equal(node.binding(grant.address)?.status, "ABANDONED");
    if (situation === "COMMUNICATIONS-INTERRUPTED") pair.heal();
    pair.untilNormal();
    pair.until("free again", () => pair.a.binding(grant.address)?.status !== "ABANDONED", 120_000);
    settle(pair);
    assert.ok(["FREE", "BACKUP"].includes(pair.b.binding(grant.address)?.status ?? ""));
  });
}

test("NORMAL: of more declined addresses than a pool may have for long, the oldest rest for a short time only", () => {
  const pair = pairWith({}, "NORMAL");
  const declined: string[] = [];
  for (let i = 0; i < DECLINED_ALWAYS + 2; i++) {
    const mac = `0200000001${String(i).padStart(2, "0")}`;
    const { address, from } = pair.lease(mac)!;
    const [node, server] = from === "a" ? [pair.a, "192.0.2.1"] : [pair.b, "192.0.2.2"];
    pair.ask({ type: "DECLINE", mac, requested: address, server }, [node]);
    assert.equal(node.binding(address)?.status, "ABANDONED");
    assert.notEqual(pair.lease(mac)?.address, address, "its client is not given it again");
    declined.push(address);
    pair.run(2_000);
  }
  settle(pair);
  const resting = () => declined.filter((address) => pair.a.binding(address)?.status === "ABANDONED");
  pair.run((REST_BEYOND_QUOTA - 60) * 1000);
  assert.equal(resting().length, declined.length);
  pair.until("two are free again", () => resting().length === DECLINED_ALWAYS, 240_000);
  assert.deepEqual(resting(), declined.slice(2));
  pair.run(REST_BEYOND_QUOTA * 1000);
  assert.deepEqual(resting(), declined.slice(2));
});

test("4.3.3: a declined address is reported", () => {
  const pair = pairWith({}, "NORMAL");
  const { address, from } = pair.lease(MAC)!;
  const node = from === "a" ? pair.a : pair.b;
  const server = from === "a" ? "192.0.2.1" : "192.0.2.2";
  pair.ask({ type: "DECLINE", mac: MAC, requested: address, server }, [node]);
  const told = node.log.filter(({ event }) => event === "address-declined");
  assert.deepEqual(
    told.map(({ level, fields }) => [level, fields["scope"], fields["address"]]),
    [["warn", "first", address]],
  );
});

test("NORMAL: a declined reserved address is free again after its rest, too", () => {
  const policy = { ...DEFAULT_SCOPE_POLICY, declinedHoldSeconds: seconds(120) };
  const pair = pairWith({ policy, reservations: [reservation(RESERVED, MAC)] }, "NORMAL");
  const grant = pair.lease(MAC)!;
  assert.equal(grant.address, RESERVED);
  const server = grant.from === "a" ? "192.0.2.1" : "192.0.2.2";
  pair.ask({ type: "DECLINE", mac: MAC, requested: RESERVED, server }, [
    grant.from === "a" ? pair.a : pair.b,
  ]);
  settle(pair);
  pair.until("free again", () => pair.a.binding(RESERVED)?.status !== "ABANDONED", 240_000);
  assert.equal(pair.lease(MAC)?.address, RESERVED);
});

test("a client that gets a reservation elsewhere moves to it at a renewal, and both members say so", () => {
  const pair = pairWith({}, "NORMAL");
  const before = pair.lease(MAC)!;
  settle(pair);
  const config = relationship({ revision: "revision-2" }, [
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], {
      reservations: [reservation("10.0.0.40", MAC)],
    }),
  ]);
  for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
  settle(pair);
  for (const node of [pair.a, pair.b]) {
    const renewal = pair.ask({ type: "REQUEST", mac: MAC, ciaddr: before.address, giaddr: "0.0.0.0" }, [
      node,
    ]);
    assert.deepEqual(
      renewal.map(({ message }) => message.messageType),
      ["NAK"],
    );
    assert.ok(node.log.some(({ event }) => event === "reservation-honoured"));
  }
  assert.equal(pair.lease(MAC)?.address, "10.0.0.40");
});

test("a machine whose reservation is removed keeps its lease at both members, under whichever identity it used it last", () => {
  const pair = pairWith({ reservations: [reservation(RESERVED, MAC)] }, "NORMAL");
  const [firmware, system] = [{ clientId: "00aabb" }, { clientId: "ff0001" }];
  const ask = (parts: Omit<ClientMessage, "mac">, nodes = [pair.a, pair.b]) =>
    pair.ask({ mac: MAC, ...parts }, nodes).map(({ message }) => message.messageType);
  const owner = pair.a.binding(RESERVED)?.status === "BACKUP" ? pair.b : pair.a;
  const selecting = { requested: RESERVED, server: owner === pair.a ? "192.0.2.1" : "192.0.2.2" };
  for (const identity of [firmware, system]) {
    assert.deepEqual(ask({ type: "DISCOVER", secs: 9, ...identity }, [owner]), ["OFFER"]);
    assert.deepEqual(ask({ type: "REQUEST", ...selecting, ...identity }, [owner]), ["ACK"]);
    settle(pair);
  }
  const config = relationship({ revision: "revision-2" }, [
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"]),
  ]);
  for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
  settle(pair);
  const renewal = { type: "REQUEST", ciaddr: RESERVED, giaddr: "0.0.0.0" } as const;
  for (const node of [pair.a, pair.b]) {
    for (const identity of [firmware, system])
      assert.deepEqual(ask({ ...renewal, ...identity }, [node]), ["ACK"]);
    assert.deepEqual(ask({ ...renewal, clientId: "ff0002" }, [node]), ["NAK"]);
    settle(pair);
  }
  const [a, b] = [pair.a.binding(RESERVED), pair.b.binding(RESERVED)];
  assert.deepEqual(a?.client, b?.client);
  assert.deepEqual(a?.otherIdentifier, b?.otherIdentifier);
});

test("thousands of reserved addresses come to the members that serve their clients, a part at a time", () => {
  const addresses = Array.from({ length: 3_000 }, (_, n) => formatIpv4((ip("10.1.0.1") + n) as Ipv4));
  const reservations = addresses.map((address, n) =>
    reservation(address, (0x0200_0000_0000 + n).toString(16).padStart(12, "0")),
  );
  const pair = pairWith({}, "NORMAL");
  settle(pair);
  const config = relationship({ revision: "revision-2" }, [
    scope("first", "10.0.0.0/8", ["10.0.0.10", "10.0.0.29"], { reservations }),
  ]);
  for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
  const given = () => addresses.filter((address) => pair.a.binding(address)?.status === "BACKUP").length;
  pair.until("some given", () => given() > 0);
  assert.ok(given() < 1_024, `${given()} at once`);
  pair.until("all of a look given", () => given() > 1_400);
  settle(pair);
  for (const node of [pair.a, pair.b]) {
    const all = node.engine.serverConfig.scopes[0]?.reservations;
    for (const [n, address] of addresses.entries()) {
      const isPrimarys = node.binding(address)?.status !== "BACKUP";
      assert.equal(isPrimarys, isOwnClient(pair.a.engine, all!.get(n).client!), address);
    }
  }
});

test("while the reserved address is a lost partner's, the client keeps what it has", () => {
  const pair = pairWith({}, "NORMAL");
  const before = pair.lease(MAC)!;
  settle(pair);
  const config = relationship({ revision: "revision-2" }, [
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], {
      reservations: [reservation("10.0.0.40", MAC)],
    }),
  ]);
  interrupt(pair);
  for (const node of [pair.a, pair.b]) pair.deliver(node, { kind: "configured", config });
  const answers = [pair.a, pair.b].map((node) => {
    const bytes = clientMessage({ type: "REQUEST", mac: MAC, ciaddr: before.address });
    const seen = pair.replies.length;
    pair.deliver(node, { kind: "client-datagram", bytes, arrival: routed(before.address, 68) });
    pair.run(20);
    return pair.replies.slice(seen).map(({ message }) => message.messageType)[0];
  });
  // The address was never used, so it is the primary's: only that one can promise it.
  assert.deepEqual(answers, ["NAK", "ACK"]);
});
