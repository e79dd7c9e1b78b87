import assert from "node:assert/strict";
import { test } from "node:test";
import { Memo } from "../../src/base/memo.ts";

test("what is made of the same is made once; of another key, or with anything else beside it, anew", () => {
  const memo = new Memo<object, number>();
  let made = 0;
  const ask = (key: object, ...of: readonly unknown[]) => memo.get(key, of, () => ++made);
  const [key, part] = [{}, {}];
  assert.equal(ask(key, "text", part), 1);
  assert.equal(ask(key, "text", part), 1);
  assert.equal(ask({}, "text", part), 2, "an equal key is another one");
  assert.equal(ask(key, "text", part), 1);
  assert.equal(ask(key, "text", {}), 3, "as is an equal part");
  assert.equal(ask(key, "text"), 4);
  assert.equal(ask(key, "text", undefined), 5);
});
