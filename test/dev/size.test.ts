// The embedded API and the node agent stay what they are for: just enough for the demo and the tests, and no more.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

/** 1,000 for what a pair needs, and 50 for the Secrets that its pods mount since the link is secured by TLS. */
const LINES_MAX = 1_050;
const DIRECTORIES = ["embedded-api", "node-agent"];

/** Lines that are neither blank nor comment alone. */
function codeLines(text: string): number {
  const withoutBlocks = text.replace(/^\s*\/\*[\s\S]*?\*\//gm, "");
  return withoutBlocks.split("\n").filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
}

test("blank lines and comments are not counted, code is", () => {
  const text = "// a\n\n/** b\n *  c */\nconst d = 1; // e\n  /* f */\n  g(/* h */);\n";
  assert.equal(codeLines(text), 2);
});

test(`the embedded API and the node agent have under ${LINES_MAX} lines together`, () => {
  const files = DIRECTORIES.flatMap((name) => {
    const directory = new URL(`../../dev/${name}/`, import.meta.url);
    return readdirSync(directory).map((file) => new URL(file, directory));
  });
  assert.ok(files.length > DIRECTORIES.length);
  const lines = files.reduce((sum, file) => sum + codeLines(readFileSync(file, "utf8")), 0);
  assert.ok(lines < LINES_MAX, `they have ${lines}; delete what nobody uses before adding`);
});
