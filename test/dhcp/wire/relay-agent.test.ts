import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { readRelayInformation } from "../../../src/dhcp/wire/relay-agent.ts";

function read(text: string) {
  return readRelayInformation(fromHex(text.replaceAll(" ", "")) ?? new Uint8Array());
}

function information(text: string) {
  const result = read(text);
  assert.ok(result.kind === "relay-information");
  return result.information;
}

test("circuit, remote and subscriber id are taken as opaque bytes", () => {
  const found = information("0103616263 0202ffff 060178");
  assert.equal(toHex(found.circuitId ?? new Uint8Array()), "616263");
  assert.equal(toHex(found.remoteId ?? new Uint8Array()), "ffff");
  assert.equal(toHex(found.subscriberId ?? new Uint8Array()), "78");
});

test("RFC 3527, 5010, 5107, 8357: what steers the server is interpreted", () => {
  const found = information("05040a000100 0b04c0a80001 0a0180 1300");
  assert.equal(found.linkSelection === null ? null : formatIpv4(found.linkSelection), "10.0.1.0");
  assert.equal(
    found.serverIdentifierOverride === null ? null : formatIpv4(found.serverIdentifierOverride),
    "192.168.0.1",
  );
  assert.equal(found.clientUsedUnicast, true);
  assert.equal(found.usesSourcePort, true);
});

test("absent sub-options are null or false", () => {
  const found = information("");
  assert.deepEqual(
    [
      found.circuitId,
      found.linkSelection,
      found.serverIdentifierOverride,
      found.clientUsedUnicast,
      found.usesSourcePort,
    ],
    [null, null, null, null, false],
  );
  assert.equal(information("0a0100").clientUsedUnicast, false);
});

test("a server identifier override of 0.0.0.0 counts as none", () => {
  const read = readRelayInformation(Uint8Array.of(11, 4, 0, 0, 0, 0));
  assert.ok(read.kind === "relay-information");
  assert.equal(read.information.serverIdentifierOverride, null);
});

test("link selection and server identifier override of a wrong length are malformed", () => {
  for (const text of ["05030a0001", "0500", "05050a00010000", "0b03c0a800"]) {
    assert.equal(read(text).kind, "malformed", text);
  }
});

test("a broken tail does not hide what stands before it", () => {
  for (const tail of ["01", "02ff", "0000", "09"]) {
    assert.equal(toHex(information(`010161${tail}`).circuitId ?? new Uint8Array()), "61", tail);
  }
});

test("the first of a repeated sub-option counts", () => {
  assert.equal(toHex(information("010161 010162").circuitId ?? new Uint8Array()), "61");
});
