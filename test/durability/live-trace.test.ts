// The trace checker itself, on traces made by hand: each way of sending an ACK too early is seen, and an honest order
// passes however the threads' lines are interleaved.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTrace, parseTrace, sentAfterSeconds } from "./live-trace.ts";

const SEGMENT = "/data/leases/segment-0000000001.log";
const CLIENT = "020000000007";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

function descriptor(file: string): string {
  return `17<${hex(Buffer.from(file))}>`;
}

/** A binding frame: address 10.20.1.9, ACTIVE, the client, the host name of the request. */
function record(xid: number, client = CLIENT): Buffer {
  const name = Buffer.from(`x${xid}`);
  const fields = [
    1,
    4,
    10,
    20,
    1,
    9,
    2,
    1,
    2,
    12,
    name.length,
    ...name,
    14,
    6,
    ...Buffer.from(client, "hex"),
  ];
  const frame = Buffer.from([0, 0, 0, 0, 0, 0, 0, fields.length + 1, 3, ...fields]);
  // A flush mark before it, as in every group.
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 3, 2, 2, 0]), frame]);
}

function ack(xid: number): Buffer {
  const packet = Buffer.alloc(300);
  packet.set([2, 1, 6, 1]);
  packet.writeUInt32BE(xid, 4);
  packet.set([10, 20, 1, 9], 16);
  packet.set(Buffer.from(CLIENT, "hex"), 28);
  packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, 5, 51, 4, 0, 0, 0, 60, 54, 4, 127, 1, 1, 1, 255], 236);
  return packet;
}

const write = (bytes: Buffer, file = SEGMENT) =>
  `12 write(${descriptor(file)}, "${hex(bytes)}", ${bytes.length}) = ${bytes.length}`;
const sync = (result = "0", file = SEGMENT) => `13 fdatasync(${descriptor(file)}) = ${result}`;
const sendArguments = (bytes: Buffer) =>
  `[{msg_hdr={msg_name={sa_family=AF_INET}, msg_iov=[{iov_base="${hex(bytes)}", iov_len=300}]}, msg_len=300}], 1, MSG_DONTWAIT) = 1`;
const send = (bytes: Buffer) => `11 sendmmsg(${descriptor("socket:[1]")}, ${sendArguments(bytes)}`;

function verdict(...lines: readonly string[]) {
  return checkTrace(parseTrace(lines.join("\n")));
}

test("an ACK after the write and the sync of its record passes", () => {
  const { acks, syncs, problems } = verdict(write(record(1)), sync(), send(ack(1)));
  assert.deepEqual({ acks, syncs, problems }, { acks: 1, syncs: 1, problems: [] });
});

test("one sync covers every record written before it", () => {
  const both = Buffer.concat([record(1), record(2)]);
  assert.deepEqual(verdict(write(both), sync(), send(ack(1)), send(ack(2))).problems, []);
});

test("calls that other threads interrupted are put together again", () => {
  const [bytes, reply] = [record(1), ack(1)];
  const lines = [
    `12 write(${descriptor(SEGMENT)}, "${hex(bytes)}", ${bytes.length} <unfinished ...>`,
    `11 write(4<${hex(Buffer.from("anon_inode:[eventfd]"))}>, "\\x01", 1) = 1`,
    `12 <... write resumed>)             = ${bytes.length}`,
    `13 fdatasync(${descriptor(SEGMENT)} <unfinished ...>`,
    `13 <... fdatasync resumed>)         = 0`,
    `11 sendmmsg(${descriptor("socket:[1]")},  <unfinished ...>`,
    sync(),
    `11 <... sendmmsg resumed>${sendArguments(reply)}`,
  ];
  const { acks, problems } = verdict(...lines);
  assert.deepEqual({ acks, problems }, { acks: 1, problems: [] });
});

