import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledScope } from "../../../src/api/compiled.ts";
import { seconds } from "../../../src/base/units.ts";
import { renewalTimes } from "../../../src/dhcp/server/reply-options.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import {
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  identifiedClient,
  ip,
  local,
  MAC_1,
  optionHex,
  reservation,
  routed,
  twoScopes,
  World,
} from "./world.ts";

function offerOf(first: Partial<CompiledScope>, parts: Partial<ClientMessage> = {}) {
  return asReply(new World(twoScopes(first)).send(clientMessage({ type: "DISCOVER", ...parts }), local()));
}

const list = (...codes: number[]) => ({
  options: [{ code: OPTION.PARAMETER_REQUEST_LIST, value: Uint8Array.from(codes) }],
});

test("the parameter request list decides what is sent and in which order; each option once", () => {
  const { message } = offerOf({}, list(6, 3, 6, 200, 28));
  assert.deepEqual([...message.options.keys()], [53, 54, 51, 58, 59, 1, 6, 3]);
});

test("4.3.1: the mask comes with every lease, asked for or not, and with the answer to an INFORM when asked for", () => {
  const { message } = offerOf({}, list(6));
  assert.deepEqual([...message.options.keys()], [53, 54, 51, 58, 59, 1, 6]);
  const parts = { type: "INFORM", ciaddr: "10.0.0.99" } as const;
  const informed = new World(twoScopes()).send(clientMessage({ ...parts, ...list(6) }), local());
  assert.deepEqual([...asReply(informed).message.options.keys()], [53, 54, 6]);
});

test("RFC 2132 section 3.3: the subnet mask goes before the routers", () => {
  const order = (...codes: number[]) => [...offerOf({}, list(...codes)).message.options.keys()].slice(5);
  assert.deepEqual(order(3, 1), [1, 3]);
  assert.deepEqual(order(6, 3, 1), [6, 1, 3], "all else keeps the client's order");
  assert.deepEqual(order(6, 1), [6, 1]);
  assert.deepEqual(order(1, 6, 3), [1, 6, 3]);
});

test("without a list, or with an empty one, everything configured is sent, in order of code", () => {
  assert.deepEqual([...offerOf({}, list()).message.options.keys()], [53, 54, 51, 58, 59, 1, 3, 6]);
  assert.deepEqual([...offerOf({}).message.options.keys()], [53, 54, 51, 58, 59, 1, 3, 6]);
});

test("a reservation's options go before the scope's", () => {
  const options = [{ code: 6, hex: "08080808" }];
  const reservations = [reservation("10.0.0.15", MAC_1, { options, hostname: "printer" })];
  const scopeOptions = [
    { code: 6, hex: "0a000002" },
    { code: 3, hex: "0a000001" },
  ];
  const { message } = offerOf({ reservations, options: scopeOptions }, list(6, 12, 3));
  assert.equal(optionHex(message, 6), "08080808");
  assert.equal(optionHex(message, 3), "0a000001");
  assert.equal(optionHex(message, 12), Buffer.from("printer").toString("hex"));
});

test("options that the server decides on cannot be set by configuration", () => {
  const options = [51, 53, 54, 58, 59, 61, 82, 118].map((code) => ({ code, hex: "deadbeef" }));
  const { message } = offerOf({ options });
  assert.ok(
    [...message.options.values()].every((value) => !Buffer.from(value).toString("hex").includes("deadbeef")),
  );
});

test("RFC 3442: routers and static routes are left out for a client that asks for classless routes", () => {
  const options = [
    { code: 3, hex: "0a000001" },
    { code: 33, hex: "0a0000010a000002" },
    { code: 121, hex: "000a000001" },
  ];
  assert.deepEqual([...offerOf({ options }, list(121, 3, 33)).message.options.keys()].slice(6), [121]);
  assert.deepEqual([...offerOf({ options }, list(3, 33)).message.options.keys()].slice(6), [3, 33]);
  assert.deepEqual(
    [...offerOf({ options }).message.options.keys()].slice(6),
    [3, 33, 121],
    "no list: all of them",
  );
  const without = offerOf({ options: options.slice(0, 2) }, list(121, 3, 33));
  assert.deepEqual([...without.message.options.keys()].slice(6), [3, 33]);
});

