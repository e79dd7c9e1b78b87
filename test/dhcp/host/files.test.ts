import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { FaultError } from "../../../src/base/fault.ts";
import { FileDisk } from "../../../src/dhcp/host/files.ts";
import type { DiskDone } from "../../../src/dhcp/ports.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-files-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** The outcome of one operation. */
function outcome(start: (done: DiskDone) => void): Promise<FaultError | null> {
  return new Promise((resolve) => start(resolve));
}

const text = (value: string) => new TextEncoder().encode(value);

describe("a disk over files", () => {
  test("operations take effect in the order of the calls and report in that order", async () => {
    const disk = new FileDisk(directory);
    const order: string[] = [];
    const note = (name: string): DiskDone => {
      return (fault) => order.push(fault === null ? name : fault.code);
    };
    disk.append("log", text("one "), note("append 1"));
    disk.append("log", text("two three"), note("append 2"));
    disk.sync("log", note("sync"));
    disk.truncate("log", 7, note("truncate"));
    disk.append("log", text("!"), note("append 3"));
    disk.rename("log", "old", note("rename"));
    disk.append("log", text("new"), note("append 4"));
    disk.append("gone", text("x"), note("append 5"));
    disk.remove("gone", note("remove"));
    assert.equal(await outcome((done) => disk.syncDirectory(done)), null);
    assert.deepEqual(order, [
      "append 1",
      "append 2",
      "sync",
      "truncate",
      "append 3",
      "rename",
      "append 4",
      "append 5",
      "remove",
    ]);
    assert.deepEqual(disk.list(), ["log", "old"]);
    assert.equal(Buffer.from(disk.read("old")).toString(), "one two!");
    assert.equal(Buffer.from(disk.read("log")).toString(), "new");
    await new Promise<void>((resolve) => disk.close(resolve));
  });

  test("files are readable by their owner alone", async () => {
    const disk = new FileDisk(directory);
    assert.equal(await outcome((done) => disk.append("log", text("x"), done)), null);
    assert.equal(statSync(join(directory, "log")).mode & 0o777, 0o600);
  });

  test("a full disk is a fault with its own code, and everything after it fails untried", async () => {
    symlinkSync("/dev/full", join(directory, "log"));
    const disk = new FileDisk(directory);
    const first = outcome((done) => disk.append("log", text("x"), done));
    const second = outcome((done) => disk.append("other", text("x"), done));
    assert.equal((await first)?.code, "DISK_FULL");
    assert.match((await first)?.message ?? "", /ENOSPC.*Free space/);
    assert.equal((await second)?.code, "DISK_FULL");
    const later = await outcome((done) => disk.append("third", text("x"), done));
    assert.equal(later?.code, "DISK_FULL");
    assert.deepEqual(readdirSync(directory), ["log"]);
  });

  test("a sync that fails is a fault", async () => {
    // A character device takes bytes but cannot be synced.
    symlinkSync("/dev/null", join(directory, "log"));
    const disk = new FileDisk(directory);
    assert.equal(await outcome((done) => disk.append("log", text("x"), done)), null);
    const fault = await outcome((done) => disk.sync("log", done));
    assert.equal(fault?.code, "DISK_FAILED");
    assert.match(fault?.message ?? "", /cannot sync .*log: EINVAL/);
  });

  test("files that were written, renamed and removed by the disk itself are in place", async () => {
    const disk = new FileDisk(directory);
    disk.append("prepared", text("1"), () => {});
    disk.rename("prepared", "one", () => {});
    disk.append("prepared", text("2"), () => {});
    disk.rename("prepared", "two", () => {});
    disk.remove("one", () => {});
    assert.equal(await outcome((done) => disk.verify([], done)), null);
    assert.equal(await outcome((done) => disk.syncDirectory(done)), null);
    await new Promise<void>((resolve) => disk.close(resolve));
  });

  for (const [what, act] of [
    ["deleted", () => rmSync(directory, { recursive: true })],
    [
      "replaced by a copy",
      () => {
        renameSync(directory, `${directory}.old`);
        cpSync(`${directory}.old`, directory, { recursive: true });
        rmSync(`${directory}.old`, { recursive: true });
      },
    ],
  ] as const) {
    test(`a directory that was ${what} is a fault for good, at a look and where a segment begins`, async () => {
      const [looked, begun] = [new FileDisk(directory), new FileDisk(directory)];
      for (const disk of [looked, begun]) {
        assert.equal(await outcome((done) => disk.append("log", text("x"), done)), null);
      }
      act();
      for (const disk of [looked, begun]) {
        assert.equal(await outcome((done) => disk.sync("log", done)), null, "the kernel says nothing");
      }
      const fault = await outcome((done) => looked.verify([], done));
      assert.equal(fault?.code, "DATA_DIRECTORY_GONE");
      assert.match(fault?.message ?? "", new RegExp(`^${directory}/log is no longer`));
      assert.equal(await outcome((done) => looked.append("log", text("x"), done)), fault);
      const first = await outcome((done) => begun.syncDirectory(done));
      assert.equal(first?.code, "DATA_DIRECTORY_GONE");
    });
  }

  test("reading what is not there is a fault that names the file", () => {
    assert.throws(() => new FileDisk(directory).read("nope"), {
      name: "FaultError",
      message: new RegExp(`cannot read ${directory}/nope: ENOENT`),
    });
  });

  test("a full file system gets the space held in reserve, once, and says so", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root: mounts a file system");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", directory]);
    try {
      const disk = new FileDisk(directory);
      const used: string[] = [];
      const hold = (done: DiskDone) =>
        disk.reserve("reserve", 65_536, (fault) => used.push(fault.code), done);
      assert.equal(await outcome(hold), null);
      assert.equal(statSync(join(directory, "reserve")).size, 65_536);
      const heldAt = statSync(join(directory, "reserve")).mtimeMs;
      assert.equal(await outcome(hold), null);
      assert.equal(statSync(join(directory, "reserve")).mtimeMs, heldAt, "what is held is kept");
      // 180 of the 192 KiB that are free, then 40 more: 28 of these come from the reserve.
      const bytes = new Uint8Array(40_960).fill(7);
      assert.equal(await outcome((done) => disk.append("log", new Uint8Array(184_320), done)), null);
      assert.deepEqual(used, []);
      assert.equal(await outcome((done) => disk.append("log", bytes, done)), null);
      assert.deepEqual(used, ["DISK_FULL"]);
      assert.deepEqual(readdirSync(directory), ["log"]);
      assert.deepEqual(new Uint8Array(disk.read("log").subarray(184_320)), bytes);
      const fault = await outcome((done) => disk.append("log", new Uint8Array(65_536), done));
      assert.equal(fault?.code, "DISK_FULL");
      assert.equal(used.length, 1);
      await new Promise<void>((resolve) => disk.close(resolve));
    } finally {
      execFileSync("umount", [directory]);
    }
  });

  test("space that cannot be held is said, leaves nothing behind, and is no failure of the disk", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root: mounts a file system");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]);
    try {
      const disk = new FileDisk(directory);
      const fault = await outcome((done) => disk.reserve("reserve", 1 << 20, () => assert.fail(), done));
      assert.match(fault?.message ?? "", /cannot hold 1048576 bytes in .*reserve: ENOSPC/);
      assert.deepEqual(readdirSync(directory), []);
      assert.equal(await outcome((done) => disk.append("log", text("x"), done)), null);
      await new Promise<void>((resolve) => disk.close(resolve));
    } finally {
      execFileSync("umount", [directory]);
    }
  });

  test("a file system that runs full in the middle of a write fails it", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root: mounts a file system");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]);
    try {
      const disk = new FileDisk(directory);
      const fault = await outcome((done) => disk.append("log", new Uint8Array(1_000_000), done));
      assert.equal(fault?.code, "DISK_FULL");
      await new Promise<void>((resolve) => disk.close(resolve));
    } finally {
      execFileSync("umount", [directory]);
    }
  });
});
