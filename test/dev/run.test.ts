// dev/run.mjs must install when, and only when, the lock changed, find a new enough Node, and get out of the way.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const RUN = fileURLToPath(new URL("../../dev/run.mjs", import.meta.url));
const folders: string[] = [];

interface RunModule {
  installPackages(root: string, npm: (arguments_: string[]) => number | null): Promise<void>;
  findNode(root: string, here: { execPath: string; version: string; path: string }): string;
}

const { installPackages, findNode } = (await import(RUN)) as RunModule;

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function checkout(): string {
  const root = mkdtempSync(join(tmpdir(), "leasepair-run-"));
  folders.push(root);
  writeLock(root, "1.0.0");
  return root;
}

function writeLock(root: string, version: string): void {
  const packages = {
    "": { name: "root" },
    "node_modules/a": { version, integrity: `sha512-${version}` },
    "node_modules/musl": { version, integrity: "sha512-m", optional: true, libc: ["musl"] },
    "node_modules/elsewhere": { version, integrity: "sha512-e", optional: true, os: ["aix"], cpu: ["ppc64"] },
  };
  writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages }));
}

/** What npm leaves behind on this machine: without what is for others. */
function writeInstalled(root: string, version: string): void {
  mkdirSync(join(root, "node_modules"));
  const packages = { "node_modules/a": { version, integrity: `sha512-${version}` } };
  writeFileSync(join(root, "node_modules", ".package-lock.json"), JSON.stringify({ packages }));
}

/** Stands in for npm: leaves what npm would leave, and counts. */
function fakeNpm(root: string, status = 0) {
  const calls: string[][] = [];
  const npm = (arguments_: string[]) => {
    calls.push(arguments_);
    mkdirSync(join(root, "node_modules"), { recursive: true });
    return status;
  };
  return { calls, npm };
}

test("packages are installed once, without scripts, and again when the lock changes", async () => {
  const root = checkout();
  const { calls, npm } = fakeNpm(root);
  await installPackages(root, npm);
  await installPackages(root, npm);
  assert.equal(calls.length, 1);
  assert.ok(calls[0]!.includes("--ignore-scripts"));
  writeLock(root, "2.0.0");
  await installPackages(root, npm);
  assert.equal(calls.length, 2);
});

test("a failed install is reported, leaves no stamp and no lock, and is tried again", async () => {
  const root = checkout();
  const failing = fakeNpm(root, 1);
  await assert.rejects(installPackages(root, failing.npm), /npm ci failed \(exit 1\)/);
  assert.ok(!existsSync(join(root, ".cache", "install.lock")));
  const working = fakeNpm(root);
  await installPackages(root, working.npm);
  assert.equal(working.calls.length, 1);
});

test("an install by hand that matches the lock is not repeated, one that does not is", async () => {
  for (const [version, installs] of [
    ["1.0.0", 0],
    ["0.9.0", 1],
  ] as const) {
    const root = checkout();
    writeInstalled(root, version);
    const { calls, npm } = fakeNpm(root);
    await installPackages(root, npm);
    assert.equal(calls.length, installs, version);
  }
});

test("two at once install once", async () => {
  const root = checkout();
  const { calls, npm } = fakeNpm(root);
  await Promise.all([installPackages(root, npm), installPackages(root, npm)]);
  assert.equal(calls.length, 1);
});

test("the lock of a process that is gone is taken over, that of a living one is respected", async () => {
  const root = checkout();
  const lock = join(root, ".cache", "install.lock");
  mkdirSync(join(root, ".cache"));
  writeFileSync(lock, String(spawnSync("true").pid));
  const { calls, npm } = fakeNpm(root);
  await installPackages(root, npm);
  assert.equal(calls.length, 1);
  writeLock(root, "3.0.0");
  writeFileSync(lock, String(process.pid));
  const waiting = installPackages(root, npm);
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(calls.length, 1);
  rmSync(lock);
  await waiting;
  assert.equal(calls.length, 2);
});

test("the packaged Node comes first, then this one if new enough, then one on PATH, else the remedy is named", () => {
  const root = checkout();
  const old = { execPath: "/old/node", version: "20.1.0", path: join(root, "path") };
  assert.throws(() => findNode(root, old), /Node 26 or newer is needed; this is Node 20\.1\.0[\s\S]*Remedy/);
  const onPath = join(root, "path", "node");
  mkdirSync(join(root, "path"));
  writeFileSync(onPath, "#!/bin/sh\necho v26.1.0\n");
  chmodSync(onPath, 0o755);
  assert.equal(findNode(root, old), onPath);
  assert.equal(findNode(root, { ...old, execPath: "/new/node", version: "27.0.0" }), "/new/node");
  const packaged = join(root, "node_modules", `node-linux-${process.arch}`, "bin");
  mkdirSync(packaged, { recursive: true });
  writeFileSync(join(packaged, "node"), "");
  chmodSync(join(packaged, "node"), 0o755);
  assert.equal(findNode(root, old), join(packaged, "node"));
});

test("the file gets the arguments, and its exit status and output are ours", () => {
  const file = join(checkout(), "file.ts");
  writeFileSync(file, "console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7 as number;");
  const ended = spawnSync(process.execPath, [RUN, file, "a b", "--c"], { encoding: "utf8" });
  assert.deepEqual([ended.status, ended.stdout], [7, '["a b","--c"]\n']);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} reaches the file, which ends as it likes`, async () => {
    const file = join(checkout(), "file.ts");
    const text = `process.on("${signal}", () => process.exit(9)); setInterval(() => {}, 1000); console.log("ready");`;
    writeFileSync(file, text);
    const child = spawn(process.execPath, [RUN, file], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    child.kill(signal);
    const [code] = await once(child, "exit");
    assert.equal(code, 9);
  });
}