test("boot fields go into the header, and into options 66 and 67 when asked for", () => {
  const boot = { nextServer: ip("10.0.0.5"), serverName: "boot", fileName: "pxelinux.0" };
  const { message } = offerOf({ boot }, list(66, 67));
  assert.equal(message.nextServer, ip("10.0.0.5"));
  assert.equal(Buffer.from(message.sname).toString().replaceAll("\0", ""), "boot");
  assert.equal(Buffer.from(message.file).toString().replaceAll("\0", ""), "pxelinux.0");
  assert.equal(optionHex(message, 66), Buffer.from("boot").toString("hex"));
  assert.equal(optionHex(message, 67), Buffer.from("pxelinux.0").toString("hex"));
  assert.equal(optionHex(offerOf({ boot }).message, 67), null);
});

test("a boot file name too long for its field still travels as option 67", () => {
  const fileName = `http://boot.example/${"x".repeat(150)}`;
  const { message } = offerOf({ boot: { nextServer: null, serverName: null, fileName } });
  assert.equal(optionHex(message, 67), Buffer.from(fileName).toString("hex"));
});

test("RFC 6842: the client identifier comes back unaltered in OFFER, ACK and NAK, and only when sent", () => {
  const clientId = "ff00000001000100";
  const discovered = offerOf({}, { clientId });
  assert.equal(optionHex(discovered.message, OPTION.CLIENT_IDENTIFIER), clientId);
  assert.equal(optionHex(offerOf({}).message, OPTION.CLIENT_IDENTIFIER), null);
  const parts = { type: "REQUEST", clientId, server: "192.0.2.1" } as const;
  for (const requested of ["10.0.0.15", "10.9.9.9"]) {
    const reply = asReply(new World().send(clientMessage({ ...parts, requested }), local()));
    assert.equal(optionHex(reply.message, OPTION.CLIENT_IDENTIFIER), clientId, reply.messageType);
  }
});

test("RFC 6842 section 3: a NAK has the longest client identifier, and its text where there is room beside it", () => {
  for (const [length, codes] of [
    [251, [53, 54, 61, 56]],
    [252, [53, 54, 61]],
    [255, [53, 54, 61]],
  ] as const) {
    const clientId = "ab".repeat(length);
    const world = new World(twoScopes({ reservations: [reservation("10.0.0.15", MAC_1)] }));
    world.record("10.0.0.12", "ACTIVE", identifiedClient(clientId));
    const renewal = clientMessage({ type: "REQUEST", clientId, ciaddr: "10.0.0.12" });
    const { message, messageType } = asReply(world.send(renewal, routed("10.0.0.12", 68)));
    assert.equal(messageType, "NAK");
    assert.deepEqual([...message.options.keys()], codes);
    assert.equal(optionHex(message, OPTION.CLIENT_IDENTIFIER), clientId);
  }
});

test("RFC 3046: option 82 comes back unchanged and last in OFFER, ACK and NAK", () => {
  const relayInformation = "0103616263 02020000 ee00".replaceAll(" ", "");
  const common = { giaddr: "10.0.0.1", relayInformation } as const;
  const cases: readonly ClientMessage[] = [
    { type: "DISCOVER", ...common },
    { type: "REQUEST", requested: "10.0.0.15", server: "192.0.2.1", ...common },
    { type: "REQUEST", requested: "10.9.9.9", server: "192.0.2.1", ...common },
  ];
  for (const parts of cases) {
    const { message, messageType } = asReply(new World().send(clientMessage(parts), routed("10.0.0.1")));
    assert.equal([...message.options.keys()].at(-1), 82, messageType);
    assert.equal(optionHex(message, 82), relayInformation, messageType);
  }
});

test("RFC 5107: option 54 says what the relay wants it to say, and is honoured coming back", () => {
  const relayInformation = "0b040a000001";
  const common = { giaddr: "10.0.0.1", relayInformation } as const;
  const world = new World();
  const discovered = asReply(world.send(clientMessage({ type: "DISCOVER", ...common }), routed("10.0.0.1")));
  assert.equal(optionHex(discovered.message, 54), "0a000001");
  const selecting = { type: "REQUEST", requested: "10.0.0.10", server: "10.0.0.1", ...common } as const;
  const reply = asReply(world.send(clientMessage(selecting), routed("10.0.0.1")));
  assert.equal(reply.messageType, "ACK");
  assert.equal(optionHex(reply.message, 54), "0a000001");
});

