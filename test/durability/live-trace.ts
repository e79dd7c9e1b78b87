// Judges an engine's system calls as strace wrote them down: no ACK may be sent before the fdatasync that covers its
// record has returned. A record is covered by a sync of the same file that began after the write had ended.
// Pure: text in, verdict out. Reads DHCP and the store's bytes by their own documents (RFC 2131, store-format.md).
// Clients send the host name `x<xid>`, which ties each ACK to the one record that was written for it.

import { ACK } from "../simulation/client-packet.ts";
import { readLiveReply } from "./live-packet.ts";

/** The command in front of a program whose calls are to be read by parseTrace from `file`; `more` are further options. */
export function straceInto(file: string, calls: string, more: readonly string[]): readonly string[] {
  return ["strace", "-f", "-y", "-xx", "-s", "65536", "-o", file, "-e", `trace=${calls}`, ...more];
}

/** One system call. `begin` and `end` are line numbers: what ended on an earlier line than another began on was over. */
export interface TracedCall {
  /** When `begin` and `end` were, in seconds of one clock; NaN when strace was not told to say so (-ttt). */
  readonly seconds: { readonly begin: number; readonly end: number };
  readonly name: string;
  /** What the first argument, a descriptor, stands for. */
  readonly file: string;
  readonly strings: readonly Buffer[];
  readonly begin: number;
  /** Infinity when it never returned. */
  readonly end: number;
  /** Negative when it failed or never returned. */
  readonly result: number;
}

export interface TraceVerdict {
  /** ACKs of leases that were sent. */
  readonly acks: number;
  /** How often the log was synced. */
  readonly syncs: number;
  /** The first write or sync of the log that failed, as a line number; null when none did. */
  readonly failedAt: number | null;
  readonly problems: readonly string[];
}

interface Unfinished {
  readonly begin: number;
  readonly seconds: number;
  readonly text: string;
}

const BEGIN = /^(\d+) +(?:(\d+\.\d+) )?(\w+)\((.*)$/;
const RESUMED = /^(\d+) +(?:(\d+\.\d+) )?<\.\.\. (\w+) resumed>(.*)$/;
const UNFINISHED = / *<unfinished \.\.\.>$/;
const SEGMENT = /\/segment-\d+\.log$/;

/** The calls of a trace in the order of their beginnings. Throws when strace cut off a packet or a record. */
export function parseTrace(text: string): readonly TracedCall[] {
  const calls: TracedCall[] = [];
  const open = new Map<string, Unfinished>();
  for (const [index, line] of text.split("\n").entries()) {
    const begin = BEGIN.exec(line);
    if (begin !== null) {
      const [, thread = "", time, name = "", rest = ""] = begin;
      const seconds = Number(time);
      if (UNFINISHED.test(rest))
        open.set(`${thread} ${name}`, { begin: index, seconds, text: rest.replace(UNFINISHED, "") });
      else
        calls.push(
          toCall(name, rest, { begin: index, end: index, seconds: { begin: seconds, end: seconds } }),
        );
      continue;
    }
    const resumed = RESUMED.exec(line);
    if (resumed === null) continue;
    const [, thread = "", time, name = "", rest = ""] = resumed;
    const started = open.get(`${thread} ${name}`);
    if (started === undefined) continue;
    open.delete(`${thread} ${name}`);
    const seconds = { begin: started.seconds, end: Number(time) };
    calls.push(toCall(name, started.text + rest, { begin: started.begin, end: index, seconds }));
  }
  for (const [key, { begin, seconds, text: rest }] of open) {
    const never = Number.POSITIVE_INFINITY;
    const span = { begin, end: never, seconds: { begin: seconds, end: never } };
    calls.push(toCall(key.slice(key.indexOf(" ") + 1), rest, span));
  }
  return calls.sort((a, b) => a.begin - b.begin);
}

function toCall(name: string, text: string, span: Pick<TracedCall, "begin" | "end" | "seconds">): TracedCall {
  const descriptor = /^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(text);
  const file = Buffer.from((descriptor?.[1] ?? "").replaceAll("\\x", ""), "hex").toString("utf8");
  const matters = name.startsWith("send") || SEGMENT.test(file);
  const strings = [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g)].map(([, hex = "", cut]) => {
    if (matters && cut !== undefined)
      throw new Error(`line ${span.begin + 1}: strace cut a string off; give it a larger -s`);
    return Buffer.from(hex.replaceAll("\\x", ""), "hex");
  });
  const result = /\) += +(-?\d+)[^"]*$/.exec(text);
  // "= ?": the process died in the call.
  if (result === null) return { name, file, strings, ...span, end: Number.POSITIVE_INFINITY, result: -1 };
  return { name, file, strings, ...span, result: Number(result[1]) };
}

