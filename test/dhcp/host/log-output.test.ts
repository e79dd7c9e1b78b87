import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { LogOutput } from "../../../src/dhcp/host/log-output.ts";

let directory = "";
let fds: number[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-log-"));
});
afterEach(() => {
  for (const fd of fds) closeSync(fd);
  fds = [];
  rmSync(directory, { recursive: true, force: true });
});

function opened(path: string, flags: string | number): number {
  const fd = openSync(path, flags);
  fds.push(fd);
  return fd;
}

function outputTo(fd: number): { readonly output: LogOutput; readonly told: number[] } {
  const told: number[] = [];
  return { output: new LogOutput({ fd, onWorksAgain: (lost) => told.push(lost) }), told };
}

const LINES = (count: number) => Array.from({ length: count }, (_, n) => `{"n":${n}}\n`);

describe("where log lines go", () => {
  test("lines come out whole and in order, however many wait", async () => {
    const path = join(directory, "log");
    const { output, told } = outputTo(opened(path, "a"));
    for (const line of LINES(2_000)) output.write(line);
    assert.equal(await output.flush(), true);
    assert.equal(readFileSync(path, "utf8"), LINES(2_000).join(""));
    assert.deepEqual([output.lost, told], [0, []]);
  });

  for (const [error, path, flags] of [
    ["ENOSPC", "/dev/full", "w"],
    ["EBADF", "/dev/null", "r"],
    ["EIO", "/proc/self/mem", "r+"],
  ] as const) {
    test(`lines that cannot be written (${error}) are counted, and nothing waits for them`, async () => {
      const { output, told } = outputTo(opened(path, flags));
      for (const line of LINES(600)) output.write(line);
      assert.equal(await output.flush(), true);
      assert.deepEqual([output.lost, told], [600, []]);
    });
  }

  test("a descriptor without room for the moment is tried again", async () => {
    const path = join(directory, "fifo");
    execFileSync("mkfifo", [path]);
    const fd = opened(path, constants.O_RDWR | constants.O_NONBLOCK);
    const { output } = outputTo(fd);
    const line = `${"x".repeat(99_999)}\n`;
    output.write(line);
    let read = "";
    const bytes = Buffer.alloc(65_536);
    while (read.length < line.length) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      try {
        read += bytes.toString("latin1", 0, readSync(fd, bytes));
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
      }
    }
    assert.equal(read, line);
    assert.equal(await output.flush(), true);
    assert.equal(output.lost, 0);
  });

  test("once there is room again the log goes on on a line of its own and says how many are missing", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root: mounts a file system");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", directory]);
    try {
      writeFileSync(join(directory, "ballast"), new Uint8Array(12_288));
      const path = join(directory, "log");
      const fd = openSync(path, "a");
      const { output, told } = outputTo(fd);
      for (const text of ["a", "b", "c"]) output.write(`${text.repeat(1_999)}\n`);
      await output.flush();
      assert.equal(output.lost, 1);
      rmSync(join(directory, "ballast"));
      output.write("after\n");
      await output.flush();
      closeSync(fd);
      assert.deepEqual(told, [1]);
      const lines = readFileSync(path, "utf8").split("\n");
      assert.deepEqual([lines[0]?.length, lines[1]?.length, lines.slice(3)], [1_999, 1_999, ["after", ""]]);
      assert.match(lines[2] ?? "", /^c{1,98}$/);
    } finally {
      execFileSync("umount", [directory]);
    }
  });

  test("a reader that stops reading holds up neither the process nor its end", async () => {
    const path = join(directory, "fifo");
    execFileSync("mkfifo", [path]);
    const fd = opened(path, constants.O_RDWR);
    const host = (name: string) => new URL(`../../../src/dhcp/host/${name}`, import.meta.url).href;
    const program = `import { createLogger } from "${host("logger.ts")}"; import { endProcess } from "${host("end-process.ts")}";
      const { log, lost, flush } = createLogger({ level: "info", fields: {} });
      for (let n = 0; n < 6_000; n++) log({ level: "info", event: "planted", message: "x".repeat(1_000), fields: {} });
      const isFlushed = await flush();
      await endProcess(isFlushed || lost() < 1_000 ? 1 : 42, !isFlushed);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", fd, "inherit"],
    });
    const timeout = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const [code] = await once(child, "exit");
    clearTimeout(timeout);
    assert.equal(code, 42);
  });
});
