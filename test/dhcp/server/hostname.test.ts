import assert from "node:assert/strict";
import { test } from "node:test";
import { clientHostname } from "../../../src/dhcp/server/hostname.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const of = (code: number, text: string) => clientHostname(new Map([[code, bytes(text)]]));

test("host names are reduced to letters, digits, hyphens and dots", () => {
  const cases: readonly [string, string | null][] = [
    ["lab-1", "lab-1"],
    ["LAB1\0", "lab1"],
    ["a b\tc\x1b[31m", "abc31m"],
    ["-lead-", "lead"],
    ["..a..b..", "a.b"],
    ["\0\0", null],
    ["", null],
    ["\xff\xfe", null],
    ["x".repeat(64), null],
    ["x".repeat(63), "x".repeat(63)],
    [Array(6).fill("x".repeat(60)).join("."), "x".repeat(60)],
  ];
  for (const [sent, kept] of cases) {
    const name = of(12, sent);
    if (kept !== null && sent.length > 253) assert.ok((name?.length ?? 0) <= 253);
    else assert.equal(name, kept, JSON.stringify(sent));
  }
});

test("option 81 is read in both formats and goes before option 12", () => {
  assert.equal(of(81, "\x00\x00\x00pc.example"), "pc.example");
  assert.equal(of(81, "\x04\x00\x00\x02pc\x07example\x00"), "pc.example");
  assert.equal(of(81, "\x04\x00\x00\x3fpc"), null);
  assert.equal(of(81, "\x04\x00\x00\xc0\x03"), null);
  assert.equal(of(81, "\x00\x00\x00"), null);
  const both = new Map([
    [12, bytes("short")],
    [81, bytes("\x00\x00\x00long.example")],
  ]);
  assert.equal(clientHostname(both), "long.example");
});
