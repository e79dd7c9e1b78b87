// `npm run help` must know every script.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { helpLines } from "../../dev/help.ts";

const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

test("every script has its line, and every line a script", () => {
  assert.equal(helpLines(scripts).length, Object.keys(scripts).length);
  assert.throws(() => helpLines({ ...scripts, extra: "x" }), /no description for \[extra\]/);
  const { demo: _, ...fewer } = scripts;
  assert.throws(() => helpLines(fewer), /no script for \[demo\]/);
});

test("every script starts through dev/run.mjs, which sets the checkout up", () => {
  for (const command of Object.values(scripts)) assert.match(String(command), /^node dev\/run\.mjs \S+\.ts/);
});
