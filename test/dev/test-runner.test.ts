// The test runner must not call anything a success that is none.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dev/test/main.ts", import.meta.url));
const folders: string[] = [];

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** For files that end by themselves, however busy the machine is; and for those that never do. */
const LIMIT_SECONDS = 50;
const HANG_SECONDS = 2;

/** Runs the runner over a tree made of `files`; in its fast mode it leaves the machine alone. */
function runTests(
  files: Readonly<Record<string, string>>,
  env: Record<string, string> = {},
  args: readonly string[] = ["--fast"],
  limitSeconds = LIMIT_SECONDS,
) {
  const root = mkdtempSync(join(tmpdir(), "leasepair-runner-"));
  folders.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, "test", path)), { recursive: true });
    writeFileSync(join(root, "test", path), `import { test, describe, before } from "node:test";\n${text}`);
  }
  // The runner in the runner would believe itself to be a test file.
  const { NODE_TEST_CONTEXT: _, LEASEPAIR_FORBID_SKIPS: __, LEASEPAIR_FIGURES: ___, ...rest } = process.env;
  const options = { encoding: "utf8", env: { ...rest, ...env }, timeout: 120_000 } as const;
  const words = [MAIN, "--root", root, "--limit", String(limitSeconds), ...args];
  const ended = spawnSync(process.execPath, words, options);
  return {
    root,
    status: ended.status,
    output: ended.stdout,
    lastLine: ended.stdout.trimEnd().split("\n").at(-1),
  };
}

const PASSING = `test("passes", () => {});`;

test("passing tests end with status 0 and the counts as the last line", () => {
  const { status, lastLine } = runTests({
    "a.test.ts": PASSING,
    "deep/b.test.ts": `describe("s", () => { ${PASSING} });`,
  });
  assert.deepEqual([status, lastLine], [0, "2 passed, 0 failed, 0 skipped"]);
});

const FAILING: [what: string, text: string, shown: RegExp, limitSeconds?: number][] = [
  ["a failing test", `test("adds up", () => { throw new Error("seen 3"); });`, /adds up[\s\S]*seen 3/],
  [
    "a failing hook",
    `describe("s", () => { before(() => { throw new Error("hook broke"); }); ${PASSING} });`,
    /hook broke/,
  ],
  ["a file that throws at import", `throw new Error("at import");`, /at import/],
  ["a file that ends badly", `${PASSING} process.exit(3);`, /beside its tests/],
  ["a file without tests", `console.log("idle");`, /no tests/],
  [
    "a test that hangs",
    `test("hangs", () => new Promise((done) => setTimeout(done, 60_000)));`,
    /Not finished after 2 s/,
    HANG_SECONDS,
  ],
  ["something left open", `${PASSING} setInterval(() => {}, 1000);`, /Not finished after 2 s/, HANG_SECONDS],
];

for (const [what, text, shown, limitSeconds] of FAILING) {
  test(`${what} fails the run and is shown`, () => {
    const { status, output, lastLine } = runTests({ "bad.test.ts": text }, {}, ["--fast"], limitSeconds);
    assert.equal(status, 1);
    assert.match(lastLine ?? "", /^\d+ passed, [12] failed, 0 skipped$/);
    assert.match(output, shown);
  });
}

test("no tests at all is a failure", () => {
  const { status, lastLine } = runTests({});
  assert.deepEqual([status, lastLine], [1, "0 passed, 0 failed, 0 skipped"]);
});

test("skips show their reason, and fail the run where they are forbidden", () => {
  const files = { "a.test.ts": `${PASSING} test("needs more", { skip: "needs root" }, () => {});` };
  const allowed = runTests(files);
  assert.deepEqual([allowed.status, allowed.lastLine], [0, "1 passed, 0 failed, 1 skipped"]);
  assert.match(allowed.output, /needs more: needs root/);
  assert.equal(runTests(files, { LEASEPAIR_FORBID_SKIPS: "1" }).status, 1);
});

test("the fast loop leaves the end-to-end tests out", () => {
  const left = { "b.e2e.test.ts": PASSING, "c.cluster.test.ts": PASSING, "d.long.test.ts": PASSING };
  const { lastLine } = runTests({ "a.test.ts": PASSING, ...left });
  assert.equal(lastLine, "1 passed, 0 failed, 0 skipped");
});

test("the long targets are left to --all, those on a cluster of their own too", () => {
  const files = {
    "a.cluster.test.ts": PASSING,
    "b.long.cluster.test.ts": PASSING,
    "c.long.test.ts": PASSING,
  };
  const lines = [[], ["--all"]].map((args) => runTests(files, {}, args).lastLine);
  assert.deepEqual(lines, ["1 passed, 0 failed, 0 skipped", "3 passed, 0 failed, 0 skipped"]);
});

test("the reliability page is written by a run of everything, never by one of some files", () => {
  const measured = JSON.stringify({ suite: "cluster", what: "alert heard", figure: "21 s" });
  // The file is in a folder beside the page's.
  const measure = `import { appendFileSync, mkdirSync } from "node:fs";
    import { join } from "node:path";
    const file = process.env.LEASEPAIR_FIGURES;
    test("measures", () => {
      for (const name of ["..", "../../docs"]) mkdirSync(join(file, name), { recursive: true });
      appendFileSync(file, ${JSON.stringify(`${measured}\n`)});
    });`;
  const isWritten = (args: readonly string[]) => {
    const { root, status } = runTests({ "a.test.ts": measure }, {}, args);
    assert.equal(status, 0);
    return existsSync(join(root, "docs", "reliability.md"));
  };
  assert.equal(isWritten(["--fast", "--all"]), true);
  assert.equal(isWritten(["--fast", "--all", "a.test"]), false);
});
