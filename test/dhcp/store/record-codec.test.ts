// Records as bytes: nothing gets lost, old and new programs read each other as far as the format promises.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import type { BootMs, UnixSeconds } from "../../../src/base/units.ts";
import { BINDING_STATUS_CODE, type Binding, type BindingStatus } from "../../../src/dhcp/lease/binding.ts";
import {
  type DurableRecord,
  ENDPOINT_STATE_CODE,
  type EndpointState,
} from "../../../src/dhcp/lease/durable-record.ts";
import { FRAME_KIND, FrameWriter, frameEnd } from "../../../src/dhcp/store/frame.ts";
import { addressOf, decodeRecord, encodeRecord } from "../../../src/dhcp/store/record-codec.ts";
import { ENDPOINT } from "../../durability/store-workload.ts";

/** Every field differs from its default and from every other. */
const BINDING: Binding = {
  address: 0xffff_fffe as Ipv4,
  status: "BACKUP",
  client: {
    clientIdentifier: new Uint8Array([0, 1, 255]),
    hardwareType: 255,
    hardwareAddress: new Uint8Array([9, 8, 7, 6, 5, 4]),
  },
  expiresAt: 1 as UnixSeconds,
  potentialSent: 256 as UnixSeconds,
  potentialAcked: 65_536 as UnixSeconds,
  potentialReceived: 16_777_216 as UnixSeconds,
  lastTransactionAt: 0xffff_ffff as UnixSeconds,
  statusSince: 77 as UnixSeconds,
  acknowledged: true,
  endAnnounced: true,
  taken: true,
  sinceHold: true,
  ipFlags: 3,
  hostname: "prüfling",
  relayInformation: new Uint8Array([1, 2, 3]),
  otherIdentifier: new Uint8Array([4, 0, 6]),
};

function encoded(record: DurableRecord): Buffer {
  const writer = new FrameWriter();
  encodeRecord(writer, record);
  return writer.take();
}

function decoded(bytes: Buffer): DurableRecord | null {
  assert.equal(frameEnd(bytes, 0, bytes.length), bytes.length);
  return decodeRecord(bytes, 0, bytes.length);
}

function binding(change: Partial<Binding>): DurableRecord {
  return { kind: "binding", binding: { ...BINDING, ...change } };
}

const CLIENT = BINDING.client!;
const RECORDS: readonly [string, DurableRecord][] = [
  ["a binding with every field set", binding({})],
  ["a binding whose flags are false", binding({ acknowledged: false, endAnnounced: false, taken: false })],
  ["a binding without a client", binding({ client: null })],
  ["a client without option 61", binding({ client: { ...CLIENT, clientIdentifier: null } })],
  [
    "a client without a hardware address",
    binding({ client: { ...CLIENT, hardwareType: 0, hardwareAddress: new Uint8Array(0) } }),
  ],
  [
    "empty values, which are not absent ones",
    binding({ hostname: "", relayInformation: new Uint8Array(0), otherIdentifier: new Uint8Array(0) }),
  ],
  [
    "values of 254 and 255 bytes",
    binding({ hostname: "h".repeat(254), relayInformation: new Uint8Array(255) }),
  ],
  ["a value of 65,535 bytes", binding({ relayInformation: new Uint8Array(65_535).fill(7) })],
  ["a forget", { kind: "forget", address: 1 as Ipv4 }],
  ["the endpoint with every field set", { kind: "endpoint", endpoint: ENDPOINT }],
  ["the endpoint of a slower clock", { kind: "endpoint", endpoint: { ...ENDPOINT, partnerOffset: 12 } }],
  [
    "the endpoint with every field at its default",
    {
      kind: "endpoint",
      endpoint: {
        ...ENDPOINT,
        stateSince: 0 as UnixSeconds,
        partnerState: null,
        complete: false,
        entered: 0,
        entry: null,
        hold: null,
        partnerStore: "",
      },
    },
  ],
  ["the clock", { kind: "clock", wall: 0xffff_ffff as UnixSeconds }],
  ["an operation", { kind: "operation", name: "declare-b-down", digest: "ab".repeat(32) }],
];

for (const [name, record] of RECORDS) {
  test(`${name} reads as it was written`, () => {
    assert.deepEqual(decoded(encoded(record)), record);
  });
}

test("every binding status and every endpoint state reads as it was written", () => {
  for (const status of Object.keys(BINDING_STATUS_CODE) as BindingStatus[]) {
    assert.deepEqual(decoded(encoded(binding({ status }))), binding({ status }));
  }
  for (const state of Object.keys(ENDPOINT_STATE_CODE) as EndpointState[]) {
    const record: DurableRecord = { kind: "endpoint", endpoint: { ...ENDPOINT, state, partnerState: state } };
    assert.deepEqual(decoded(encoded(record)), record);
  }
});

