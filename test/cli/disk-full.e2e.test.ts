// A disk that fills up under a running engine: it writes its state into the space held in reserve, goes silent in order,
// refuses to start while there is no room, and goes on where it was once there is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const ADDRESSES = { a: `${NETWORK}.61`, b: `${NETWORK}.62` } as const;
const DHCP_PORT = 20_067;

/** Takes every byte that is left. */
function fill(file: string): void {
  const fd = openSync(file, "w");
  try {
    for (const size of [65_536, 4096]) while (writes(fd, size));
  } finally {
    closeSync(fd);
  }
}

function writes(fd: number, size: number): boolean {
  try {
    return writeSync(fd, Buffer.alloc(size)) === size;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    return false;
  }
}

/** A client after another gets a lease, so that the engine has something to write. Returns how to stop them. */
function leaseUntilStopped(): () => void {
  const relay = createSocket("udp4").bind(0, "127.0.0.1");
  const server = ADDRESSES.a.split(".").map(Number);
  let client = 0;
  const send = (xid: Uint8Array, type: number, options: readonly number[]) => {
    const packet = Buffer.alloc(300);
    packet.set([1, 1, 6, 1, ...xid]);
    packet.writeUInt16BE(10, 8); // secs: beyond maxSeconds, so either member answers
    packet.set([127, 0, 0, 1], 24); // giaddr
    packet.set([2, 0, ...xid], 28); // chaddr
    packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
    relay.send(packet, DHCP_PORT, ADDRESSES.a);
  };
  relay.on("message", (answer) => {
    if (answer[242] === 2)
      send(answer.subarray(4, 8), 3, [50, 4, ...answer.subarray(16, 20), 54, 4, ...server]);
  });
  const timer = setInterval(() => {
    client += 1;
    send(Uint8Array.of(0x12, 0x34, client >> 8, client & 255), 1, []);
  }, 5);
  let isStopped = false;
  return () => {
    if (!isStopped) relay.close();
    isStopped = true;
    clearInterval(timer);
  };
}

test("a full disk ends the engine in order, keeps it from starting, and is forgotten once there is room", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root: mounts a file system");
  const directory = mkdtempSync(join(tmpdir(), "leasepair-full-"));
  const disk = join(directory, "a");
  const engines: RunningCli[] = [];
  let stopClients = () => {};
  const start = (member: "a" | "b") => {
    const own = ["--relationship", "default/campus", "--member", member, "--dhcp-port", String(DHCP_PORT)];
    const from = [
      "--clear-link",
      "--manifests",
      join(directory, "manifests"),
      "--data-dir",
      join(directory, member),
    ];
    const engine = startCli(["engine", ...own, ...from]);
    engines.push(engine);
    return engine;
  };
  mkdirSync(join(directory, "manifests"));
  mkdirSync(disk);
  const ports = { metricsPort: 29_647, linkPort: 26_470, leaseSeconds: 600 };
  const yaml = campusYaml({ addresses: [ADDRESSES.a, ADDRESSES.b], ...ports });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  try {
    const a = start("a");
    const b = start("b");
    await Promise.all([a.until(/"to":"NORMAL"/), b.until(/"to":"NORMAL"/)]);
    const metrics = await (await fetch(`http://${ADDRESSES.a}:29647/metrics`)).text();
    assert.match(metrics, /leasepair_store_free_bytes\{[^}]*\} [1-9]/);
    assert.match(metrics, /leasepair_store_reserve_held\{[^}]*\} 1/);
    fill(join(disk, "ballast"));
    stopClients = leaseUntilStopped();
    assert.equal(await a.ended(), 1);
    stopClients();
    assert.match(a.output(), /"event":"store-disk-full"/);
    assert.match(a.output(), /"to":"PAUSED"/);
    assert.match(a.errors(), /ENOSPC.*Free space/);
    await b.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);

    fill(join(disk, "more-ballast"));
    const refused = start("a");
    assert.equal(await refused.ended(), 1);
    assert.match(refused.errors(), /bytes free, 1048576 are needed to start/);
    const verdict = await runCli(["store", "verify", "--data-dir", disk]);
    assert.match(verdict.stdout, /^sound/);

    for (const name of ["ballast", "more-ballast"]) rmSync(join(disk, name));
    const again = start("a");
    await again.until(/"to":"NORMAL"/);
    assert.doesNotMatch(again.output(), /store-set-aside|store-tail-cut|store-outdated/);
  } finally {
    stopClients();
    for (const engine of engines) engine.child.kill("SIGKILL");
    await Promise.all(engines.map((engine) => engine.ended()));
    execFileSync("umount", [disk]);
    rmSync(directory, { recursive: true, force: true });
  }
});
