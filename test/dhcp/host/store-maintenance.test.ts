// compact, restore and forget over real directories: what is where afterwards, and what is refused.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import { openDataDirectory } from "../../../src/dhcp/host/data-directory.ts";
import { FileDisk, FileReader } from "../../../src/dhcp/host/files.ts";
import {
  compactDirectory,
  forgetDirectory,
  restoreDirectory,
} from "../../../src/dhcp/host/store-maintenance.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { dumpStore } from "../../../src/dhcp/store/dump.ts";
import { openStore } from "../../../src/dhcp/store/store.ts";
import { ENDPOINT, seededRandom } from "../../durability/store-workload.ts";

let root = "";
let data = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "leasepair-maintenance-"));
  data = join(root, "a");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Writes these addresses, one flush each, as the member's engine would. */
async function write(
  addresses: readonly number[],
  member = "a",
  directory = data,
  relationshipUid: string | null = null,
): Promise<void> {
  const held = openDataDirectory(directory);
  const disk = new FileDisk(held.leases);
  const owner = { relationship: "net/campus", relationshipUid, member };
  const opened = openStore({ disk, ...owner, random: seededRandom(1), log: () => {} });
  assert.ok(opened.kind === "opened");
  opened.store.append({ kind: "endpoint", endpoint: ENDPOINT });
  for (const address of addresses) {
    opened.store.append({ kind: "binding", binding: freshBinding(address as Ipv4) });
    await new Promise<void>((resolve, reject) =>
      opened.store.flush((fault) => (fault === null ? resolve() : reject(fault))),
    );
  }
  await new Promise<void>((resolve) => disk.close(resolve));
  held.release();
}

function content(leases = join(data, "leases")) {
  const dump = dumpStore(new FileReader(leases));
  assert.ok(dump.kind === "dumped", JSON.stringify(dump));
  return { ...dump, addresses: [...dump.bindings].map((binding) => Number(binding.address)) };
}

test("compaction makes the files smaller and keeps every lease", async () => {
  await write(Array.from({ length: 400 }, (_, i) => 1 + (i % 7)));
  await write([1]);
  const { before, after } = await compactDirectory(data);
  assert.ok(after < before / 5, `${before} -> ${after} bytes`);
  assert.deepEqual(content().addresses, [1, 2, 3, 4, 5, 6, 7]);
});

test("a backup is put in place, marked, and what was there is kept", async () => {
  await write([1, 2]);
  cpSync(data, join(root, "backup"), { recursive: true });
  await write([3]);
  const restored = await restoreDirectory({
    dataDirectory: data,
    from: join(root, "backup/leases"),
    prefix: "",
  });
  assert.deepEqual([restored.bindings, restored.kept], [2, join(data, "leases.replaced-1")]);
  const { endpoint, addresses } = content();
  assert.deepEqual(addresses, [1, 2]);
  assert.deepEqual([endpoint?.state, endpoint?.complete, endpoint?.aloneSince], ["RECOVER", false, 1]);
  assert.deepEqual(content(join(data, "leases.replaced-1")).addresses, [1, 2, 3]);
  const again = await restoreDirectory({
    dataDirectory: data,
    from: join(root, "backup/leases"),
    prefix: "",
  });
  assert.equal(again.kept, join(data, "leases.replaced-2"));
});

test("a store that was set aside is put in place by its number, into an empty directory too", async () => {
  await write([5]);
  const from = join(root, "kept");
  mkdirSync(from);
  for (const name of readdirSync(join(data, "leases")).filter((name) => name.startsWith("segment-"))) {
    cpSync(join(data, "leases", name), join(from, `damaged-3-${name}`));
  }
  rmSync(data, { recursive: true });
  const restored = await restoreDirectory({ dataDirectory: data, from, prefix: "damaged-3-" });
  assert.equal(restored.kept, null);
  assert.deepEqual(content().addresses, [5]);
});

test("a directory in use, a damaged copy, an empty one and another member's are refused, and nothing changes", async () => {
  await write([1]);
  await write([2], "b", join(root, "b"));
  cpSync(join(data, "leases"), join(root, "bad"), { recursive: true });
  const segment = readdirSync(join(root, "bad")).find((name) => name.startsWith("segment-"))!;
  writeFileSync(join(root, "bad", segment), "nothing that a store begins with");
  mkdirSync(join(root, "empty"));
  const restore = (from: string) =>
    restoreDirectory({ dataDirectory: data, from: join(root, from), prefix: "" });
  await assert.rejects(restore("bad"), {
    code: "STORE_UNUSABLE",
    message: /no readable header; nothing was/,
  });
  await assert.rejects(restore("empty"), { code: "STORE_UNUSABLE", message: /no lease store/ });
  await assert.rejects(restore("b/leases"), { code: "STORE_FOREIGN", message: /member b .* member a/ });
  await assert.rejects(restore("nowhere"), { code: "DISK_FAILED", message: /nowhere/ });
  const held = openDataDirectory(data);
  await assert.rejects(restore("b/leases"), { code: "DATA_DIRECTORY_LOCKED", message: /is in use by/ });
  await assert.rejects(compactDirectory(data), { code: "DATA_DIRECTORY_LOCKED" });
  held.release();
  assert.deepEqual(content().addresses, [1]);
  assert.equal(existsSync(join(data, "leases.restoring")), false);
  await assert.rejects(compactDirectory(join(root, "c")), {
    code: "STORE_UNUSABLE",
    message: /no lease store/,
  });
});

test("a store that is forgotten leaves an empty directory; another one's, and one in use, are not touched", async () => {
  await write([1, 2], "a", data, "uid-1");
  const own = { dataDirectory: data, member: "a", relationshipUid: "uid-1" };
  for (const change of [{ member: "b" }, { relationshipUid: "uid-2" }]) {
    await assert.rejects(forgetDirectory({ ...own, ...change }), {
      code: "STORE_FOREIGN",
      message: /of member a of net\/campus \(UID uid-1\), not of .*; nothing was removed/,
    });
  }
  const engine = openDataDirectory(data);
  await assert.rejects(forgetDirectory(own), { code: "DATA_DIRECTORY_LOCKED" });
  engine.release();
  assert.deepEqual(content().addresses, [1, 2]);
  assert.equal(await forgetDirectory(own), true);
  assert.deepEqual(readdirSync(data), []);
  assert.equal(await forgetDirectory(own), false);
});

test("a store that nobody can read is forgotten like any other", async () => {
  await write([1]);
  for (const name of readdirSync(join(data, "leases"))) writeFileSync(join(data, "leases", name), "x");
  assert.equal(await forgetDirectory({ dataDirectory: data, member: "a", relationshipUid: "uid-1" }), true);
  assert.deepEqual(readdirSync(data), []);
});
