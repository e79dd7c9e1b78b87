// Who answers a client with a reservation while both members are NORMAL: the one that can give the address, alone, and
// never neither.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { seconds } from "../../../src/base/units.ts";
import { isOwnClient } from "../../../src/dhcp/engine/authority.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { ANEW_MS, LEFT_MS } from "../../../src/dhcp/server/left-to-partner.ts";
import { hardwareClient, ip, reservation, scope } from "../server/world.ts";
import { type Node, Pair, relationship } from "./pair.ts";

const RESERVED = "10.0.0.99";
const OTHER = "02000000ffff";
const MACS = Array.from({ length: 64 }, (_, i) => `0200000000${(16 + i).toString(16)}`);

interface Setting {
  readonly pair: Pair;
  readonly mac: string;
  /** Whose the reserved address is, and the other member. */
  readonly owner: Node;
  readonly other: Node;
}

const scopes = (mac: string) => [
  scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], { reservations: [reservation(RESERVED, mac)] }),
];

/** A pair in NORMAL with a reservation for a client of this member. */
function settingOf(side: "a" | "b", changes: Partial<CompiledRelationship> = {}): Setting {
  const probe = new Pair(relationship({ fencing: "None" })).startBoth().untilNormal();
  const isA = (mac: string) => isOwnClient(probe.a.engine, hardwareClient(mac));
  const mac = MACS.find((candidate) => isA(candidate) === (side === "a"))!;
  const pair = new Pair(relationship({ fencing: "None", ...changes }, scopes(mac))).startBoth().untilNormal();
  pair.run(20_000);
  const owner = pair.a.binding(RESERVED)?.status === "BACKUP" ? pair.b : pair.a;
  return { pair, mac, owner, other: pair.partnerOf(owner) };
}

/** The offers that a DISCOVER brings, as member and address. */
function offers({ pair, mac }: Setting, secs: number, to: readonly Node[] = [pair.a, pair.b]): string[] {
  return pair
    .ask({ type: "DISCOVER", mac, secs }, to)
    .map(({ from, message }) => `${from} ${formatIpv4(message.yourAddress)}`);
}

const isAnother = (offer: string | undefined, node: Node) =>
  offer?.startsWith(`${node.name} 10.0.0.`) === true && !offer.endsWith(RESERVED);

const SETTINGS: readonly [
  what: string,
  side: "a" | "b",
  secs: number,
  changes: Partial<CompiledRelationship>,
][] = [
  ["below maxSeconds", "a", 0, {}],
  ["below maxSeconds", "b", 0, {}],
  ["past maxSeconds", "a", 4, {}],
  ["past maxSeconds", "b", 4, {}],
  ["with maxSeconds 0", "a", 0, { maxSeconds: seconds(0) }],
  ["with maxSeconds 0", "b", 0, { maxSeconds: seconds(0) }],
  ["in HotStandby", "a", 4, { mode: "HotStandby", reservePercent: 20 }],
];

for (const [what, side, secs, changes] of SETTINGS) {
  test(`${what}, a reserved client of ${side}'s is offered its address and no other`, () => {
    const setting = settingOf(side, changes);
    assert.equal(setting.owner.name, side);
    assert.deepEqual(offers(setting, secs), [`${side} ${RESERVED}`]);
    assert.ok(!setting.other.log.some(({ event }) => event === "reservation-waits"));
    if (secs < 3 && changes.maxSeconds === undefined) return;
    assert.equal(setting.other.engine.datagrams.outcomes.get("dropped:reserved-at-partner"), 1);
  });
}

test("where the reserved address is one member's and the client by load balance the other's, the address's owner answers", () => {
  const setting = settingOf("b");
  const { pair, mac } = setting;
  // Back to the primary, as it is before the secondary has been given it.
  for (const node of [pair.a, pair.b]) node.engine.leases.put(freshBinding(ip(RESERVED)));
  assert.ok(isOwnClient(pair.b.engine, hardwareClient(mac)));
  assert.deepEqual(offers(setting, 0), [`a ${RESERVED}`]);
  assert.deepEqual(offers(setting, 4), [`a ${RESERVED}`]);
});

test("while the members are apart the one that cannot give the reserved address offers another, and says that it waits", () => {
  const setting = settingOf("b");
  const { pair, other } = setting;
  pair.cut();
  pair.until("interrupted", () => other.state === "COMMUNICATIONS-INTERRUPTED");
  assert.ok(isAnother(offers(setting, 0, [other])[0], other));
  assert.ok(other.log.some(({ event }) => event === "reservation-waits"));
});

