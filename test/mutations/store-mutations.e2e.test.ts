// Breaks the store's rules one by one, in a copy of the tree, and sees the test that docs/protocol/mutations.md names for
// each fail, and nothing but an assertion in it. A rule whose breach no test notices is not kept by anybody.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGE = readFileSync(join(ROOT, "docs/protocol/mutations.md"), "utf8");
const TIMEOUT_MS = 180_000;

interface Mutation {
  /** As in the first column of the page. */
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly testFile: string;
  readonly testName: string;
}

const STORE = "src/dhcp/store";
const MUTATIONS: readonly Mutation[] = [
  {
    name: "sync skipped",
    file: `${STORE}/lease-store.ts`,
    find: "this.#disk.sync(name, (fault) => this.#land(flight, fault));",
    replace: "this.#disk.truncate(name, Infinity, (fault) => this.#land(flight, fault));",
    testFile: "test/dhcp/store/store.test.ts",
    testName: "what was flushed is there after a power cut, what was only appended is not",
  },
  {
    name: "sync after ACK",
    file: `${STORE}/lease-store.ts`,
    find: "this.#disk.append(name, bytes, (fault) => this.#note(flight, fault));\n    this.#disk.sync(name, (fault) => this.#land(flight, fault));",
    replace:
      "this.#disk.append(name, bytes, (fault) => this.#land(flight, fault));\n    this.#disk.sync(name, (fault) => this.#note(flight, fault));",
    testFile: "test/dhcp/store/store.test.ts",
    testName: "a flush is reported when its sync is, not before, and overlapping ones in order",
  },
  {
    name: "reply before its record is durable",
    file: "src/dhcp/engine/runner.ts",
    find: "this.#waiting.push(waiting);",
    replace: "this.#perform(waiting);",
    testFile: "test/dhcp/engine/runner.test.ts",
    testName: "what was decided with a record leaves only when the record is durable, and in order",
  },
  {
    name: "directory sync skipped",
    file: `${STORE}/lease-store.ts`,
    find: "this.#disk.syncDirectory(done);",
    replace: "this.#disk.truncate(PREPARED_NAME, Infinity, done);",
    testFile: "test/durability/store-crash.e2e.test.ts",
    testName: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
  },
  {
    name: "rename before sync",
    file: `${STORE}/lease-store.ts`,
    find: "    this.#disk.sync(PREPARED_NAME, note);\n    this.#disk.rename(PREPARED_NAME, segmentName(header.sequence), note);",
    replace:
      "    this.#disk.rename(PREPARED_NAME, segmentName(header.sequence), note);\n    this.#disk.sync(segmentName(header.sequence), note);",
    testFile: "test/durability/store-crash.e2e.test.ts",
    testName: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
  },
  {
    name: "checksum not checked",
    file: `${STORE}/frame.ts`,
    find: "return end >= 0 && crc32(bytes.subarray(at + 4, end)) === bytes.readUInt32BE(at) ? end : -1;",
    replace: "return end;",
    testFile: "test/dhcp/store/record-codec.test.ts",
    testName: "a frame is whole only with every byte as it was",
  },
  {
    name: "bad record in the middle cut like a tail",
    file: `${STORE}/segment-scan.ts`,
    find: "return isProven || hasLaterMark(input, at, ordinal)",
    replace: "return isProven",
    testFile: "test/dhcp/store/store.test.ts",
    testName: "a flipped byte anywhere before the last flush is damage, and in the last flush it is a cut",
  },
  {
    name: "a flush counts record by record",
    file: "src/dhcp/store/segment-scan.ts",
    find: "if (!isWhole(bytes, end, limit, mark)) break;",
    replace: "",
    testFile: "test/durability/store-crash.e2e.test.ts",
    testName: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
  },
  {
    name: "a failed flush is tried again",
    file: `${STORE}/lease-store.ts`,
    find: "    this.#fault ??= fault;",
    replace: "",
    testFile: "test/dhcp/store/store.test.ts",
    testName: "a failed append is final: that flush and all later ones report it",
  },
  {
    name: "emptied segment removed before its copies are durable",
    file: `${STORE}/lease-store.ts`,
    find: "      oldest: this.#oldestNeeded,",
    replace: "      oldest: this.#compactor.closedSegments[0]?.sequence ?? closed.sequence,",
    testFile: "test/durability/store-crash.e2e.test.ts",
    testName: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
  },
  {
    name: "generation not checked",
    file: "src/dhcp/engine/partner-store.ts",
    find: "if (seen.generation > store.generation) return true;",
    replace: "if (seen.generation > store.generation) return false;",
    testFile: "test/dhcp/engine/outdated-store.test.ts",
    testName:
      "a store put back to a copy of an older generation is treated like a lost one, and works afterwards",
  },
  {
    name: "generation counted but its opening not compared",
    file: "src/dhcp/engine/partner-store.ts",
    find: "if (isOtherOpen && seen.generation > 0) return true;",
    replace: "",
    testFile: "test/dhcp/engine/outdated-store.test.ts",
    testName: "a copy of the generation before is recognised although nothing was told since",
  },
  {
    name: "position not compared",
    file: "src/dhcp/engine/partner-store.ts",
    find: "return store.aloneSince !== 0 && seen.position > store.aloneSince;",
    replace: "return false;",
    testFile: "test/dhcp/engine/outdated-store.test.ts",
    testName:
      "a store put back to a copy of the very generation, made moments before is treated like a lost one, and works afterwards",
  },
];

/** Runs the named test on a copy of the tree with the rule broken. */
function runBroken(mutation: Mutation): { status: number | null; output: string } {
  const copy = mkdtempSync(join(tmpdir(), "leasepair-mutation-"));
  try {
    for (const path of ["src", "test/dhcp", "test/durability", "package.json"]) {
      cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const path = join(copy, mutation.file);
    const parts = readFileSync(path, "utf8").split(mutation.find);
    assert.equal(parts.length, 2, `${mutation.file} holds what is to be broken once`);
    writeFileSync(path, parts.join(mutation.replace));
    const name = `^${mutation.testName.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
    const child = spawnSync(
      process.execPath,
      ["--test", "--test-reporter=tap", `--test-name-pattern=${name}`, join(copy, mutation.testFile)],
      {
        cwd: copy,
        encoding: "utf8",
        timeout: TIMEOUT_MS,
        // The copy is gone soon, what is compiled of it would stay.
        env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_DISABLE_COMPILE_CACHE: "1" },
      },
    );
    return { status: child.status, output: child.stdout + child.stderr };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

for (const mutation of MUTATIONS) {
  test(`${mutation.name}: the test named for it fails`, () => {
    assert.ok(PAGE.includes(`| ${mutation.name} |`), "the page lists it");
    assert.ok(PAGE.includes(`\`${mutation.testFile}\`: ${mutation.testName} |`), "the page names its test");
    const { status, output } = runBroken(mutation);
    assert.equal(status, 1, output);
    assert.match(output, /# fail 1\b/);
    assert.match(output, /ERR_ASSERTION/, "it fails by an assertion, not because the copy is broken");
  });
}