test("RFC 5107: with an override, the partner's offers are not mistaken for ours", () => {
  const common = { giaddr: "10.0.0.1", relayInformation: "0b040a000001" } as const;
  const selecting = { type: "REQUEST", requested: "10.0.0.10", server: "10.0.0.1", ...common } as const;
  const outcome = new World().send(clientMessage(selecting), routed("10.0.0.1"));
  assert.deepEqual(outcome, { kind: "dropped", reason: "other-server-selected" });
});

test("T1 < T2 < lease for every lease, configured or not, and none where there is no room", () => {
  const limits = { defaultSeconds: seconds(3600), minSeconds: seconds(1), maxSeconds: seconds(86400) };
  const configured: readonly (readonly [number | null, number | null])[] = [
    [null, null],
    [1800, 3000],
    [3500, 3550],
    [null, 100],
    [3400, null],
    [1, 2],
    [0, 0],
    [9999, 9999],
  ];
  for (const [renew, rebind] of configured) {
    const lease = {
      ...limits,
      renewSeconds: renew === null ? null : seconds(renew),
      rebindSeconds: rebind === null ? null : seconds(rebind),
    };
    for (const leaseSeconds of [1, 2, 3, 4, 5, 10, 60, 599, 1000, 3599, 3600, 3601, 86_400, 0xffff_fffe]) {
      const times = renewalTimes(lease, leaseSeconds);
      if (times === null) continue;
      assert.ok(
        times.renewSeconds > 0 && times.renewSeconds < times.rebindSeconds,
        `${renew} ${rebind} ${leaseSeconds}`,
      );
      assert.ok(times.rebindSeconds < leaseSeconds, `${renew} ${rebind} ${leaseSeconds}`);
    }
  }
  const plain = { ...limits, renewSeconds: null, rebindSeconds: null };
  assert.deepEqual(renewalTimes(plain, 3600), { renewSeconds: 1800, rebindSeconds: 3150 });
  assert.equal(renewalTimes(plain, 2), null);
  const set = { ...limits, renewSeconds: seconds(1200), rebindSeconds: seconds(3000) };
  assert.deepEqual(renewalTimes(set, 3600), { renewSeconds: 1200, rebindSeconds: 3000 });
  assert.deepEqual(renewalTimes(set, 360), { renewSeconds: 120, rebindSeconds: 300 });
});

test("a client that allows 1400 bytes gets all, one that does not loses the last options, and it is reported", () => {
  const options = [6, 15, 42, 43].map((code) => ({ code, hex: "ab".repeat(code === 6 ? 252 : 200) }));
  const wide = offerOf(
    { options },
    { options: [...list(6, 15, 42, 43).options, { code: 57, value: Uint8Array.of(0x05, 0x78) }] },
  );
  assert.deepEqual(wide.omittedOptions, []);
  assert.equal(optionHex(wide.message, 43), "ab".repeat(200));
  const narrow = offerOf({ options }, list(6, 15, 42, 43));
  assert.ok(narrow.bytes.length + 28 <= 576);
  assert.deepEqual(narrow.omittedOptions, [15, 42, 43]);
});

test("the header of replies follows RFC 2131 table 3", () => {
  const world = new World();
  world.record("10.0.0.12", "ACTIVE", hardwareClient());
  const parts = { xid: 0xfeedbeef, secs: 9, hops: 3, flags: 0x8000, giaddr: "10.0.0.1" };
  const ack = asReply(
    world.send(clientMessage({ type: "REQUEST", ciaddr: "10.0.0.12", ...parts }), routed("10.0.0.1")),
  );
  const { message } = ack;
  assert.deepEqual(
    [message.op, message.hardwareType, message.hops, message.xid, message.secs, message.flags],
    [2, 1, 0, 0xfeedbeef, 0, 0x8000],
  );
  assert.deepEqual([message.clientAddress, message.yourAddress], [ip("10.0.0.12"), ip("10.0.0.12")]);
  assert.equal(message.relayAddress, ip("10.0.0.1"));
  assert.equal(Buffer.from(message.hardwareAddress).toString("hex"), MAC_1);
});
