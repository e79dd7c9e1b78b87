import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import { openDataDirectory } from "../../../src/dhcp/host/data-directory.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "leasepair-data-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function faultOf(act: () => unknown): FaultError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof FaultError, String(error));
    return error;
  }
  return assert.fail("no fault was thrown");
}

test("a data directory is made when absent and closed to others", () => {
  const path = join(root, "deep", "data");
  const directory = openDataDirectory(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.equal(statSync(directory.leases).mode & 0o777, 0o700);
  directory.release();
});

test("a data directory that others could read is closed to them", () => {
  chmodSync(root, 0o755);
  openDataDirectory(root).release();
  assert.equal(statSync(root).mode & 0o777, 0o700);
});

test("a second process is refused with the first one's pid, and let in once the first is dead", async () => {
  const source = new URL("../../../src/dhcp/host/data-directory.ts", import.meta.url).href;
  const program = `import { openDataDirectory } from "${source}"; openDataDirectory(process.argv[1]);
    console.log("locked"); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program, root], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(holder.stdout, "data", { signal: AbortSignal.timeout(20_000) });
    const fault = faultOf(() => openDataDirectory(root));
    assert.equal(fault.code, "DATA_DIRECTORY_LOCKED");
    assert.match(fault.message, new RegExp(`${root} is in use by .*\\(pid ${holder.pid}\\)`));
  } finally {
    holder.kill("SIGKILL");
    await once(holder, "exit");
  }
  openDataDirectory(root).release();
});

for (const path of ["/dev/null/data", "/proc/data", "/proc/data/deep", "DIR/dangling", "DIR/dangling/deep"]) {
  // In a process of its own: what tries for ever can only be killed.
  test(`a path that cannot be a directory, ${path}, is a fault that names it and the remedy`, () => {
    symlinkSync(join(root, "nowhere"), join(root, "dangling"));
    const place = path.replace("DIR", root);
    const source = new URL("../../../src/dhcp/host/data-directory.ts", import.meta.url).href;
    const program = `import { openDataDirectory } from "${source}";
      try { openDataDirectory(process.argv[1]); } catch (fault) { console.log(fault.code, fault.message); }`;
    const args = ["--input-type=module", "-e", program, place];
    const { stdout } = spawnSync(process.execPath, args, {
      encoding: "utf8",
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    assert.match(
      stdout,
      new RegExp(`^DISK_FAILED cannot use ${place} as data directory: E.*Name a directory on a disk`),
    );
  });
}
