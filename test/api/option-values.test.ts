import assert from "node:assert/strict";
import { test } from "node:test";
import type { Options } from "../../src/api/dhcp-options.ts";
import { encodeOptions } from "../../src/api/option-values.ts";

const ascii = (text: string) => Buffer.from(text).toString("hex");
const extra = (type: string, value: string, code = 224) => ({ extra: [{ code, type, value }] }) as Options;

const CASES: readonly [string, Options, number, string][] = [
  ["routers", { routers: ["192.0.2.1", "192.0.2.2"] }, 3, "c0000201c0000202"],
  ["domainNameServers", { domainNameServers: ["255.255.255.255"] }, 6, "ffffffff"],
  ["domainName", { domainName: "example.org" }, 15, ascii("example.org")],
  ["interfaceMtu", { interfaceMtu: 1500 }, 26, "05dc"],
  ["broadcastAddress", { broadcastAddress: "10.0.0.255" }, 28, "0a0000ff"],
  ["ntpServers", { ntpServers: ["192.0.2.3"] }, 42, "c0000203"],
  ["tftpServerName", { tftpServerName: "tftp" }, 66, ascii("tftp")],
  ["bootFileName", { bootFileName: "a/b" }, 67, ascii("a/b")],
  // RFC 3397 section 3, its example in one piece.
  [
    "domainSearch",
    { domainSearch: ["eng.apple.com", "marketing.apple.com"] },
    119,
    `03${ascii("eng")}05${ascii("apple")}03${ascii("com")}0009${ascii("marketing")}c004`,
  ],
  [
    "domainSearch with a name twice and an end of a compressed one",
    { domainSearch: ["a.b.example", "c.b.example", "a.b.example", "example"] },
    119,
    `01${ascii("a")}01${ascii("b")}07${ascii("example")}0001${ascii("c")}c002c000c004`,
  ],
  // RFC 3442, the table of examples on page 4, each with router 10.0.0.1.
  ...(
    [
      ["0.0.0.0/0", "00"],
      ["10.0.0.0/8", "080a"],
      ["10.0.0.0/24", "180a0000"],
      ["10.17.0.0/16", "100a11"],
      ["10.27.129.0/24", "180a1b81"],
      ["10.229.0.128/25", "190a e50080"],
      ["10.198.122.47/32", "200ac67a2f"],
    ] as const
  ).map(([destination, bytes]): [string, Options, number, string] => [
    `classlessStaticRoutes ${destination}`,
    { classlessStaticRoutes: [{ destination, router: "10.0.0.1" }] },
    121,
    `${bytes.replace(" ", "")}0a000001`,
  ]),
  ["extra ip", extra("ip", "192.0.2.7"), 224, "c0000207"],
  ["extra ipList", extra("ipList", "192.0.2.7,192.0.2.8"), 224, "c0000207c0000208"],
  ["extra uint8", extra("uint8", "255"), 224, "ff"],
  ["extra uint16", extra("uint16", "258"), 224, "0102"],
  ["extra uint32", extra("uint32", "4294967295"), 224, "ffffffff"],
  ["extra string", extra("string", "größe"), 224, ascii("größe")],
  ["extra hex", extra("hex", "0A1b"), 224, "0a1b"],
  ["extra flag true", extra("flag", "true"), 224, "01"],
  ["extra flag false", extra("flag", "false"), 224, "00"],
];

for (const [name, options, code, hex] of CASES) {
  test(`${name} goes on the wire as its RFC says`, () => {
    assert.deepEqual(encodeOptions(options), { kind: "ok", options: [{ code, hex }] });
  });
}

test("options come out sorted by code", () => {
  const result = encodeOptions({ ...extra("flag", "true", 19), routers: ["192.0.2.1"], interfaceMtu: 576 });
  assert.equal(result.kind, "ok");
  assert.deepEqual(
    result.options.map(({ code }) => code),
    [3, 19, 26],
  );
});

test("values that parsing should have stopped are errors with their field, not bytes", () => {
  const bad: readonly [Options, string][] = [
    [extra("uint8", "256"), "extra[0].value"],
    [extra("hex", "abc"), "extra[0].value"],
    [extra("ipList", "192.0.2.7,"), "extra[0].value"],
    [extra("uint8", "1", 53), "extra[0].code"],
    [extra("ip", "192.0.2.1", 3), "extra[0].code"],
    [{ routers: ["192.0.2.1", "router"] }, "routers[1]"],
    [{ domainSearch: ["ok.example", `${"a".repeat(64)}.example`] }, "domainSearch[1]"],
    [
      { classlessStaticRoutes: [{ destination: "10.0.0.1/8", router: "10.0.0.1" }] },
      "classlessStaticRoutes[0].destination",
    ],
    [
      { classlessStaticRoutes: [{ destination: "10.0.0.0/8", router: "x" }] },
      "classlessStaticRoutes[0].router",
    ],
  ];
  for (const [options, field] of bad) {
    const result = encodeOptions(options);
    assert.equal(result.kind, "invalid", field);
    assert.deepEqual(
      result.errors.map((error) => error.field),
      [field],
    );
  }
});
