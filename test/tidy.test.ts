// Enforces the house's plan: import directions, purity, sizes, headers. Every rule also meets a planted sample that
// breaks it, so that no rule can go blind unnoticed.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the samples are code

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type Complaint,
  fileLength,
  functionLength,
  headerComment,
  importDirections,
  noDefaultExports,
  noImportCycles,
  noReExports,
  pureCode,
  type Rule,
  sourceLine,
} from "../dev/lib/tidy/rules.ts";
import { makeSourceFile } from "../dev/lib/tidy/source-file.ts";
import { machineTraces, readTrackedFiles } from "../dev/lib/tidy/tracked-text.ts";

const tracked = readTrackedFiles(fileURLToPath(new URL("../", import.meta.url)));
const sources = tracked
  .filter(({ path }) => /^(src|dev|bench|test)\/.*\.ts$/.test(path))
  .map(({ path, text }) => makeSourceFile(path, text));

function show(complaints: readonly Complaint[]): string {
  return complaints.map(({ path, line, message }) => `${path}:${line}: ${message}`).join("\n");
}

type Sample = readonly [path: string, text: string];

const HEADER = "// Says what it does.\n";
const LINES = (count: number) => "  a();\n".repeat(count);

/** For each rule: samples it must complain about once each, and samples it must let pass. */
const RULES: readonly {
  name: string;
  rule: Rule;
  bad: readonly (readonly Sample[])[];
  good: readonly Sample[];
}[] = [
  {
    name: "imports go in the directions of the table only",
    rule: importDirections,
    bad: [
      [["src/base/a.ts", `import { b } from "../api/b.ts";`]],
      [["src/dhcp/server/a.ts", `import { b } from "../failover/b.ts";`]],
      [["src/dhcp/lease/a.ts", `import { b } from "../../api/compiled.ts";`]],
      [["src/dhcp/lease/a.ts", `import type { B } from "../../api/compile.ts";`]],
      [["src/dhcp/store/a.ts", `import type { B } from "../engine/engine.ts";`]],
      [["src/controller/a.ts", `import {\n  type B,\n  c,\n} from "../dhcp/ports.ts";`]],
      [["src/dhcp/host/a.ts", `export { b } from "../../controller/b.ts";`]],
      [["src/cli/a.ts", `const b = await import("../../dev/b.ts");`]],
      [["src/kube/a.ts", `import "../api/b.ts";`]],
      [["elsewhere/a.ts", ""]],
    ],
    good: [
      ["src/dhcp/lease/a.ts", `import type { B } from "../../api/compiled.ts";`],
      ["src/dhcp/lease/c.ts", `import { type B, type C } from "../../api/compiled.ts";`],
      ["src/api/a.ts", `import { b } from "../base/b.ts";\nimport { z } from "zod";`],
      ["src/base/b.ts", `// import { b } from "../api/b.ts";\nconst text = 'import("../api/b.ts")';`],
    ],
  },
  {
    name: "no import cycles",
    rule: noImportCycles,
    bad: [
      [
        ["src/base/a.ts", `import { b } from "./b.ts";`],
        ["src/base/b.ts", `import type { C } from "./c.ts";`],
        ["src/base/c.ts", `import { a } from "./a.ts";`],
      ],
      [["src/base/a.ts", `import { a } from "./a.ts";`]],
    ],
    good: [
      ["src/base/a.ts", `import { b } from "./b.ts";\nimport { c } from "./c.ts";`],
      ["src/base/b.ts", `import { c } from "./c.ts";`],
      ["src/base/c.ts", ""],
    ],
  },
  {
    name: "pure code touches no clock, chance, disk, network, process or promise",
    rule: pureCode,
    bad: [
      `import { readFileSync } from "node:fs";`,
      `import { open } from "node:fs/promises";`,
      `import { createSocket } from "node:dgram";`,
      `import { createConnection } from "node:net";`,
      "const now = Date.now();",
      "const now = new Date();",
      "const r = Math.random();",
      "const home = process.env;",
      "setTimeout(f, 1);",
      "console.log(1);",
      "await f();",
      "const text = `${await f()}`;",
      "const now = performance.now();",
    ].map((text) => [["src/dhcp/engine/a.ts", text]]),
    good: [
      ["src/dhcp/host/a.ts", `import { readFileSync } from "node:fs";\nawait f(Date.now());`],
      [
        "src/dhcp/engine/a.ts",
        "// await Date.now()\nconst a = 'await'; const b = /await/; const c = `process.exit`; /* console.log */",
      ],
      ["src/dhcp/engine/b.ts", "const at = new Date(5); const inProcess = processing.x; a.then(b);"],
      ["src/dhcp/engine/c.ts", "const a = 4 / 2; const b = `x${`y${1}`}z`; const awaited = 1;"],
    ],
  },
  {
    name: "no re-exports, so no barrel files",
    rule: noReExports,
    bad: [`export * from "./b.ts";`, `export { b } from "./b.ts";`, `export type { B } from "./b.ts";`].map(
      (text) => [["src/base/a.ts", text]],
    ),
    good: [["src/base/a.ts", `import { b } from "./b.ts";\nexport const c = b;\nexport function from() {}`]],
  },
  {
    name: "no default exports",
    rule: noDefaultExports,
    bad: [[["src/base/a.ts", "export default function a() {}"]]],
    good: [["src/base/a.ts", "// export default\nexport const a = 1;"]],
  },
  {
    name: "a file has at most 500 lines",
    rule: fileLength,
    bad: [[["src/base/a.ts", LINES(501)]], [["test/a.test.ts", LINES(1501)]]],
    good: [
      ["src/base/a.ts", LINES(500)],
      ["src/dhcp/wire/option-table.ts", LINES(600)],
    ],
  },
  {
    name: "a function has at most 70 lines",
    rule: functionLength,
    bad: [
      `export async function a(): Promise<void> {\n${LINES(69)}}\n`,
      `function a(\n  b: number,\n): void {\n${LINES(69)}}\n`,
      `function a({\n  b,\n}: {\n  b: number;\n}): { c: number } {\n${LINES(69)}}\n`,
      `const a = (b: number) => {\n${LINES(69)}};\n`,
      `class A {\n  #b(c: number): void {\n${LINES(69)}  }\n}\n`,
      `class A {\n  constructor(\n    c: number,\n  ) {\n${LINES(69)}  }\n}\n`,
    ].map((text) => [["src/base/a.ts", text]]),
    good: [
      ["src/base/a.ts", `function a() {\n${LINES(68)}}\nfunction b() {\n${LINES(68)}}\n`],
      ["src/base/b.ts", `interface A {\n${"  a(b: number): void;\n".repeat(80)}}\n`],
      [
        "src/base/c.ts",
        `const A = [\n${"  f(1),\n".repeat(80)}];\nclass B {\n${"  c(d: number) {}\n".repeat(80)}}\n`,
      ],
    ],
  },
  {
    name: "every file starts with what it decides",
    rule: headerComment,
    bad: [[["src/base/a.ts", "export const a = 1;\n"]], [["dev/a.ts", "\n// Late.\n"]]],
    good: [["src/base/a.ts", HEADER]],
  },
  {
    name: "protocol files name their source",
    rule: sourceLine,
    bad: [[["src/dhcp/server/a.ts", HEADER]], [["src/dhcp/wire-failover/a.ts", HEADER]]],
    good: [
      ["src/dhcp/server/a.ts", `${HEADER}// Source: RFC 2131 4.3.2.\n`],
      ["src/dhcp/store/a.ts", HEADER],
    ],
  },
];

