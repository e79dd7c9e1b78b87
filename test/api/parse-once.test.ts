// An object out of a cache is parsed once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Parsed } from "../../src/api/parse.ts";
import { parseOnce } from "../../src/api/parse-once.ts";

test("an object is parsed once, an equal one that came later is parsed for itself", () => {
  const asked: object[] = [];
  const parse = (value: unknown): Parsed<number> => {
    asked.push(value as object);
    return { kind: "ok", object: asked.length };
  };
  const [first, later] = [{ name: "x" }, { name: "x" }];
  assert.deepEqual(parseOnce(first, parse), { kind: "ok", object: 1 });
  assert.deepEqual(parseOnce(first, parse), { kind: "ok", object: 1 });
  assert.deepEqual(parseOnce(later, parse), { kind: "ok", object: 2 });
  assert.deepEqual(asked, [first, later]);
});