test("each way of sending too early is a problem, by name", () => {
  const unfinishedSync = `13 fdatasync(${descriptor(SEGMENT)} <unfinished ...>`;
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [[send(ack(1))], /no record/],
    [[send(ack(1)), write(record(1)), sync()], /before its record was written/],
    [[write(record(1)), send(ack(1))], /never synced/],
    [[write(record(1)), send(ack(1)), sync()], /before the fdatasync of its record had returned/],
    [[sync(), write(record(1)), send(ack(1))], /never synced/],
    [[write(record(1)), sync("0", "/data/leases/segment-0000000002.log"), send(ack(1))], /never synced/],
    [[write(record(1)), sync("-1 EIO (Input/output error)"), send(ack(1))], /never synced/],
    [
      [write(record(1)), unfinishedSync, send(ack(1)), "13 <... fdatasync resumed>) = 0"],
      /before the fdatasync of its record had returned/,
    ],
    [[write(record(1)), unfinishedSync, send(ack(1))], /never synced/],
    [[write(record(1, "020000000008")), sync(), send(ack(1))], /a record of 10\.20\.1\.9 for 020000000008/],
    [[write(record(2)), sync(), send(ack(1))], /no record/],
    [[write(record(1), "/data/elsewhere"), sync(), send(ack(1))], /no record/],
  ];
  for (const [lines, wanted] of table) {
    const { acks, problems } = verdict(...lines);
    assert.equal(acks, 1);
    assert.match(problems[0] ?? "nothing", wanted);
  }
});

test("a sync that began before the write had ended does not cover it", () => {
  const bytes = record(1);
  const { problems } = verdict(
    `12 write(${descriptor(SEGMENT)}, "${hex(bytes)}", ${bytes.length} <unfinished ...>`,
    `13 fdatasync(${descriptor(SEGMENT)} <unfinished ...>`,
    `12 <... write resumed>) = ${bytes.length}`,
    `13 <... fdatasync resumed>) = 0`,
    send(ack(1)),
  );
  assert.match(problems[0] ?? "nothing", /never synced/);
});

test("an ACK after a failed sync is a problem even when its own record was covered", () => {
  const { problems, failedAt } = verdict(
    write(record(1)),
    sync(),
    sync("-1 EIO (Input/output error)"),
    send(ack(1)),
  );
  assert.equal(failedAt, 2);
  assert.match(problems[0] ?? "nothing", /after the log had failed/);
});

test("a call in which the process died is no failure of the disk, and covers nothing", () => {
  const { problems, failedAt } = verdict(write(record(1)), sync("?"), send(ack(1)));
  assert.equal(failedAt, null);
  assert.match(problems[0] ?? "nothing", /never synced/);
});

test("a record that strace cut off is an error, not a trace without ACKs", () => {
  parseTrace(`11 write(${descriptor("/data/leases/reserve")}, "\\x00\\x00"..., 1048576) = 1048576`);
  assert.throws(
    () => parseTrace(`11 write(${descriptor(SEGMENT)}, "\\x01\\x02"..., 300) = 300`),
    /larger -s/,
  );
});

test("how long a member goes on sending after its disk failed is read off the times of the calls", () => {
  const at = (seconds: string, line: string) => line.replace(" ", ` ${seconds} `);
  const contact = `11 write(${descriptor("socket:[2]")}, "\\x01", 1) = 1`;
  const lines = [
    at("1700000000.000000", send(ack(1))),
    at("1700000000.500000", sync("-1 EIO (Input/output error) (INJECTED)")),
    at("1700000000.750000", send(ack(2))),
    at("1700000002.500000", contact),
    at("1700000009.000000", `11 write(${descriptor("pipe:[3]")}, "\\x01", 1) = 1`),
  ];
  const calls = parseTrace(lines.join("\n"));
  const { failedAt } = checkTrace(calls);
  assert.equal(failedAt, 1);
  assert.equal(sentAfterSeconds(calls, failedAt), 2, "the partner's socket counts, the log's pipe does not");
  assert.equal(sentAfterSeconds(calls.slice(0, 2), failedAt), 0);
});
