// RFC 2132: what a server does about the values of options, its own and the client's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeOptions } from "../../../src/api/option-values.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { OPTION_TABLE } from "../../../src/dhcp/wire/option-table.ts";
import {
  asReply,
  clientMessage,
  hex,
  local,
  optionHex,
  routed,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const list = (...codes: number[]) => ({ code: 55, value: Uint8Array.from(codes) });

test("2: trailing NULs of the client's texts are taken off and never needed, and none are sent", () => {
  for (const name of ["lab", "lab\0", "lab\0\0"]) {
    const world = new World();
    const options = [{ code: 12, value: new Uint8Array(Buffer.from(name)) }];
    const request = clientMessage({ type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1", options });
    assert.equal(asReply(world.send(request, local())).binding?.next.hostname, "lab");
  }
  const encoded = encodeOptions({ domainName: "example.org", tftpServerName: "tftp", bootFileName: "x" });
  assert.ok(encoded.kind === "ok");
  for (const { hex: value } of encoded.options) assert.ok(!value.endsWith("00"));
});

test("3.5 to 8.21: addresses are sent in the order in which they are configured, the most preferred first", () => {
  const encoded = encodeOptions({
    routers: ["10.0.0.9", "10.0.0.1"],
    domainNameServers: ["10.0.0.8", "10.0.0.2"],
    extra: [{ code: 69, type: "ipList", value: "10.0.0.7,10.0.0.3" }],
  });
  assert.ok(encoded.kind === "ok");
  const { message } = asReply(
    new World(twoScopes({ options: encoded.options })).send(clientMessage({ type: "DISCOVER" }), local()),
  );
  assert.equal(optionHex(message, 3), "0a0000090a000001");
  assert.equal(optionHex(message, 6), "0a0000080a000002");
  assert.equal(optionHex(message, 69), "0a0000070a000003");
});

test("3.5 to 8.21: a value whose length the option does not allow cannot be configured", () => {
  const typed = new Set([3, 6, 7, 42, 44, 138, 150]);
  const refusable = OPTION_TABLE.filter(
    ({ code, bytesStep }) => bytesStep > 1 && !typed.has(code) && code !== 121 && code !== 82,
  );
  assert.ok(refusable.length > 20);
  for (const { code, bytesMin, bytesStep, name } of refusable) {
    const optionsOf = (bytes: number) => ({
      extra: [{ code, type: "hex" as const, value: "0a".repeat(bytes) }],
    });
    const right = Math.max(bytesMin, bytesStep);
    assert.equal(encodeOptions(optionsOf(right)).kind, "ok", name);
    const wrong = encodeOptions(optionsOf(right + bytesStep - 1));
    if (wrong.kind === "ok") assert.fail(`${name} may have ${right + bytesStep - 1} bytes`);
    assert.ok(wrong.errors[0]?.message.includes(`option ${code} must be`), name);
  }
});

test("8.4 and 9.13: vendor specific information and vendor class of a client change nothing by themselves", () => {
  const answerTo = (options: { code: number; value: Uint8Array }[]) =>
    toHex(asReply(new World().send(clientMessage({ type: "DISCOVER", options }), local())).bytes);
  const plain = answerTo([]);
  assert.equal(answerTo([{ code: 43, value: hex("0104ffffffff") }]), plain);
  assert.equal(answerTo([{ code: 60, value: hex("ff00ff") }]), plain);
});

test("8.4: configured vendor specific information is sent as its sub-options, without a magic cookie", () => {
  const encoded = encodeOptions({
    vendorOptions: [
      { code: 6, type: "uint8", value: "8" },
      { code: 10, type: "string", value: "PXE" },
    ],
  });
  assert.ok(encoded.kind === "ok");
  const world = new World(twoScopes({ options: encoded.options }));
  const { message } = asReply(world.send(clientMessage({ type: "DISCOVER", options: [list(43)] }), local()));
  assert.equal(optionHex(message, 43), "0601080a03505845");
});

test("9.8: options come in the order of the client's list", () => {
  const options = [list(6, 15, 1, 28, 3)];
  const world = new World(twoScopes({ options: [3, 6, 15, 28].map((code) => ({ code, hex: "0a000001" })) }));
  const { message } = asReply(
    world.send(clientMessage({ type: "DISCOVER", giaddr: "10.0.0.1", options }), routed("10.0.0.1")),
  );
  assert.deepEqual(
    [...message.options.keys()].filter((code) => code < 50),
    [6, 15, 1, 28, 3],
  );
});

test("9.14: client identifiers are opaque: any bytes tell two clients apart, and nothing else about them matters", () => {
  for (const [one, two] of [
    ["00", "0000"],
    ["01020000000001", "06020000000001"],
    ["ff0102", "ff0103"],
  ] as const) {
    const world = new World();
    const addresses = [one, two, one].map((clientId) => {
      return asReply(world.send(clientMessage({ type: "DISCOVER", clientId }), local())).address;
    });
    assert.notEqual(addresses[0], addresses[1]);
    assert.equal(addresses[0], addresses[2]);
  }
});
