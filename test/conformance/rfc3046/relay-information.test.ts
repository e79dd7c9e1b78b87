// RFC 3046: what a server does with the option that relays add.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asReply, clientMessage, hardwareClient, optionHex, routed, World } from "../../dhcp/server/world.ts";

const RELAYED = { giaddr: "10.0.0.1" } as const;

test("2.2: the whole option comes back in every reply, unknown sub-options and all", () => {
  const relayInformation = "01020a01 0203abcdef 6302ffff";
  const sent = relayInformation.replaceAll(" ", "");
  const messages = [
    { type: "DISCOVER", ...RELAYED },
    { type: "REQUEST", ...RELAYED, requested: "10.0.0.12", server: "192.0.2.1" },
    { type: "REQUEST", ...RELAYED, requested: "10.0.1.12" },
    { type: "INFORM", ...RELAYED, ciaddr: "10.0.0.99" },
  ] as const;
  for (const parts of messages) {
    const { message } = asReply(
      new World().send(clientMessage({ ...parts, relayInformation }), routed("10.0.0.1")),
    );
    assert.equal(optionHex(message, 82), sent, parts.type);
    assert.equal([...message.options.keys()].at(-1), 82);
  }
});

test("2.2: an option that finds no room is left out whole, the reply goes out, and that is counted", () => {
  // 771 bytes with their headers: more than a reply of 1500 bytes has room for beside what the client may take.
  const portion = [82, 255, 99, 253, ...new Array(253).fill(0xaa)];
  const bytes = Uint8Array.from([
    ...clientMessage({ type: "DISCOVER", ...RELAYED }).subarray(0, 243),
    ...[57, 2, 0x05, 0xdc, ...portion, ...portion, ...portion, 255],
  ]);
  const world = new World();
  const reply = asReply(world.send(bytes, routed("10.0.0.1")));
  assert.equal(reply.messageType, "OFFER");
  assert.equal(optionHex(reply.message, 82), null);
  assert.ok(reply.omittedOptions.includes(82));
  assert.equal(world.counters.omissions.get("82"), 1);
});

test("2.2: a unicast message may carry the option or not: both are served, and only what came goes back", () => {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", hardwareClient());
  for (const [relayInformation, expected] of [
    ["01010a", "01010a"],
    [undefined, null],
  ] as const) {
    const parts = relayInformation === undefined ? {} : { relayInformation };
    const bytes = clientMessage({ type: "REQUEST", ciaddr: "10.0.0.12", ...parts });
    const { messageType, message } = asReply(world.send(bytes, routed("10.0.0.12", 68)));
    assert.equal(messageType, "ACK");
    assert.equal(optionHex(message, 82), expected);
  }
});

test("3.1 and 3.2: the circuit and remote id of a lease are kept with it, for reports", () => {
  const world = new World();
  const parts = {
    ...RELAYED,
    requested: "10.0.0.12",
    server: "192.0.2.1",
    relayInformation: "01020a01 0203abcdef",
  };
  const { binding } = asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), routed("10.0.0.1")));
  assert.equal(Buffer.from(binding?.next.relayInformation ?? []).toString("hex"), "01020a010203abcdef");
});
