// A client's name and place (option 82) on the link: what a partner does not tell is not gone, because a client that renews by
// unicast bypasses its relay, and keeps its reservation and its count by what the record says. Source: RFC 3046 2.1.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CompiledRelationship, type Dialect, NO_LIMITS } from "../../../src/api/compiled.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { after, seconds, unixSeconds } from "../../../src/base/units.ts";
import { type Binding, BINDING_STATUS_CODE as STATUS } from "../../../src/dhcp/lease/binding.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { type Extras, readExtras, writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import { FRAME_BYTES_MAX } from "../../../src/dhcp/wire-failover/frame.ts";
import {
  type ClientMessage,
  clientMessage,
  hex,
  identifiedClient,
  ip,
  reservation,
  routed,
  scope,
} from "../server/world.ts";
import { Pair, relationship, START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const RESERVED = "10.0.0.12";
const MAC = "020000000001";
const NEIGHBOUR = "020000000002";
const CIRCUIT = "6369726331";
const OPTION_82 = `0105${CIRCUIT}`;
const HOST_NAME = { code: OPTION.HOST_NAME, value: new TextEncoder().encode("printer") };

/** The address is kept for whoever is at the circuit. */
const byCircuit = scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], {
  reservations: [
    reservation(RESERVED, MAC, {
      hardwareAddress: null,
      relayAgent: { circuitId: CIRCUIT, remoteId: null, subscriberId: null },
    }),
  ],
});

function normal(dialect: Dialect, config: Partial<CompiledRelationship> = {}): ScriptedPartner {
  const scopes = [byCircuit];
  return new ScriptedPartner({ dialect, member: "a", config: { scopes, ...config } }).becomeNormal();
}

/** Leases the reserved address to the client at the circuit, through its relay. */
function lease(partner: ScriptedPartner): void {
  const parts = { mac: MAC, relayInformation: OPTION_82, options: [HOST_NAME] };
  partner.ask({ type: "REQUEST", ...parts, requested: RESERVED, server: "192.0.2.1" });
  partner.acknowledgeAll();
  partner.pass(5_000);
  partner.acknowledgeAll();
  assert.equal(partner.binding(RESERVED)?.status, "ACTIVE");
}

/** The partner has renewed the lease of this client. */
function tellRenewal(partner: ScriptedPartner, { mac = MAC, extras = {} as Extras } = {}): void {
  const { wall } = partner.now;
  partner.update({
    address: ip(RESERVED),
    status: STATUS.ACTIVE,
    clientHardwareAddress: Uint8Array.of(1, ...hex(mac)),
    leaseExpiration: after(wall, seconds(600)),
    potentialExpiration: after(wall, seconds(900)),
    startTimeOfState: wall,
    lastTransaction: wall,
    extras: writeExtras(extras),
  });
}

function answersOf(partner: ScriptedPartner, act: () => void): typeof partner.replies {
  const before = partner.replies.length;
  act();
  return partner.replies.slice(before);
}

function unicast(partner: ScriptedPartner, parts: ClientMessage): void {
  const bytes = clientMessage({ giaddr: "0.0.0.0", ...parts });
  partner.deliver({ kind: "client-datagram", bytes, arrival: routed(RESERVED) });
}

function place(partner: ScriptedPartner): readonly (string | null)[] {
  const { hostname = null, relayInformation = null } = partner.binding(RESERVED) ?? {};
  return [hostname, relayInformation === null ? null : toHex(relayInformation)];
}

