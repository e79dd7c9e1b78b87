// RFC 2131 section 4.3.1: DHCPDISCOVER, and table 3: what replies hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import {
  answer,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_1,
  MAC_2,
  optionHex,
  reservation,
  routed,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const DISCOVER = { type: "DISCOVER" } as const;
const SELECTING = { type: "REQUEST", requested: "10.0.0.15", server: "192.0.2.1" } as const;
const REFUSED = { type: "REQUEST", requested: "10.9.9.9", server: "192.0.2.1" } as const;

function replyTo(parts: ClientMessage, world = new World()) {
  return asReply(world.send(clientMessage(parts), local()));
}

test("4.3.1: the client's current address is offered when it has a binding", () => {
  const world = new World();
  world.record("10.0.0.17", "ACTIVE", hardwareClient());
  assert.equal(replyTo(DISCOVER, world).address, ip("10.0.0.17"));
});

test("4.3.1: else its previous address, when that is free", () => {
  const world = new World();
  world.record("10.0.0.17", "FREE", hardwareClient());
  assert.equal(replyTo(DISCOVER, world).address, ip("10.0.0.17"));
  const taken = new World();
  taken.record("10.0.0.17", "ACTIVE", hardwareClient(MAC_2));
  assert.equal(replyTo(DISCOVER, taken).address, ip("10.0.0.10"));
});

test("4.3.1: else the requested address, when it is valid and free", () => {
  assert.equal(replyTo({ ...DISCOVER, requested: "10.0.0.18" }).address, ip("10.0.0.18"));
});

test("4.3.1: else a new address of the subnet of giaddr, or of the receiving interface", () => {
  assert.equal(replyTo(DISCOVER).address, ip("10.0.0.10"));
  const relayed = clientMessage({ ...DISCOVER, giaddr: "10.0.1.1" });
  assert.equal(asReply(new World().send(relayed, routed("10.0.1.1"))).address, ip("10.0.1.10"));
});

test("4.3.1: an offered address is not reused before the client responds", () => {
  const world = new World();
  const first = replyTo(DISCOVER, world).address;
  assert.notEqual(replyTo({ ...DISCOVER, mac: MAC_2, requested: "10.0.0.10" }, world).address, first);
});

test("4.3.1: without a wish the default lease time is given; a wish is heard within policy", () => {
  const wish = (value: string) => ({
    options: [{ code: 51, value: new Uint8Array(Buffer.from(value, "hex")) }],
  });
  assert.equal(optionHex(replyTo(DISCOVER).message, 51), "00000e10");
  assert.equal(optionHex(replyTo({ ...DISCOVER, ...wish("00001c20") }).message, 51), "00001c20");
  assert.equal(optionHex(replyTo({ ...DISCOVER, ...wish("ffffffff") }).message, 51), "00015180");
});

test("4.3.1 table 3: fields of OFFER, ACK and NAK", () => {
  const cases = [
    [DISCOVER, ip("0.0.0.0"), ip("10.0.0.10")],
    [SELECTING, ip("0.0.0.0"), ip("10.0.0.15")],
    [REFUSED, ip("0.0.0.0"), ip("0.0.0.0")],
  ] as const;
  for (const [parts, ciaddr, yiaddr] of cases) {
    const { message } = replyTo({ ...parts, secs: 7, hops: 2 });
    assert.deepEqual([message.op, message.hops, message.secs], [2, 0, 0]);
    assert.deepEqual([message.clientAddress, message.yourAddress], [ciaddr, yiaddr]);
  }
});

test("4.3.1 table 3: ACK repeats ciaddr of the REQUEST, OFFER and NAK hold zero", () => {
  const world = new World();
  world.record("10.0.0.17", "ACTIVE", hardwareClient());
  assert.equal(
    replyTo({ type: "REQUEST", ciaddr: "10.0.0.17" }, world).message.clientAddress,
    ip("10.0.0.17"),
  );
  assert.equal(replyTo({ ...DISCOVER, ciaddr: "10.0.0.17" }, world).message.clientAddress, 0);
  const other = { type: "REQUEST", ciaddr: "10.0.0.17", mac: MAC_2 } as const;
  assert.equal(replyTo(other, world).message.clientAddress, 0);
});

test("4.3.1 table 3: message type, server identifier and lease time MUST be there, requested address MUST NOT", () => {
  for (const parts of [DISCOVER, SELECTING]) {
    const { message } = replyTo({ ...parts, requested: "10.0.0.15" });
    for (const code of [51, 53, 54]) assert.ok(message.options.has(code), `option ${code}`);
    for (const code of [50, 55, 57]) assert.ok(!message.options.has(code), `option ${code}`);
  }
});

test("4.3.1 table 3: a NAK holds no lease time, no parameters, and does not use 'file' and 'sname'", () => {
  const boot = { nextServer: ip("10.0.0.5"), serverName: "boot", fileName: "pxelinux.0" };
  const { message } = replyTo(REFUSED, new World(twoScopes({ boot })));
  assert.deepEqual([...message.options.keys()], [53, 54, 56]);
  assert.equal(message.nextServer, 0);
  assert.ok([...message.file, ...message.sname].every((byte) => byte === 0));
});

test("4.3.1: each requested parameter is included only once, and none that cannot be provided", () => {
  const options = [{ code: OPTION.PARAMETER_REQUEST_LIST, value: Uint8Array.of(3, 3, 3, 44, 3) }];
  const { bytes, message } = replyTo({ ...DISCOVER, options });
  assert.equal(optionHex(message, 3), "0a000001");
  assert.ok(!message.options.has(44));
  assert.equal(Buffer.from(bytes).toString("hex").split("03040a000001").length, 2);
});

test("4.3.1: parameters of this client (a reservation) go before those of its subnet", () => {
  const reservations = [reservation("10.0.0.15", MAC_1, { options: [{ code: 6, hex: "01010101" }] })];
  const world = new World(twoScopes({ reservations, options: [{ code: 6, hex: "02020202" }] }));
  assert.equal(optionHex(replyTo(DISCOVER, world).message, 6), "01010101");
  assert.equal(optionHex(replyTo({ ...DISCOVER, mac: MAC_2 }, world).message, 6), "02020202");
});

test("4.3.1: the ACK holds the same parameters as the OFFER", () => {
  const world = new World();
  const offer = replyTo(DISCOVER, world).message;
  const ack = replyTo({ ...SELECTING, requested: "10.0.0.10" }, world).message;
  const parameters = (options: ReadonlyMap<number, Uint8Array>) =>
    [...options].filter(([code]) => code !== 53);
  assert.deepEqual(parameters(ack.options), parameters(offer.options));
});

test("4.2: the client identifier is the key when sent, else the hardware address", () => {
  const world = new World();
  world.record("10.0.0.17", "ACTIVE", hardwareClient());
  assert.equal(replyTo({ ...DISCOVER, clientId: "01020000000001" }, world).address, ip("10.0.0.10"));
  assert.equal(replyTo(DISCOVER, world).address, ip("10.0.0.17"));
});

test("4.4.5: T1 is half and T2 seven eighths of the lease", () => {
  const { message } = replyTo(DISCOVER);
  assert.equal(optionHex(message, OPTION.RENEWAL_TIME), "00000708");
  assert.equal(optionHex(message, OPTION.REBINDING_TIME), "00000c4e");
});

test("3.1 step 2: a repeated DISCOVER is answered again", () => {
  const world = new World();
  assert.equal(answer(world.send(clientMessage(DISCOVER), local())), "OFFER");
  assert.equal(answer(world.send(clientMessage(DISCOVER), local())), "OFFER");
});