/** For how many seconds after the line of a failure, at most, anything was still sent: to clients or to the partner. */
export function sentAfterSeconds(calls: readonly TracedCall[], failedAt: number): number {
  const failure = calls.find((call) => call.end === failedAt);
  const isSend = ({ name, file }: TracedCall) => name.startsWith("send") || /^(socket|TCP):/.test(file);
  const later = calls.filter((call) => call.begin > failedAt && isSend(call));
  return Math.max(0, ...later.map((call) => call.seconds.begin - (failure?.seconds.end ?? Number.NaN)));
}

interface Written {
  readonly write: TracedCall;
  readonly client: string;
  readonly address: string;
}

/** Whether every ACK of a lease in the trace was covered when it was sent, and nothing was sent after a failure. */
export function checkTrace(calls: readonly TracedCall[]): TraceVerdict {
  const log = calls.filter(({ file }) => SEGMENT.test(file));
  const writes = log.filter(({ name }) => name === "write");
  const syncs = log.filter(({ name }) => name === "fdatasync" || name === "fsync");
  const failed = [...writes, ...syncs].filter(
    (call) => call.result < 0 && call.end !== Number.POSITIVE_INFINITY,
  );
  const failedAt = failed.length === 0 ? null : Math.min(...failed.map((call) => call.end));
  const written = recordsOf(writes);
  const problems: string[] = [];
  let acks = 0;
  for (const send of calls.filter(({ name }) => name.startsWith("send"))) {
    for (const bytes of send.strings) {
      const reply = readLiveReply(bytes);
      if (typeof reply === "string" || reply.type !== ACK || reply.leaseSeconds === 0) continue;
      acks += 1;
      const what = `line ${send.begin + 1}: ACK of ${reply.address} to ${reply.client} (xid ${reply.xid})`;
      const problem = uncovered(written.get(`x${reply.xid}`), send, syncs, reply);
      if (problem !== null) problems.push(`${what} ${problem}`);
      if (failedAt !== null && send.begin > failedAt)
        problems.push(`${what} was sent after the log had failed`);
    }
  }
  return { acks, syncs: syncs.length, failedAt, problems };
}

/** Why the record does not cover the send; null when it does. */
function uncovered(
  record: Written | undefined,
  send: TracedCall,
  syncs: readonly TracedCall[],
  reply: { readonly client: string; readonly address: string },
): string | null {
  if (record === undefined) return "has no record in the log";
  const { write, client, address } = record;
  if (client !== reply.client || address !== reply.address) return `has a record of ${address} for ${client}`;
  if (write.end >= send.begin) return "was sent before its record was written";
  const covering = syncs.filter((sync) => sync.file === write.file && sync.begin > write.end);
  const first = covering.find((sync) => sync.result === 0);
  if (first === undefined) return "has a record that was never synced";
  return first.end < send.begin ? null : "was sent before the fdatasync of its record had returned";
}

/** The records of leases that were written, by the host name in them. */
function recordsOf(writes: readonly TracedCall[]): ReadonlyMap<string, Written> {
  const records = new Map<string, Written>();
  for (const write of writes) {
    // The later record of the same request says more (what was told to the partner), the first one is the lease.
    for (const { hostname, client, address } of readBindings(write.strings[0] ?? Buffer.alloc(0)))
      if (!records.has(hostname)) records.set(hostname, { write, client, address });
  }
  return records;
}

interface StoredLease {
  readonly hostname: string;
  readonly client: string;
  readonly address: string;
}

const FRAME_HEADER_BYTES = 8;
const KIND_BINDING = 3;
const STATUS_ACTIVE = 2;
const TAG = { address: 1, status: 2, hostname: 12, hardwareAddress: 14 } as const;

/** The leases among the frames of one write. Source: docs/reference/store-format.md, frames and kind 3. */
function readBindings(bytes: Buffer): readonly StoredLease[] {
  const leases: StoredLease[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES < bytes.length; ) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) break;
    if (bytes[at + FRAME_HEADER_BYTES] === KIND_BINDING) {
      const fields = readFields(bytes.subarray(at + FRAME_HEADER_BYTES + 1, end));
      if (fields.get(TAG.status)?.[0] === STATUS_ACTIVE) {
        leases.push({
          hostname: fields.get(TAG.hostname)?.toString("utf8") ?? "",
          client: fields.get(TAG.hardwareAddress)?.toString("hex") ?? "",
          address: [...(fields.get(TAG.address) ?? [])].join("."),
        });
      }
    }
    at = end;
  }
  return leases;
}

function readFields(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const fields = new Map<number, Buffer>();
  for (let at = 0; at + 2 <= bytes.length; ) {
    const tag = bytes[at]!;
    const isLong = bytes[at + 1] === 255;
    const start = at + (isLong ? 4 : 2);
    const size = isLong ? bytes.readUInt16BE(at + 2) : bytes[at + 1]!;
    fields.set(tag, bytes.subarray(start, start + size));
    at = start + size;
  }
  return fields;
}
