// What runs a program to its end must say which one failed, and must not stand still for ever when one hangs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { run, runBeside, runWithin } from "../../dev/lib/run.ts";

test("gives what the program printed", () => {
  assert.equal(run("sh", "-c", "echo one; echo two >&2"), "one\n");
});

test("names the program that failed, its arguments and what it said", () => {
  const failing = () => run("sh", "-c", "echo no >&2; exit 3");
  assert.throws(failing, { message: "sh -c echo no >&2; exit 3: exit 3: no" });
  assert.throws(() => run("/no/such", "program"), { message: /^\/no\/such program: .*ENOENT/ });
});

test("the same beside the caller", async () => {
  assert.equal(await runBeside("sh", "-c", "echo one; echo two >&2"), "one\n");
  await assert.rejects(runBeside("sh", "-c", "echo no >&2; exit 3"), /sh -c echo no >&2; exit 3\s+no/);
});

test("one that hangs is ended, and named with what it had said", () => {
  const began = performance.now();
  const hanging = () => runWithin(3_000, "sh", "-c", "echo 'pod deleted'; sleep 120 & sleep 120");
  assert.throws(hanging, { message: /^sh -c .*: not done after 3 s: pod deleted$/ });
  assert.ok(performance.now() - began < 60_000);
});
