// RFC 3925: options 124 and 125, which name their vendors.

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeOptions } from "../../../src/api/option-values.ts";
import { parseDHCPScope } from "../../../src/api/parse.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { decodeMessage } from "../../../src/dhcp/wire/message.ts";
import { asReply, clientMessage, hex, local, optionHex, World } from "../../dhcp/server/world.ts";

const LAB = { enterprise: 3561, options: [{ code: 1, type: "string", value: "lab" }] } as const;
const FLAG = { enterprise: 4491, options: [{ code: 2, type: "flag", value: "true" }] } as const;

test("RFC 3925 section 4: what is set for vendors is sent as code, length and value behind each one's number", () => {
  const encoded = encodeOptions({ vendorIdentifyingOptions: [LAB, FLAG] } as never);
  assert.deepEqual(encoded, {
    kind: "ok",
    options: [{ code: 125, hex: `00000de905${"01036c6162"}0000118b03${"020101"}` }],
  });
});

test("RFC 3925 section 4: a vendor that stands twice is refused", () => {
  const verdict = (...vendorIdentifyingOptions: unknown[]) =>
    parseDHCPScope({
      apiVersion: "leasepair.io/v1alpha1",
      kind: "DHCPScope",
      metadata: { name: "users", namespace: "default" },
      spec: {
        relationshipRef: { name: "campus" },
        subnet: "10.20.0.0/24",
        ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
        options: { vendorIdentifyingOptions },
      },
    });
  assert.equal(verdict(LAB, FLAG).kind, "ok");
  const doubled = verdict(LAB, LAB);
  assert.ok(doubled.kind === "invalid");
  assert.deepEqual(
    doubled.errors.map(({ field }) => field),
    ["spec.options.vendorIdentifyingOptions[1].enterprise"],
  );
});

test("RFC 3925 sections 3 and 4: pieces of a client's options are joined, and what nobody knows of changes nothing", () => {
  const pieces = [124, 125].flatMap((code) => [
    { code, value: hex("00000de906") },
    { code, value: hex("050102030405") },
  ]);
  const bytes = clientMessage({ type: "DISCOVER", options: pieces });
  const read = decodeMessage(bytes);
  assert.ok(read.kind === "message");
  for (const code of [124, 125]) {
    assert.equal(toHex(read.message.options.get(code) ?? new Uint8Array(0)), "00000de906050102030405");
  }
  const plain = asReply(new World().send(clientMessage({ type: "DISCOVER" }), local()));
  const { message } = asReply(new World().send(bytes, local()));
  assert.deepEqual([...message.options.keys()], [...plain.message.options.keys()]);
  assert.equal(message.yourAddress, plain.message.yourAddress);
  assert.equal(optionHex(message, 125), null);
});