test("the bytes of a binding are these, in this format version for ever", () => {
  const hex = encoded(
    binding({ hostname: null, relayInformation: null, otherIdentifier: null, sinceHold: false, ipFlags: 0 }),
  ).toString("hex");
  const fields = [
    "0104fffffffe 020107 030101 04020100 0503010000 060401000000 0704ffffffff 08014d",
    "090101 0a0101 0b0101 0e06090807060504 0f01ff 10030001ff",
  ];
  assert.equal(hex.slice(16), `03${fields.join("").replaceAll(" ", "")}`);
  assert.equal(Number.parseInt(hex.slice(8, 16), 16), hex.length / 2 - 8);
});

test("a part of a millisecond in a stamp counts as a whole one, as waits are counted from it", () => {
  const entry = { wall: 5 as UnixSeconds, boot: 6.25 as BootMs, bootId: "" };
  const read = decoded(encoded({ kind: "endpoint", endpoint: { ...ENDPOINT, entry } }));
  assert.deepEqual(read?.kind === "endpoint" && read.endpoint.entry, { ...entry, boot: 7 });
});

test("fields of a later release are skipped", () => {
  for (const record of [binding({}), { kind: "endpoint", endpoint: ENDPOINT } as const]) {
    const writer = new FrameWriter();
    const bytes = encoded(record);
    writer.begin(FRAME_KIND[record.kind]);
    writer.bytes(200, new Uint8Array(300));
    writer.raw(bytes.subarray(9));
    writer.unsigned(201, 2 ** 40);
    writer.finish();
    assert.deepEqual(decoded(writer.take()), record);
  }
});

/** A sound frame with the given fields. */
function frame(kind: number, fields: readonly [tag: number, value: Uint8Array][]): Buffer {
  const writer = new FrameWriter();
  writer.begin(kind);
  for (const [tag, value] of fields) writer.bytes(tag, value);
  writer.finish();
  return writer.take();
}

const ADDRESS: [number, Uint8Array] = [1, new Uint8Array([10, 0, 0, 1])];
const NOT_UNDERSTOOD: readonly [string, Buffer][] = [
  ["a kind of record that is not known", frame(99, [])],
  ["a binding status that is not known", frame(FRAME_KIND.binding, [ADDRESS, [2, new Uint8Array([8])]])],
  ["a time of more than 32 bits", frame(FRAME_KIND.binding, [ADDRESS, [3, new Uint8Array([1, 0, 0, 0, 0])]])],
  ["a binding without an address", frame(FRAME_KIND.binding, [[2, new Uint8Array([2])]])],
  ["a forget without an address", frame(FRAME_KIND.forget, [])],
  ["an address of more than 32 bits", frame(FRAME_KIND.forget, [[1, new Uint8Array(8).fill(1)]])],
  ["an endpoint without a state", frame(FRAME_KIND.endpoint, [])],
  [
    "a fencing that is not known",
    frame(FRAME_KIND.endpoint, [
      [1, new Uint8Array([2])],
      [28, new Uint8Array([9])],
    ]),
  ],
  ["an endpoint state that is not known", frame(FRAME_KIND.endpoint, [[1, new Uint8Array([200])]])],
  [
    "a number of 8 bytes",
    frame(FRAME_KIND.endpoint, [
      [1, new Uint8Array([2])],
      [10, new Uint8Array(8)],
    ]),
  ],
  [
    "a stamp that is too short",
    frame(FRAME_KIND.endpoint, [
      [1, new Uint8Array([2])],
      [9, new Uint8Array(11)],
    ]),
  ],
  ["a clock of more than 32 bits", frame(FRAME_KIND.clock, [[1, new Uint8Array(5).fill(1)]])],
];

for (const [name, bytes] of NOT_UNDERSTOOD) {
  test(`${name} is not understood, and not guessed at`, () => {
    assert.equal(decoded(bytes), null);
    if (bytes[8] === FRAME_KIND.binding || bytes[8] === FRAME_KIND.forget) {
      assert.equal(addressOf(bytes, 0, bytes.length), -1);
    }
  });
}

test("a field that runs over its frame is not understood", () => {
  for (const kind of ["binding", "forget", "endpoint", "operation"]) {
    const record = RECORDS.find(([, { kind: found }]) => found === kind)![1];
    const payload = encoded(record).subarray(9);
    for (const cut of [1, 2]) {
      const writer = new FrameWriter();
      writer.begin(FRAME_KIND[record.kind]);
      writer.raw(payload.subarray(0, payload.length - cut));
      writer.finish();
      const bytes = writer.take();
      assert.equal(decoded(bytes), null, `${record.kind} cut by ${cut}`);
    }
  }
});

test("a frame is whole only with every byte as it was", () => {
  const bytes = encoded(binding({}));
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = flipped[at]! ^ 0x10;
    assert.equal(frameEnd(flipped, 0, flipped.length), -1, `byte ${at}`);
    assert.equal(frameEnd(bytes, 0, at), -1, `cut at ${at}`);
  }
  assert.equal(frameEnd(Buffer.alloc(64), 0, 64), -1, "zeros are no frame");
});