for (const dialect of ["ISC", "Leasepair"] as const)
  describe(`a partner of dialect ${dialect} that tells neither name nor place`, () => {
    test("renews an address reserved by circuit, and its holder's next renewal here by unicast is granted", () => {
      const partner = normal(dialect);
      lease(partner);
      const renewal: ClientMessage = { type: "REQUEST", mac: MAC, ciaddr: RESERVED };
      assert.deepEqual(
        answersOf(partner, () => unicast(partner, renewal)),
        ["ACK"],
      );
      partner.acknowledgeAll();
      partner.pass(5_000);
      tellRenewal(partner);
      assert.equal(partner.binding(RESERVED)?.lastTransactionAt, partner.now.wall);
      assert.deepEqual(place(partner), ["printer", OPTION_82]);
      assert.deepEqual(
        answersOf(partner, () => unicast(partner, renewal)),
        ["ACK"],
      );
    });

    test("renews a lease, which still counts for its circuit", () => {
      const partner = normal(dialect, { limits: { ...NO_LIMITS, leasesPerCircuit: 1 } });
      lease(partner);
      tellRenewal(partner);
      const neighbour: ClientMessage = {
        type: "DISCOVER",
        mac: NEIGHBOUR,
        secs: 10,
        relayInformation: OPTION_82,
      };
      assert.deepEqual(
        answersOf(partner, () => partner.ask(neighbour)),
        [],
      );
    });

    test("has given the address to another client, of whom nothing is known", () => {
      const partner = normal(dialect);
      lease(partner);
      partner.pass(1_000_000);
      tellRenewal(partner, { mac: NEIGHBOUR });
      assert.deepEqual(place(partner), [null, null]);
    });
  });

test("one of our own that leaves both out says that there is neither, and is believed", () => {
  const partner = normal("Leasepair");
  lease(partner);
  tellRenewal(partner, { extras: { position: 1 } });
  assert.deepEqual(place(partner), [null, null]);
});

test("option 82 that one of our own cannot tell is not none", () => {
  const partner = normal("Leasepair");
  lease(partner);
  tellRenewal(partner, { extras: { position: 1, relayInformation: "01".repeat(3_000) } });
  assert.deepEqual(place(partner), [null, OPTION_82]);
});

test("option 82 of more than 255 bytes is known to both members: either renews by unicast what is reserved by circuit", () => {
  const pair = new Pair(relationship({}, [byCircuit])).startBoth().untilNormal();
  const longer = `${OPTION_82}09f9${"aa".repeat(249)}`;
  const parts = { mac: MAC, relayInformation: longer };
  const server = "192.0.2.1";
  const [ack] = pair.ask({ type: "REQUEST", ...parts, requested: RESERVED, server }, [pair.a]);
  assert.equal(ack?.message.messageType, "ACK");
  pair.run(3_000);
  for (const node of [pair.a, pair.b]) {
    const { relayInformation } = node.binding(RESERVED) ?? {};
    assert.equal(relayInformation && toHex(relayInformation), longer, node.name);
    assert.equal(pair.renew(MAC, RESERVED, [node])?.from, node.name);
  }
});

test("with the longest of everything an update fits a frame, and option 82 beyond 1,275 bytes is not told", () => {
  const longest = (bytes: number): Partial<Binding> => ({
    status: "ACTIVE",
    client: identifiedClient("07".repeat(255), "02".repeat(16)),
    expiresAt: unixSeconds(START + 500),
    lastTransactionAt: unixSeconds(START - 100),
    ipFlags: 1,
    acknowledged: false,
    hostname: "h".repeat(253),
    relayInformation: new Uint8Array(bytes),
  });
  for (const [bytes, told] of [
    [1_275, "00".repeat(1_275)],
    [1_276, undefined],
    [3_500, undefined],
  ] as const) {
    const partner = new ScriptedPartner({ member: "a", bindings: [longest(bytes)] });
    partner.meet();
    partner.announce("NORMAL", { store: "61".repeat(16), generation: 1, openedAt: 1, position: 1 });
    const update = partner.heard.find(({ message }) => {
      return message.type === "BNDUPD" && message.update.address === ip("10.0.0.10");
    });
    assert.ok(update?.message.type === "BNDUPD");
    assert.ok(update.bytes.length <= FRAME_BYTES_MAX, `${update.bytes.length} bytes`);
    const extras = readExtras(update.message.update.extras);
    assert.deepEqual([extras.hostname, extras.relayInformation], ["h".repeat(253), told]);
    assert.equal(extras.untold, told === undefined ? true : undefined);
    assert.notEqual(extras.position, undefined);
  }
});