for (const { name, rule, bad, good } of RULES) {
  test(`${name}`, () => {
    const complaints = rule(sources);
    assert.equal(complaints.length, 0, `\n${show(complaints)}`);
  });

  test(`the check itself works: ${name}`, () => {
    for (const sample of bad) {
      const complaints = rule(sample.map(([path, text]) => makeSourceFile(path, text)));
      assert.equal(complaints.length, 1, `${JSON.stringify(sample).slice(0, 200)}\n${show(complaints)}`);
    }
    const complaints = rule(good.map(([path, text]) => makeSourceFile(path, text)));
    assert.equal(complaints.length, 0, show(complaints));
  });
}

test("no tracked file names a path of one machine or a package registry", () => {
  assert.equal(show(machineTraces(tracked)), "");
});

test("the check itself works: no tracked file names a path of one machine or a package registry", () => {
  const text = (line: string) => machineTraces([{ path: "a.md", text: `first\n${line}\n` }]);
  for (const parts of [
    ["/wo", "rk/x"],
    ["see /ho", "me/me/x"],
    ["'/ro", "ot/.ssh'"],
    ["registry.npm", "js.org"],
  ]) {
    assert.deepEqual(
      text(parts.join("")).map(({ line }) => line),
      [2],
      parts.join(""),
    );
  }
  for (const line of ["a/work/b", "/homework/x", "rooted/x", "https://example.org/root/x"])
    assert.deepEqual(text(line), [], line);
});
