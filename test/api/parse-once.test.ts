// A spec out of a cache is parsed once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Parsed } from "../../src/api/parse.ts";
import { parseOnce } from "../../src/api/parse-once.ts";

test("a spec is parsed once, whatever becomes of the status; an equal one that came later is parsed for itself", () => {
  const asked: unknown[] = [];
  const parse = (value: unknown): Parsed<number> => {
    asked.push(value);
    return { kind: "ok", object: asked.length };
  };
  const [first, later] = [{ spec: { name: "x" } }, { spec: { name: "x" } }];
  assert.deepEqual(parseOnce(first, parse), { kind: "ok", object: 1 });
  assert.deepEqual(parseOnce({ ...first, status: {} }, parse), { kind: "ok", object: 1 });
  assert.deepEqual(parseOnce(later, parse), { kind: "ok", object: 2 });
  assert.deepEqual(asked, [first, later]);
  const namesake = { ...first, metadata: { name: "y" } };
  assert.deepEqual(parseOnce(namesake, parse), { kind: "ok", object: 3 }, "another object with that spec");
});

test("objects without a spec are parsed each for itself", () => {
  const parse = (): Parsed<string> => ({ kind: "invalid", errors: [] });
  const object = { spec: null };
  assert.equal(parseOnce(object, parse), parseOnce(object, parse));
  assert.notEqual(parseOnce(object, parse), parseOnce({ spec: null }, parse));
});
