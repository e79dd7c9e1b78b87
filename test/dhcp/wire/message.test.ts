import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/base/bytes.ts";
import { formatIpv4, ipv4 } from "../../../src/base/ipv4.ts";
import {
  type DhcpMessage,
  decodeMessage,
  encodeMessage,
  type OutgoingMessage,
} from "../../../src/dhcp/wire/message.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { golden } from "./golden-packets.ts";

function base(rest: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    op: 2,
    hardwareType: 1,
    hops: 3,
    xid: 0xdeadbeef,
    secs: 0x1234,
    flags: 0x8000,
    clientAddress: ipv4(0x0a000001),
    yourAddress: ipv4(0x0a000002),
    nextServer: ipv4(0x0a000003),
    relayAddress: ipv4(0xff000004),
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 1),
    sname: null,
    file: null,
    options: [{ code: OPTION.MESSAGE_TYPE, value: Uint8Array.of(5) }],
    relayInformation: null,
    ...rest,
  };
}

const LIMITS = { datagramBytesMax: null, maySplit: false };

function decode(bytes: Uint8Array): DhcpMessage {
  const read = decodeMessage(bytes);
  assert.ok(read.kind === "message", JSON.stringify(read));
  return read.message;
}

function filled(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 255);
}

test("every header field comes back as it was written", () => {
  const message = base({ sname: filled(63), file: filled(127) });
  const back = decode(encodeMessage(message, LIMITS).bytes);
  for (const field of [
    "op",
    "hardwareType",
    "hops",
    "xid",
    "secs",
    "flags",
    "clientAddress",
    "yourAddress",
    "nextServer",
    "relayAddress",
  ] as const) {
    assert.equal(back[field], message[field], field);
  }
  assert.equal(toHex(back.hardwareAddress), "020000000001");
  assert.equal(toHex(back.sname), `${toHex(filled(63))}00`);
  assert.equal(toHex(back.file), `${toHex(filled(127))}00`);
  assert.equal(back.messageType, "ACK");
});

test("what is sent is at least 300 bytes long, padded with zeros after the end option", () => {
  const { bytes } = encodeMessage(base(), LIMITS);
  assert.equal(bytes.length, 300);
  assert.equal(toHex(bytes.subarray(240, 244)), "350105ff");
  assert.ok(bytes.subarray(244).every((byte) => byte === 0));
});

test("bad datagrams are refused by the field that is wrong", () => {
  const good = encodeMessage(base(), LIMITS).bytes;
  const changed = (at: number, value: number) => good.with(at, value);
  const cases: readonly [string, Uint8Array, string][] = [
    ["empty", new Uint8Array(0), "length"],
    ["one byte short of the cookie", good.subarray(0, 239), "length"],
    ["larger than any relay sends", new Uint8Array(8193), "length"],
    ["hlen 17", changed(2, 17), "hlen"],
    ["hlen 255", changed(2, 255), "hlen"],
    ["another cookie", changed(236, 0x62), "cookie"],
    ["an option that runs past the end", changed(241, 250), "options"],
    ["a code as the last byte", good.subarray(0, 241), "options"],
  ];
  for (const [name, bytes, field] of cases) {
    assert.deepEqual(decodeMessage(bytes), { kind: "malformed", field }, name);
  }
});

test("a message of exactly 240 bytes has no options and no type", () => {
  const message = decode(encodeMessage(base(), LIMITS).bytes.subarray(0, 240));
  assert.equal(message.options.size, 0);
  assert.equal(message.messageType, null);
});

test("hlen 0 and hlen 16 are both possible", () => {
  for (const length of [0, 16]) {
    const back = decode(encodeMessage(base({ hardwareAddress: filled(length) }), LIMITS).bytes);
    assert.equal(toHex(back.hardwareAddress), toHex(filled(length)));
  }
});

test("a message type of two bytes is malformed, an unassigned one is read as null", () => {
  const typed = (value: Uint8Array) => encodeMessage(base({ options: [{ code: 53, value }] }), LIMITS).bytes;
  assert.deepEqual(decodeMessage(typed(Uint8Array.of(1, 1))), { kind: "malformed", field: "message-type" });
  assert.equal(decode(typed(Uint8Array.of(99))).messageType, null);
});

test("overload values other than 1, 2 and 3 are malformed", () => {
  for (const value of [Uint8Array.of(0), Uint8Array.of(4), Uint8Array.of(1, 2), new Uint8Array(0)]) {
    const { bytes } = encodeMessage(base({ options: [{ code: 52, value }] }), LIMITS);
    assert.deepEqual(decodeMessage(bytes), { kind: "malformed", field: "overload" });
  }
});

test("RFC 3396 section 7: repeated options are joined over options, file and sname in that order", () => {
  const bytes = encodeMessage(base(), LIMITS).bytes;
  bytes.set([53, 1, 1, 52, 1, 3, 67, 2, 0x61, 0x62, 255], 240);
  bytes.set([67, 2, 0x63, 0x64, 255], 108);
  bytes.set([67, 2, 0x65, 0x66, 255], 44);
  const message = decode(bytes);
  assert.equal(Buffer.from(message.options.get(67) ?? []).toString(), "abcdef");
  assert.ok(
    message.file.every((byte) => byte === 0),
    "an overloaded field holds no file name",
  );
});

