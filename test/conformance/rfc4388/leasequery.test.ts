// RFC 4388: DHCPLEASEQUERY, for askers that are allowed to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ipv4Prefix, parseIpv4Prefix } from "../../../src/base/ipv4.ts";
import { unixSeconds } from "../../../src/base/units.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import type { OptionValue } from "../../../src/dhcp/wire/options.ts";
import { Pair, relationship } from "../../dhcp/engine/pair.ts";
import {
  asDropped,
  asReply,
  clientMessage,
  hardwareClient,
  hex,
  identifiedClient,
  ip,
  MAC_1,
  MAC_2,
  optionHex,
  routed,
  World,
} from "../../dhcp/server/world.ts";

const RELAYS = [parseIpv4Prefix("10.9.0.0/16") as Ipv4Prefix];
const ASKER = "10.9.0.1";
const NOBODY = "000000000000";
/** 51, 58, 59, 61, 82, 91 and the subnet mask, which is not an asker's business. */
const LIST = { code: OPTION.PARAMETER_REQUEST_LIST, value: Uint8Array.of(51, 58, 59, 61, 82, 91, 1) };

function held(): World {
  const world = new World(undefined, {}, { leasequeryFrom: RELAYS });
  world.record("10.0.0.12", "ACTIVE", identifiedClient("00aabb"), {
    relayInformation: hex("01010a"),
    lastTransactionAt: unixSeconds(world.wall - 100),
    expiresAt: unixSeconds(world.wall + 3500),
  });
  return world;
}

interface Query {
  readonly giaddr?: string;
  readonly ciaddr?: string;
  readonly mac?: string;
  readonly clientId?: string;
  readonly options?: readonly OptionValue[];
}

function ask(world: World, parts: Query) {
  const { giaddr = ASKER, mac = NOBODY, options = [LIST], ...rest } = parts;
  const bytes = clientMessage({ type: "LEASEQUERY", giaddr, mac, ...rest, options });
  return world.send(bytes, routed(giaddr));
}

test("RFC 4388 section 6.4.2: a leased address is answered with holder, times left, relay information and last contact", () => {
  const { messageType, message, route, binding } = asReply(ask(held(), { ciaddr: "10.0.0.12" }));
  assert.equal(messageType, "LEASEACTIVE");
  assert.equal(message.clientAddress, ip("10.0.0.12"));
  assert.deepEqual(Buffer.from(message.hardwareAddress).toString("hex"), MAC_1);
  const number = (code: number) => Number.parseInt(optionHex(message, code) ?? "0", 16);
  assert.deepEqual([51, 58, 59, 91].map(number), [3500, 1700, 3050, 100]);
  assert.equal(optionHex(message, 61), "00aabb");
  assert.equal(optionHex(message, 82), "01010a");
  assert.equal(optionHex(message, 1), null);
  assert.deepEqual(route, { kind: "unicast", to: ip(ASKER), port: 67, interface: null });
  assert.equal(binding, null);
});

test("RFC 4388 section 6.2: an asker that names no options is told all of the lease", () => {
  const { message } = asReply(ask(held(), { ciaddr: "10.0.0.12", options: [] }));
  assert.deepEqual([...message.options.keys()], [53, 54, 51, 58, 59, 61, 91, 82]);
});

test("RFC 4388 section 6.4: an address of ours without a lease is UNASSIGNED, a foreign one UNKNOWN, both without options", () => {
  for (const [ciaddr, expected] of [
    ["10.0.0.13", "LEASEUNASSIGNED"],
    ["10.0.0.200", "LEASEUNKNOWN"],
    ["172.16.0.1", "LEASEUNKNOWN"],
  ] as const) {
    const { messageType, message } = asReply(ask(held(), { ciaddr }));
    assert.equal(messageType, expected);
    assert.deepEqual([...message.options.keys()], [53, 54]);
  }
});

