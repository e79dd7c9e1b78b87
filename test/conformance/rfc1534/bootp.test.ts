// RFC 1534: clients that speak BOOTP only, served from reservations.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { Pair, relationship } from "../../dhcp/engine/pair.ts";
import {
  asDropped,
  asReply,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_1,
  MAC_2,
  reservation,
  routed,
  scope,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

/** A BOOTREQUEST of 300 bytes; `cookie`: with the DHCP magic cookie and an end option, else all of vend is zero. */
function bootRequest({ giaddr = "0.0.0.0", mac = MAC_1, cookie = true } = {}): Uint8Array {
  const bytes = clientMessage({ type: "DISCOVER", giaddr, mac }).slice(0, 300);
  bytes.fill(0, cookie ? 240 : 236);
  if (cookie) bytes[240] = 255;
  return bytes;
}

const RESERVED = [reservation("10.0.0.15", MAC_1, { hostname: "printer" })];
const boot = { nextServer: ip("10.0.0.2"), serverName: "boot", fileName: "image" };

test("RFC 1534 section 2: a BOOTP client gets its reserved address, boot fields and options, and no DHCP option", () => {
  for (const cookie of [true, false]) {
    const world = new World(twoScopes({ reservations: RESERVED, boot }));
    const outcome = asReply(world.send(bootRequest({ cookie }), local()));
    assert.equal(outcome.messageType, "BOOTREPLY");
    const { message } = outcome;
    assert.equal(formatIpv4(message.yourAddress), "10.0.0.15");
    assert.equal(formatIpv4(message.nextServer), "10.0.0.2");
    assert.equal(Buffer.from(message.file).toString("latin1").replaceAll("\0", ""), "image");
    assert.deepEqual([...message.options.keys()], [1, 3, 6, 12]);
    assert.equal(outcome.binding, null);
    assert.equal(outcome.route.kind, "link-layer");
  }
});

test("RFC 951 section 3: a BOOTREPLY keeps to 300 bytes, whatever is configured", () => {
  const options = [6, 42, 4, 5].map((code) => ({ code, hex: "0a000001".repeat(6) }));
  const world = new World(twoScopes({ reservations: RESERVED, options }));
  const { bytes, message, omittedOptions } = asReply(world.send(bootRequest(), local()));
  assert.equal(bytes.length, 300);
  assert.ok(!message.options.has(OPTION.OVERLOAD));
  assert.ok(omittedOptions.length > 0);
});

test("RFC 1534 section 2: a BOOTP client without a reservation is left alone", () => {
  const world = new World(twoScopes({ reservations: RESERVED }));
  assert.equal(asDropped(world.send(bootRequest({ mac: MAC_2 }), local())), "bootp");
});

test("RFC 1542 section 2.1: a BOOTREQUEST of less than 300 bytes is discarded, a longer one is served", () => {
  const world = new World(twoScopes({ reservations: RESERVED }));
  const whole = bootRequest();
  assert.equal(asDropped(world.send(whole.subarray(0, 299), local())), "malformed-length");
  const long = new Uint8Array(548);
  long.set(whole);
  assert.equal(asReply(world.send(long, local())).messageType, "BOOTREPLY");
  const discover = clientMessage({ type: "DISCOVER" });
  const end = discover.lastIndexOf(255) + 1;
  assert.equal(asReply(world.send(discover.subarray(0, end), local())).messageType, "OFFER");
});

test("RFC 1542 section 4.1: a relayed BOOTREQUEST is answered through its relay", () => {
  const world = new World(twoScopes({ reservations: RESERVED }));
  const { route } = asReply(world.send(bootRequest({ giaddr: "10.0.0.1" }), routed("10.0.0.1")));
  assert.deepEqual(route, { kind: "unicast", to: ip("10.0.0.1"), port: 67, interface: null });
});

test("RFC 1542 sections 5.3 and 5.4: ciaddr comes back and is where the reply goes, but does not say who the client is", () => {
  const scopes = twoScopes({ reservations: [...RESERVED, reservation("10.0.0.16", MAC_2)] });
  const from = (ciaddr: string, flags = 0) => {
    const bytes = bootRequest();
    const view = new DataView(bytes.buffer);
    view.setUint32(12, ip(ciaddr));
    view.setUint16(10, flags);
    return asReply(new World(scopes).send(bytes, local()));
  };
  const known = from("10.0.0.15");
  assert.deepEqual(known.route, { kind: "unicast", to: ip("10.0.0.15"), port: 68, interface: "eth0" });
  assert.equal(known.message.clientAddress, ip("10.0.0.15"));
  const mistaken = from("10.0.0.16");
  assert.equal(formatIpv4(mistaken.message.yourAddress), "10.0.0.15");
  const elsewhere = from("172.16.0.1");
  assert.equal(elsewhere.route.kind, "link-layer");
  assert.equal(elsewhere.message.clientAddress, ip("172.16.0.1"));
  const flagged = from("0.0.0.0", 0x8000);
  assert.deepEqual(flagged.route, { kind: "broadcast", interface: "eth0" });
  assert.equal(flagged.message.flags, 0x8000);
  assert.equal(Buffer.from(flagged.message.hardwareAddress).toString("hex"), MAC_1);
});

test("a BOOTP client hears nothing while another client holds its address", () => {
  const world = new World(twoScopes({ reservations: RESERVED }));
  world.record("10.0.0.15", "ACTIVE", hardwareClient(MAC_2));
  assert.equal(asDropped(world.send(bootRequest(), local())), "not-ours-to-give");
});

test("RFC 1534 section 2, both NORMAL: one member answers a BOOTP client, always with the same address", () => {
  const scopes = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], { reservations: RESERVED })];
  const pair = new Pair(relationship({}, scopes)).startBoth().untilNormal();
  for (let i = 0; i < 3; i++) {
    pair.replies.length = 0;
    for (const node of [pair.a, pair.b]) {
      const bytes = bootRequest({ giaddr: "10.0.0.1" });
      pair.deliver(node, { kind: "client-datagram", bytes, arrival: routed("10.0.0.1") });
    }
    pair.run(20);
    assert.deepEqual(
      pair.replies.map(({ message }) => formatIpv4(message.yourAddress)),
      ["10.0.0.15"],
    );
  }
});
