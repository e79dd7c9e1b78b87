// RFC 2131 section 4.1: constructing and sending DHCP messages. One test per sentence that binds a server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import {
  asReply,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_2,
  optionHex,
  routed,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const DISCOVER = clientMessage({ type: "DISCOVER" });

function ackTo(ciaddr: string, arrival = local(ciaddr)) {
  const world = new World();
  world.record(ciaddr, "ACTIVE", hardwareClient());
  return asReply(world.send(clientMessage({ type: "REQUEST", ciaddr }), arrival));
}

/** Where the end option stands in a field of options that begins at `from`. */
function endOf(field: Uint8Array, from: number): number {
  let at = from;
  while (field[at] !== 255) {
    assert.ok(at < field.length && field[at] !== 0, "an end option comes before any padding");
    at += 2 + (field[at + 1] as number);
  }
  return at;
}

test("4.1: the options area starts with the magic cookie and its last option is 'end'", () => {
  const { bytes } = asReply(new World().send(DISCOVER, local()));
  assert.deepEqual([...bytes.subarray(236, 240)], [99, 130, 83, 99]);
  const at = endOf(bytes, 240);
  assert.ok(
    bytes.subarray(at + 1).every((byte) => byte === 0),
    "nothing but padding follows the end option",
  );
});

test("4.1: the server identifier is an address of this server", () => {
  const { message } = asReply(new World().send(DISCOVER, local()));
  assert.equal(optionHex(message, OPTION.SERVER_IDENTIFIER), "c0000201");
});

test("4.1: a server with several addresses accepts any of them as identifying it", () => {
  const former = ip("198.51.100.9");
  const bytes = clientMessage({ type: "REQUEST", requested: "10.0.0.15", server: "198.51.100.9" });
  const reply = asReply(new World(twoScopes(), { formerAddresses: [former] }).send(bytes, local()));
  assert.equal(reply.messageType, "ACK");
  assert.equal(new World().send(bytes, local()).kind, "dropped");
});

test("4.1: with giaddr set, every return message goes to giaddr on the server port", () => {
  for (const parts of [
    { type: "DISCOVER" },
    { type: "REQUEST", requested: "10.0.0.15", server: "192.0.2.1" },
    { type: "REQUEST", requested: "10.9.9.9" },
  ] as const) {
    const { route } = asReply(
      new World().send(clientMessage({ ...parts, giaddr: "10.0.0.1" }), routed("10.0.0.1")),
    );
    assert.deepEqual(route, { kind: "unicast", to: ip("10.0.0.1"), port: 67, interface: null });
  }
});

test("4.1: giaddr zero and ciaddr set: an ACK is unicast to ciaddr", () => {
  const { route } = ackTo("10.0.0.15");
  assert.ok(route.kind === "link-layer");
  assert.equal(route.to, ip("10.0.0.15"));
  const renewed = ackTo("10.0.0.15", routed("10.0.0.15", 68)).route;
  assert.deepEqual(renewed, { kind: "unicast", to: ip("10.0.0.15"), port: 68, interface: null });
});

test("4.1: giaddr and ciaddr zero, broadcast bit set: OFFER and ACK are broadcast", () => {
  for (const parts of [
    { type: "DISCOVER" },
    { type: "REQUEST", requested: "10.0.0.15", server: "192.0.2.1" },
  ] as const) {
    const { route } = asReply(new World().send(clientMessage({ ...parts, flags: 0x8000 }), local()));
    assert.deepEqual(route, { kind: "broadcast", interface: "eth0" });
  }
});

test("4.1: giaddr and ciaddr zero, broadcast bit clear: to the hardware address and yiaddr", () => {
  const { route, address } = asReply(new World().send(DISCOVER, local()));
  assert.ok(route.kind === "link-layer");
  assert.equal(route.to, address);
  assert.equal(Buffer.from(route.hardwareAddress).toString("hex"), "020000000001");
});

test("4.1: giaddr zero: a NAK is broadcast in all cases, ciaddr or not, flag or not", () => {
  for (const parts of [
    { requested: "10.9.9.9" },
    { requested: "10.9.9.9", flags: 0x8000 },
    { ciaddr: "10.9.9.9" },
  ]) {
    const world = new World();
    const { messageType, route } = asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), local()));
    assert.equal(messageType, "NAK");
    assert.deepEqual(route, { kind: "broadcast", interface: "eth0" });
  }
});

test("4.1: options that extend into 'file' and 'sname' are announced by 'option overload'", () => {
  const options = [6, 15, 42].map((code) => ({ code, hex: "ab".repeat(code === 15 ? 40 : 120) }));
  const { bytes, message, omittedOptions } = asReply(
    new World(twoScopes({ options })).send(DISCOVER, local()),
  );
  assert.deepEqual(omittedOptions, []);
  assert.ok((message.options.get(OPTION.OVERLOAD)?.[0] ?? 0) >= 1);
  assert.ok(bytes.length + 28 <= 576);
});

test("4.1: overloaded fields begin with an option and end with 'end' and padding", () => {
  const options = [6, 15, 42].map((code) => ({ code, hex: "ab".repeat(code === 15 ? 40 : 120) }));
  const { bytes } = asReply(new World(twoScopes({ options })).send(DISCOVER, local()));
  const file = bytes.subarray(108, 236);
  assert.equal(file[0], 42, "what did not fit stands first");
  const at = endOf(file, 0);
  assert.ok(
    file.subarray(at + 1).every((byte) => byte === 0),
    "padding fills the field",
  );
});

test("4.1: the client's xid, flags, hardware address and giaddr come back", () => {
  const parts = {
    type: "DISCOVER",
    xid: 0x0102_0304,
    flags: 0x8000,
    giaddr: "10.0.0.7",
    mac: MAC_2,
  } as const;
  const { message } = asReply(new World().send(clientMessage(parts), routed("10.0.0.7")));
  assert.deepEqual([message.xid, message.flags, message.relayAddress], [0x0102_0304, 0x8000, ip("10.0.0.7")]);
  assert.equal(Buffer.from(message.hardwareAddress).toString("hex"), MAC_2);
});
