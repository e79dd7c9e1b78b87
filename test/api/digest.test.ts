import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalJson, digestOf } from "../../src/api/digest.ts";

test("the order of keys does not count, the order of entries does", () => {
  assert.equal(digestOf({ a: 1, b: { c: 2, d: 3 } }), digestOf({ b: { d: 3, c: 2 }, a: 1 }));
  assert.notEqual(digestOf([1, 2]), digestOf([2, 1]));
});

test("canonical JSON is JSON without blanks, and leaves out what is undefined", () => {
  const value = { b: [1, "ü", null, true], a: undefined, "": { z: {}, y: [] } };
  assert.equal(canonicalJson(value), '{"":{"y":[],"z":{}},"b":[1,"ü",null,true]}');
  assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
});

test("the digest is SHA-256 of that text in lower-case hex", () => {
  // printf '{}' | sha256sum
  assert.equal(digestOf({}), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
});