test("a reserved address that nobody can give costs its client nothing: another is offered as to any client", () => {
  const statuses = ["ACTIVE", "ABANDONED", "EXPIRED", "RELEASED", "RESET"] as const;
  for (const status of statuses) {
    for (const side of ["a", "b"] as const) {
      const setting = settingOf(side);
      const { pair, owner } = setting;
      for (const node of [pair.a, pair.b]) {
        const client = status === "ABANDONED" ? null : hardwareClient(OTHER);
        const expiresAt = (pair.now.wall + (status === "ACTIVE" ? 1800 : 0)) as never;
        const binding = {
          ...freshBinding(ip(RESERVED)),
          status,
          client,
          expiresAt,
          statusSince: pair.now.wall,
        };
        node.engine.leases.put({ ...binding, acknowledged: true });
      }
      const below = offers(setting, 0);
      assert.equal(below.length, 1, `${status} ${below}`);
      assert.ok(isAnother(below[0], owner), `${status} ${below}`);
      assert.equal(offers(setting, 4).length, 2, status);
    }
  }
});

test("an owner that must not give the address itself offers its client another", () => {
  for (const side of ["a", "b"] as const) {
    const setting = settingOf(side);
    const { owner } = setting;
    owner.engine.leases.put({ ...freshBinding(ip(RESERVED)), ...owner.binding(RESERVED), taken: true });
    for (const secs of [0, 4]) {
      const heard = offers(setting, secs);
      assert.equal(heard.length, 1);
      assert.ok(isAnother(heard[0], owner));
    }
  }
});

test("a client that the address's owner does not hear is answered by the other member after a while, whatever its secs", () => {
  for (const changes of [{}, { maxSeconds: seconds(0) }]) {
    const setting = settingOf("b", changes);
    const { pair, other } = setting;
    const secs = changes.maxSeconds === undefined ? 4 : 0;
    assert.deepEqual(offers(setting, secs, [other]), []);
    pair.run(LEFT_MS - 100);
    assert.deepEqual(offers(setting, secs, [other]), []);
    pair.run(100);
    assert.ok(isAnother(offers(setting, secs, [other])[0], other));
    pair.run(ANEW_MS);
    assert.deepEqual(offers(setting, secs, [other]), [], "it begins anew");
  }
});

test("a client that was given its reserved address by the partner begins anew when it asks once more", () => {
  const setting = settingOf("b");
  const { pair, mac, other } = setting;
  assert.equal(pair.lease(mac, [pair.a, pair.b], 4)?.address, RESERVED);
  pair.run(5_000);
  pair.ask({ type: "RELEASE", mac, ciaddr: RESERVED, server: "192.0.2.2", giaddr: "0.0.0.0" }, [pair.b]);
  pair.until("free again", () => other.binding(RESERVED)?.status === "BACKUP", 240_000);
  assert.deepEqual(offers(setting, 4), [`b ${RESERVED}`]);
});

test("while the owner is cut off from clients the other member answers at once, and takes no lease away", () => {
  const setting = settingOf("b");
  const { pair, mac, other } = setting;
  other.engine.session!.partnerCarrierLost = true;
  assert.ok(isAnother(offers(setting, 0, [other])[0], other));
  const grant = pair.lease(mac, [other])!;
  assert.notEqual(grant.address, RESERVED);
  assert.equal(pair.renew(mac, grant.address, [other])?.address, grant.address);
});

test("a reservation that only one member knows of leaves its client to the other, which serves it like any client", () => {
  for (const side of ["a", "b"] as const) {
    const plain = new Pair(relationship({ fencing: "None" })).startBoth().untilNormal();
    const isA = (mac: string) => isOwnClient(plain.a.engine, hardwareClient(mac));
    const mac = MACS.find((candidate) => isA(candidate) === (side === "a"))!;
    // Nobody had it yet, so that it is a's; b alone knows for whom it is.
    const config = relationship({ fencing: "None", revision: "revision-2" }, scopes(mac));
    plain.deliver(plain.b, { kind: "configured", config });
    const heard = offers({ pair: plain, mac, owner: plain.a, other: plain.b }, 4);
    assert.equal(heard.length, 1);
    assert.ok(isAnother(heard[0], plain.a));
  }
});

test("with maxSeconds 0, too, a client with another lease moves to the address reserved for it at its renewal with either member", () => {
  const setting = settingOf("b", { maxSeconds: seconds(0) });
  const { pair, mac, other } = setting;
  pair.cut();
  pair.until("interrupted", () => other.state === "COMMUNICATIONS-INTERRUPTED");
  const grant = pair.lease(mac, [other])!;
  assert.notEqual(grant.address, RESERVED);
  assert.equal(pair.renew(mac, grant.address, [other])?.address, grant.address);
  pair.heal();
  pair.untilNormal();
  const renewal = pair.ask({ type: "REQUEST", mac, ciaddr: grant.address, giaddr: "0.0.0.0" }, [other]);
  assert.deepEqual(
    renewal.map(({ message }) => message.messageType),
    ["NAK"],
  );
  assert.equal(pair.lease(mac)?.address, RESERVED);
});