test("RFC 4388 section 6.4.1: a query by identifier or hardware address finds the lease used last, and names all others", () => {
  const world = held();
  world.record("10.0.1.12", "ACTIVE", identifiedClient("00aabb"), {
    lastTransactionAt: unixSeconds(world.wall - 5),
  });
  for (const parts of [{ clientId: "00aabb" }, { mac: MAC_1 }]) {
    const { messageType, message } = asReply(ask(world, parts));
    assert.equal(messageType, "LEASEACTIVE");
    assert.equal(message.clientAddress, ip("10.0.1.12"));
    assert.equal(optionHex(message, OPTION.ASSOCIATED_IP), "0a00010c0a00000c");
  }
  assert.equal(asReply(ask(world, { mac: MAC_2 })).messageType, "LEASEUNKNOWN");
  assert.equal(asReply(ask(world, { clientId: "00ffff" })).messageType, "LEASEUNKNOWN");
});

test("RFC 4388 section 6.4.2: a lease that is over is none", () => {
  const world = held();
  world.pass(3500);
  assert.equal(asReply(ask(world, { ciaddr: "10.0.0.12" })).messageType, "LEASEUNASSIGNED");
  assert.equal(asReply(ask(world, { clientId: "00aabb" })).messageType, "LEASEUNKNOWN");
});

test("RFC 4388 section 6.4.3: without giaddr, and RFC 4388 section 7: from a stranger, there is no answer", () => {
  assert.equal(asDropped(ask(held(), { ciaddr: "10.0.0.12", giaddr: "0.0.0.0" })), "leasequery-refused");
  assert.equal(asDropped(ask(held(), { ciaddr: "10.0.0.12", giaddr: "10.8.0.1" })), "leasequery-refused");
  const nobody = new World();
  nobody.record("10.0.0.12", "ACTIVE", hardwareClient());
  assert.equal(asDropped(ask(nobody, { ciaddr: "10.0.0.12" })), "leasequery-refused");
});

test("RFC 4388 section 7: queries by hardware address, each a search of all records, leave nearly all the time to others", () => {
  const world = held();
  const records = 5_000;
  for (let n = 0; n < records; n++) world.record(`10.7.${n >>> 8}.${n & 255}`, "FREE", null);
  const answers = (parts: Query) => ask(world, parts).kind === "reply";
  assert.ok(answers({ mac: MAC_1 }));
  assert.equal(asDropped(ask(world, { mac: MAC_1 })), "leasequery-too-wide");
  world.boot += 5;
  let answered = 0;
  for (let ms = 0; ms < 100; ms++, world.boot++) {
    for (let n = 0; n < 10; n++) if (answers({ mac: MAC_1 })) answered++;
    assert.ok(answers({ ciaddr: "10.0.0.12" }) && answers({ clientId: "00aabb" }), "these need no search");
  }
  assert.equal(answered, 20, "one in five milliseconds, of which it takes half of one");
});

test("RFC 4388 section 6.4.2: both members of a pair answer alike, relay information included", () => {
  const pair = new Pair(relationship({ leasequeryFrom: [parseIpv4Prefix("10.0.0.1/32") as Ipv4Prefix] }));
  pair.startBoth().untilNormal();
  const mac = MAC_1;
  const relayed = { mac, relayInformation: "01010a" };
  const offer = pair.ask({ type: "DISCOVER", ...relayed })[0]!;
  const requested = "10.0.0.".concat(String(offer.message.yourAddress & 255));
  const server = offer.from === "a" ? "192.0.2.1" : "192.0.2.2";
  pair.ask({ type: "REQUEST", ...relayed, requested, server });
  pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0);
  const answers = pair.ask({ type: "LEASEQUERY", mac: NOBODY, ciaddr: requested, options: [LIST] });
  assert.deepEqual(answers.map(({ from }) => from).toSorted(), ["a", "b"]);
  const [one, two] = answers.map(({ message }) => [51, 61, 82, 91].map((code) => optionHex(message, code)));
  assert.deepEqual(one, two);
  assert.equal(one?.[2], "01010a");
});
