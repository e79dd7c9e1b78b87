// Lines from chunks: where the chunks are cut must never matter.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLineSplitter } from "../../src/kube/json-lines.ts";

describe("line splitter", () => {
  it("gives the same lines wherever the bytes are cut, also inside a multi-byte character", () => {
    const text = '{"note":"Grüße, 東京 🛰"}\n\n{"b":2}\r\n{"c":3}\n{"unfinished":';
    const bytes = Buffer.from(text, "utf8");
    const expected = ['{"note":"Grüße, 東京 🛰"}', '{"b":2}', '{"c":3}'];
    for (let size = 1; size <= bytes.length; size += 1) {
      const splitter = createLineSplitter(1000);
      const lines: string[] = [];
      for (let from = 0; from < bytes.length; from += size)
        lines.push(...splitter.push(bytes.subarray(from, from + size)));
      assert.deepEqual(
        lines.map((line) => line.trim()),
        expected,
        `chunks of ${size}`,
      );
    }
  });

  it("keeps what it holds when the caller reuses its buffer", () => {
    const splitter = createLineSplitter(1000);
    const buffer = Buffer.from('{"a":');
    splitter.push(buffer);
    buffer.fill("x");
    assert.deepEqual(splitter.push(Buffer.from("1}\n")), ['{"a":1}']);
  });

  it("refuses a line without end before it fills the memory", () => {
    const splitter = createLineSplitter(10);
    splitter.push(Buffer.from("12345"));
    assert.throws(() => splitter.push(Buffer.from("678901")), RangeError);
  });
});
