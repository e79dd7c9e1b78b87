// Messages recorded from a real dhcpd 4.4 pair: every one is read to values and written back byte for byte.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { readFrame } from "../../../src/dhcp/wire-failover/frame.ts";
import { readMessage } from "../../../src/dhcp/wire-failover/read-message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";

const CORPUS = new URL("../../corpus/failover/", import.meta.url);

interface Recorded {
  readonly frame: number;
  readonly type: string;
  readonly hex: string;
}

/** Recordings of deliberately odd messages: they are read, but not all are what we would write. */
const PROBES = /^i(6|7|8|9|10)/;

for (const file of readdirSync(CORPUS).sort()) {
  const rows = readFileSync(new URL(file, CORPUS), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Recorded);
  test(`${file}: ${rows.length} recorded messages are read${PROBES.test(file) ? "" : " and written back the same"}`, () => {
    for (const row of rows) {
      const bytes = fromHex(row.hex)!;
      const read = readFrame(bytes, 0);
      if (PROBES.test(file) && read.kind === "malformed") continue;
      assert.equal(read.kind, "frame", `frame ${row.frame}`);
      if (read.kind !== "frame") continue;
      assert.equal(read.bytesConsumed, bytes.length);
      const message = readMessage(read.frame);
      if (PROBES.test(file)) {
        if (message.kind === "message") assert.equal(message.message.type, row.type, `frame ${row.frame}`);
        continue;
      }
      assert.ok(message.kind === "message", `frame ${row.frame}: ${JSON.stringify(message)}`);
      assert.equal(message.message.type, row.type);
      assert.equal(
        toHex(writeMessage(message.message, read.frame.sentAt, read.frame.xid)),
        row.hex,
        `frame ${row.frame}`,
      );
    }
  });
}
