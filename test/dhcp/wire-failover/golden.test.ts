// Messages recorded from a real dhcpd 4.4 pair, and from probes of one: every one is decoded to values, printed as JSON,
// read back and written again byte for byte. For the deliberately odd ones verdicts.json says what becomes of them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { readFrame } from "../../../src/dhcp/wire-failover/frame.ts";
import { readMessage } from "../../../src/dhcp/wire-failover/read-message.ts";
import { writeMessage } from "../../../src/dhcp/wire-failover/write-message.ts";
import { fromJson, toJson } from "./message-json.ts";

const CORPUS = new URL("../../corpus/failover/", import.meta.url);

interface Recorded {
  readonly frame: number;
  readonly type: string;
  readonly hex: string;
}

interface Verdict {
  /** "read", or why not. */
  readonly verdict: string;
  /** What is written differently, in words. */
  readonly written?: string;
}

/** By file, then by line. */
const VERDICTS = JSON.parse(readFileSync(new URL("verdicts.json", CORPUS), "utf8")) as Readonly<
  Record<string, Readonly<Record<string, Verdict>>>
>;

const files = readdirSync(CORPUS)
  .filter((file) => file.endsWith(".jsonl"))
  .sort();

test("the recordings are all there", () => {
  const scenarios = new Set(files.map((file) => (file.startsWith("i") ? "i" : file)));
  assert.equal(scenarios.size, 22);
});

for (const file of files) {
  const rows = readFileSync(new URL(file, CORPUS), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Recorded);
  test(`${file}: ${rows.length} recorded messages become values, JSON, values and the same bytes`, () => {
    const verdicts = VERDICTS[file] ?? {};
    for (const [i, row] of rows.entries()) {
      const expected = verdicts[String(i + 1)];
      const { verdict, hex } = throughJson(row);
      assert.equal(verdict, expected?.verdict ?? "read", `line ${i + 1}, frame ${row.frame}`);
      if (verdict !== "read") continue;
      const isSame = hex === row.hex;
      assert.equal(isSame, expected?.written === undefined, `line ${i + 1}: ${row.hex} became ${hex}`);
    }
    const beyond = Object.keys(verdicts).filter((line) => Number(line) > rows.length);
    assert.deepEqual(beyond, [], "verdicts of lines that are not there");
  });
}

function throughJson(row: Recorded): { readonly verdict: string; readonly hex: string } {
  const bytes = fromHex(row.hex)!;
  const read = readFrame(bytes, 0);
  if (read.kind === "incomplete") return { verdict: "incomplete", hex: "" };
  if (read.kind === "malformed") return { verdict: `malformed frame: ${read.field}`, hex: "" };
  assert.equal(read.bytesConsumed, bytes.length);
  const decoded = readMessage(read.frame);
  if (decoded.kind === "unknown-type") return { verdict: `unknown type ${decoded.type}`, hex: "" };
  if (decoded.kind === "malformed") return { verdict: `malformed message: ${decoded.field}`, hex: "" };
  const { sentAt, xid } = read.frame;
  const { message } = decoded;
  assert.equal(message.type, row.type);
  const again = fromJson(toJson({ sentAt, xid, message }));
  assert.deepEqual(again, { sentAt, xid, message });
  return { verdict: "read", hex: toHex(writeMessage(again.message, again.sentAt, again.xid)) };
}