test("an overloaded field whose option runs past it is malformed", () => {
  const bytes = encodeMessage(base(), LIMITS).bytes;
  bytes.set([53, 1, 1, 52, 1, 2, 255], 240);
  bytes.set([67, 63], 44);
  assert.deepEqual(decodeMessage(bytes), { kind: "malformed", field: "options" });
});

test("RFC 3396 section 6: a value over 255 bytes is split and joined again", () => {
  for (const length of [255, 256, 510, 511, 900]) {
    const value = filled(length);
    const { bytes, omitted } = encodeMessage(
      base({
        options: [
          { code: 53, value: Uint8Array.of(5) },
          { code: 121, value },
        ],
      }),
      { datagramBytesMax: 1500, maySplit: true },
    );
    assert.deepEqual(omitted, []);
    assert.equal(toHex(decode(bytes).options.get(121) ?? new Uint8Array()), toHex(value), `${length} bytes`);
    assert.ok((bytes[245] as number) <= 255);
  }
});

test("RFC 2132 section 9.3: what does not fit overflows into file and sname, marked by option 52", () => {
  const options = [
    { code: 53, value: Uint8Array.of(5) },
    { code: 6, value: filled(200, 1) },
    { code: 42, value: filled(100, 2) },
    { code: 15, value: filled(50, 3) },
  ];
  const { bytes, omitted } = encodeMessage(base({ options }), LIMITS);
  assert.deepEqual(omitted, []);
  assert.ok(bytes.length + 28 <= 576);
  const message = decode(bytes);
  for (const { code, value } of options)
    assert.equal(toHex(message.options.get(code) ?? new Uint8Array()), toHex(value));
  assert.equal(message.options.get(52)?.length, 1);
});

test("a boot file name in use is never overwritten by overload, and what finds no room is named", () => {
  const file = Uint8Array.from(Buffer.from("pxelinux.0"));
  const options = [
    { code: 53, value: Uint8Array.of(5) },
    { code: 6, value: filled(200) },
    { code: 42, value: filled(120) },
  ];
  const { bytes, omitted } = encodeMessage(base({ file, options }), LIMITS);
  assert.deepEqual(omitted, [42]);
  assert.equal(Buffer.from(decode(bytes).file).toString("latin1").replaceAll("\0", ""), "pxelinux.0");
});

test("RFC 2132 section 9.10: option 57 is the limit, never under 576 and never over 1500 bytes", () => {
  const options = [53, 6, 42, 15, 119, 43].map((code) => ({ code, value: filled(250) }));
  for (const [asked, most] of [
    [null, 576],
    [0, 576],
    [300, 576],
    [1000, 1000],
    [65535, 1500],
  ] as const) {
    const { bytes } = encodeMessage(base({ options }), { datagramBytesMax: asked, maySplit: false });
    assert.ok(bytes.length + 28 <= most, `${bytes.length + 28} within ${most}`);
  }
});

test("a limit under 576 bytes is not believed: the options still go out", () => {
  for (const datagramBytesMax of [0, 28, 300, 575]) {
    const { bytes, omitted } = encodeMessage(base(), { datagramBytesMax, maySplit: false });
    assert.deepEqual(omitted, []);
    assert.deepEqual([...decode(bytes).options.keys()], [53], "no overload");
  }
});

test("RFC 3046 section 2.2: option 82 is the last option, outside of the client's limit and of overload", () => {
  const relayInformation = filled(150);
  const options = [
    { code: 53, value: Uint8Array.of(5) },
    { code: 6, value: filled(250) },
    { code: 42, value: filled(100) },
  ];
  const { bytes } = encodeMessage(base({ options, relayInformation }), LIMITS);
  const message = decode(bytes);
  assert.equal(toHex(message.options.get(82) ?? new Uint8Array()), toHex(relayInformation));
  assert.ok(message.options.has(42));
  assert.equal(toHex(bytes.subarray(-153)), `5296${toHex(relayInformation)}ff`);
});

test("an option is split only for a client that joins", () => {
  const options = [
    { code: 53, value: Uint8Array.of(5) },
    { code: 6, value: filled(200) },
    { code: 43, value: filled(220) },
  ];
  assert.deepEqual(encodeMessage(base({ options }), LIMITS).omitted, [43]);
  const joined = encodeMessage(base({ options }), { datagramBytesMax: null, maySplit: true });
  assert.deepEqual(joined.omitted, []);
  assert.equal(toHex(decode(joined.bytes).options.get(43) ?? new Uint8Array()), toHex(filled(220)));
});

for (const packet of golden) {
  test(`golden packet: ${packet.name}`, () => {
    const message = decode(packet.bytes);
    assert.equal(message.messageType, packet.type);
    assert.equal(formatIpv4(message.clientAddress), packet.ciaddr ?? "0.0.0.0");
    assert.equal(formatIpv4(message.relayAddress), packet.giaddr ?? "0.0.0.0");
    for (const [code, value] of Object.entries(packet.options)) {
      assert.equal(toHex(message.options.get(Number(code)) ?? new Uint8Array()), value, `option ${code}`);
    }
    assert.equal(message.options.size, Object.keys(packet.options).length);
  });
}
