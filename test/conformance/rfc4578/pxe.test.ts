// RFC 4578: what PXE clients and servers tell each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/base/bytes.ts";
import {
  asReply,
  clientMessage,
  hex,
  ip,
  local,
  optionHex,
  routed,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const UUID = `00${"0123456789abcdef".repeat(2)}`;
const CLIENT = [
  { code: 60, value: new Uint8Array(Buffer.from("PXEClient:Arch:00007:UNDI:003016")) },
  { code: 93, value: hex("0007") },
  { code: 94, value: hex("010310") },
  { code: 97, value: hex(UUID) },
];
const listing = (...codes: number[]) => ({ code: 55, value: Uint8Array.from(codes) });

test("RFC 4578 sections 2.1 to 2.3: architecture, interface and machine identifier stand in every reply to the client", () => {
  const messages = [
    { type: "DISCOVER" },
    { type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1" },
    { type: "INFORM", ciaddr: "10.0.0.99" },
  ] as const;
  for (const parts of messages) {
    const bytes = clientMessage({ ...parts, options: [...CLIENT, listing(1, 66, 67, 128)] });
    const { message } = asReply(new World().send(bytes, local("10.0.0.99")));
    assert.deepEqual(
      [93, 94, 97].map((code) => optionHex(message, code)),
      ["0007", "010310", UUID],
      parts.type,
    );
  }
});

test("RFC 4578 section 2.1: an architecture, interface or machine identifier of a wrong length is not sent back", () => {
  const broken = [
    { code: 93, value: hex("00") },
    { code: 94, value: hex("0103") },
    { code: 97, value: hex("") },
  ];
  const { message } = asReply(
    new World().send(clientMessage({ type: "DISCOVER", options: broken }), local()),
  );
  for (const code of [93, 94, 97]) assert.equal(optionHex(message, code), null);
});

test("RFC 4578 section 2.4: options 128 to 135 are sent as configured to a client that lists them", () => {
  const options = [128, 131, 135].map((code) => ({ code, hex: "aa55" }));
  const bytes = clientMessage({ type: "DISCOVER", options: [...CLIENT, listing(128, 129, 131, 135)] });
  const { message } = asReply(new World(twoScopes({ options })).send(bytes, local()));
  assert.deepEqual(
    [128, 129, 131, 135].map((code) => optionHex(message, code)),
    ["aa55", null, "aa55", "aa55"],
  );
});

test("RFC 4578 section 2.4: boot server and file stand in the header, and in options 66 and 67 for a client that lists them", () => {
  const boot = { nextServer: ip("10.0.0.2"), serverName: "tftp", fileName: "snponly.efi" };
  const bytes = clientMessage({
    type: "DISCOVER",
    giaddr: "10.0.0.1",
    options: [...CLIENT, listing(66, 67)],
  });
  const { message } = asReply(new World(twoScopes({ boot })).send(bytes, routed("10.0.0.1")));
  assert.equal(message.nextServer, ip("10.0.0.2"));
  assert.equal(Buffer.from(message.file).toString("latin1").replaceAll("\0", ""), "snponly.efi");
  assert.equal(optionHex(message, 66), toHex(Buffer.from("tftp")));
  assert.equal(optionHex(message, 67), toHex(Buffer.from("snponly.efi")));
});
