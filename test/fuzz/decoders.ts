// Every decoder that reads bytes from outside, with sound inputs to damage. Each says what became of the bytes, as a word; none may
// throw, and none may make more of an input than the input holds.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FRAME_HEADER_BYTES, soundEnd } from "../../src/dhcp/store/frame.ts";
import { decodeRecord } from "../../src/dhcp/store/record-codec.ts";
import { readHeader } from "../../src/dhcp/store/segment-header.ts";
import { scanSegment } from "../../src/dhcp/store/segment-scan.ts";
import { readClientIdentifier } from "../../src/dhcp/wire/client-id.ts";
import { decodeMessage } from "../../src/dhcp/wire/message.ts";
import { readRelayInformation } from "../../src/dhcp/wire/relay-agent.ts";
import { readExtras } from "../../src/dhcp/wire-failover/extras.ts";
import { readFrame } from "../../src/dhcp/wire-failover/frame.ts";
import { readMessage } from "../../src/dhcp/wire-failover/read-message.ts";
import { golden } from "../dhcp/wire/golden-packets.ts";

const CORPUS = join(import.meta.dirname, "..", "corpus");

export interface Decoder {
  readonly name: string;
  /** Parts of all inputs that go to this one. */
  readonly share: number;
  readonly samples: readonly Buffer[];
  /** Words that must come up when sound inputs are damaged, or the damage is no test. */
  readonly outcomes: readonly string[];
  readonly decode: (bytes: Buffer) => string;
}

function bytesIn(values: Iterable<Uint8Array>): number {
  let total = 0;
  for (const value of values) total += value.length;
  return total;
}

function demand(holds: boolean, claim: string): void {
  if (!holds) throw new Error(claim);
}

function decodeDhcp(bytes: Buffer): string {
  const read = decodeMessage(bytes);
  if (read.kind === "malformed") return `malformed-${read.field}`;
  const { options } = read.message;
  demand(bytesIn(options.values()) <= bytes.length, "more option bytes than the message has");
  const relay = options.get(82);
  if (relay !== undefined) decodeRelay(relay);
  const identifier = options.get(61);
  if (identifier !== undefined) readClientIdentifier(identifier);
  return "message";
}

function decodeRelay(bytes: Uint8Array): string {
  const read = readRelayInformation(bytes);
  if (read.kind === "malformed") return read.kind;
  demand(
    bytesIn(read.information.subOptions.values()) <= bytes.length,
    "more sub-option bytes than the option has",
  );
  return read.kind;
}

function decodeFailover(bytes: Buffer): string {
  const read = readFrame(bytes, 0);
  if (read.kind !== "frame") return read.kind;
  demand(read.bytesConsumed <= bytes.length && read.bytesConsumed > 0, "a frame beyond the bytes received");
  const message = readMessage(read.frame);
  if (message.kind === "message" && "extras" in message.message) readExtras(message.message.extras);
  return message.kind;
}

/** Without a look at the checksum, which damage would never get past. */
function decodeStoreRecord(bytes: Buffer): string {
  const end = soundEnd(bytes, 0, bytes.length);
  if (end < 0) return "unsound";
  demand(end > FRAME_HEADER_BYTES && end <= bytes.length, "a frame beyond its segment");
  return decodeRecord(bytes, 0, end) === null ? "unknown" : "record";
}

function decodeSegment(bytes: Buffer): string {
  const read = readHeader(bytes);
  if (read.kind !== "header") return read.kind;
  const { store, firstOrdinal } = read.header;
  let records = 0;
  const scan = scanSegment({
    bytes,
    from: read.end,
    limit: bytes.length,
    store,
    firstOrdinal,
    position: 0,
    isProven: false,
    onRecord: (at, end) => {
      records += 1;
      decodeRecord(bytes, at, end);
      return true;
    },
  });
  demand(records <= bytes.length, "more records than bytes");
  return scan.kind;
}

const RECORDED = readdirSync(join(CORPUS, "failover"))
  .filter((file) => file.endsWith(".jsonl"))
  .sort()
  .flatMap((file) =>
    readFileSync(join(CORPUS, "failover", file), "utf8")
      .trim()
      .split("\n"),
  )
  .map((line) => Buffer.from((JSON.parse(line) as { hex: string }).hex, "hex"));

const SEGMENTS = readdirSync(join(CORPUS, "n-1", "store"))
  .sort()
  .map((file) => readFileSync(join(CORPUS, "n-1", "store", file)));

/** The frames of the segments, each for itself. */
const FRAMES = SEGMENTS.flatMap((segment) => {
  const header = readHeader(segment);
  const frames: Buffer[] = [];
  for (let at = header.kind === "header" ? header.end : segment.length; at < segment.length; ) {
    const end = soundEnd(segment, at, segment.length);
    if (end < 0) break;
    frames.push(segment.subarray(at, end));
    at = end;
  }
  return frames;
});

const PACKETS = golden.map(({ bytes }) => Buffer.from(bytes));
const RELAYS = [
  "0106706f72742d370206737769746368",
  "010400010203020600aabbccddee0604757365720a0180",
  "05040a0000000b040a000001130012abcd970301aabb9800",
].map((hex) => Buffer.from(hex, "hex"));

export const DECODERS: readonly Decoder[] = [
  {
    name: "dhcp",
    share: 60,
    samples: PACKETS,
    outcomes: ["message", "malformed-options", "malformed-length", "malformed-cookie", "malformed-hlen"],
    decode: decodeDhcp,
  },
  {
    name: "relay",
    share: 8,
    samples: RELAYS,
    outcomes: ["relay-information", "malformed"],
    decode: decodeRelay,
  },
  {
    name: "failover",
    share: 20,
    samples: RECORDED,
    outcomes: ["message", "malformed", "incomplete", "unknown-type"],
    decode: decodeFailover,
  },
  {
    name: "record",
    share: 11,
    samples: FRAMES,
    outcomes: ["record", "unsound", "unknown"],
    decode: decodeStoreRecord,
  },
  { name: "segment", share: 1, samples: SEGMENTS, outcomes: ["tail", "unreadable"], decode: decodeSegment },
];
