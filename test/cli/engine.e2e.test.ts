// Whole engines as processes on loopback: what a user sees of start, stop, restart and refusal.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

// Loopback addresses of this process alone, so that two runs of the tests never meet.
const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const ADDRESSES = { a: `${NETWORK}.41`, b: `${NETWORK}.42` } as const;
const METRICS_PORT = 29_647;
const DHCP_PORT = 20_067;
type Member = keyof typeof ADDRESSES;

let directory = "";
let engines: RunningCli[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-engine-"));
  mkdirSync(join(directory, "manifests"));
  writeManifests(600);
});

afterEach(async () => {
  for (const engine of engines) engine.child.kill("SIGKILL");
  await Promise.all(engines.map((engine) => engine.ended()));
  engines = [];
  rmSync(directory, { recursive: true, force: true });
});

function writeManifests(leaseSeconds: number): void {
  const options = {
    addresses: [ADDRESSES.a, ADDRESSES.b],
    metricsPort: METRICS_PORT,
    linkPort: 26_470,
  } as const;
  writeFileSync(join(directory, "manifests", "campus.yaml"), campusYaml({ ...options, leaseSeconds }));
}

function engineArgs(member: Member, dataDirectory: string = member): readonly string[] {
  return [
    "engine",
    ...["--relationship", "default/campus", "--member", member],
    "--clear-link",
    ...["--manifests", join(directory, "manifests"), "--data-dir", join(directory, dataDirectory)],
    ...["--dhcp-port", String(DHCP_PORT)],
  ];
}

function startEngine(member: Member, wrapper: readonly string[] = []): RunningCli {
  const engine = startCli(engineArgs(member), {}, wrapper);
  engines.push(engine);
  return engine;
}

/** What is in a file that another process is about to write; rejects after 15 s. */
async function textOf(path: string): Promise<string> {
  const deadline = performance.now() + 15_000;
  while (!existsSync(path)) {
    if (performance.now() > deadline) throw new Error(`${path} never appeared`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return readFileSync(path, "utf8");
}

async function startPair(): Promise<readonly [RunningCli, RunningCli]> {
  const a = startEngine("a");
  const b = startEngine("b");
  await Promise.all([a.until(/"to":"NORMAL"/), b.until(/"to":"NORMAL"/)]);
  return [a, b];
}

/** A minimal request of a relayed client. Source: RFC 2131 2. */
function request(type: number, options: readonly number[] = []): Buffer {
  const packet = Buffer.alloc(300);
  packet.set([1, 1, 6, 1, 0x12, 0x34, 0x56, 0x78]);
  packet.writeUInt16BE(10, 8); // secs: beyond maxSeconds, so either member answers
  packet.set([127, 0, 0, 1], 24); // giaddr
  packet.set([2, 0, 0, 0, 0, 0x41], 28); // chaddr
  packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
  return packet;
}

async function ask(relay: Socket, member: Member, packet: Buffer): Promise<Buffer> {
  const answer = once(relay, "message", { signal: AbortSignal.timeout(10_000) });
  relay.send(packet, DHCP_PORT, ADDRESSES[member]);
  const [message] = (await answer) as [Buffer];
  return message;
}

/** DISCOVER, then REQUEST. Returns the leased address. */
async function lease(member: Member): Promise<string> {
  const relay = createSocket("udp4").bind(0, "127.0.0.1");
  try {
    await once(relay, "listening");
    const offer = await ask(relay, member, request(1));
    const address = offer.subarray(16, 20);
    const server = ADDRESSES[member].split(".").map(Number);
    const ack = await ask(relay, member, request(3, [50, 4, ...address, 54, 4, ...server]));
    assert.equal(ack[242], 5, "the answer is an ACK");
    return [...ack.subarray(16, 20)].join(".");
  } finally {
    relay.close();
  }
}

async function httpGet(member: Member, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${ADDRESSES[member]}:${METRICS_PORT}${path}`);
  return { status: response.status, text: await response.text() };
}

describe("engines as processes", () => {
  test("a pair reaches NORMAL, leases, reports, stops in order with exit code 0, and keeps its leases", async () => {
    const [a, b] = await startPair();
    assert.equal((await httpGet("a", "/readyz")).status, 200);
    assert.equal((await httpGet("b", "/healthz")).status, 200);
    const address = await lease("a");
    const metrics = (await httpGet("a", "/metrics")).text;
    assert.match(metrics, /leasepair_failover_state\{[^}]*state="Normal"[^}]*\} 1/);
    assert.match(metrics, /leasepair_scope_addresses\{[^}]*status="active"[^}]*\} 1/);
    assert.doesNotMatch(metrics, /02:?00:?00:?00:?00:?41/, "no client data in metrics");

    const table = await runCli(["leases", "--data-dir", join(directory, "a")]);
    assert.match(table.stdout, new RegExp(`${address.replaceAll(".", "\\.")} +ACTIVE +02:00:00:00:00:41`));
    const status = await runCli(["status", "--local", "--data-dir", join(directory, "b")]);
    assert.match(status.stdout, /State: +NORMAL/);

    a.child.kill("SIGTERM");
    assert.equal(await a.ended(), 0, a.errors());
    await b.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
    // The operator closes the terminal: as good an end as any.
    b.child.kill("SIGHUP");
    assert.equal(await b.ended(), 0, b.errors());
    assert.match(b.output(), /"event":"stopping","signal":"SIGHUP"/);
    for (const member of ["a", "b"]) {
      const dump = await runCli(["store", "dump", "--data-dir", join(directory, member)]);
      const binding = dump.stdout.split("\n").find((line) => line.includes(`"address":"${address}"`));
      assert.match(binding ?? "", /"status":"ACTIVE".*"hardwareAddress":"020000000041"/);
    }
  });

  test("after kill -9 a lease that was acknowledged is still there, and the partner serves meanwhile", async () => {
    const [a, b] = await startPair();
    const address = await lease("a");
    a.child.kill("SIGKILL");
    await a.ended();
    await b.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
    assert.equal(await lease("b"), address);
    const again = startEngine("a");
    await again.until(/"to":"NORMAL"/);
    const leases = await runCli(["leases", "--data-dir", join(directory, "a"), "-o", "json"]);
    assert.deepEqual(
      JSON.parse(leases.stdout).map((row: { address: string }) => row.address),
      [address],
    );
  });

  test("a changed manifest is followed, a broken one is reported and changes nothing", async () => {
    const a = startEngine("a");
    await a.until(/"event":"started"/);
    writeManifests(1200);
    await a.until(/"event":"configuration-activated"/);
    writeFileSync(join(directory, "manifests", "campus.yaml"), "kind: [");
    await a.until(/"event":"configuration-rejected","where":"[^"]*campus\.yaml:1"/);
    assert.equal((await httpGet("a", "/healthz")).status, 200);
    // And from the stored configuration it starts all the same.
    a.child.kill("SIGTERM");
    assert.equal(await a.ended(), 0);
    const again = startEngine("a");
    await again.until(/"event":"snapshot-used"/);
    await again.until(/"event":"started"/);
  });

  test("S14: killed while a new range waits for its partner, a member goes on with the old one until both have it", async () => {
    const ofB = join(directory, "manifests-b");
    cpSync(join(directory, "manifests"), ofB, { recursive: true });
    const a = startEngine("a");
    const b = startCli(engineArgs("b").map((arg) => (arg === join(directory, "manifests") ? ofB : arg)));
    engines.push(b);
    await Promise.all([a.until(/"to":"NORMAL"/), b.until(/"to":"NORMAL"/)]);
    const change = (manifests: string) => {
      const file = join(manifests, "campus.yaml");
      writeFileSync(file, readFileSync(file, "utf8").replace("10.20.0.199", "10.20.0.189"));
    };
    change(join(directory, "manifests"));
    await a.until(/"event":"configuration-pending"/);
    await textOf(join(directory, "a", "config-in-force.json"));
    a.child.kill("SIGKILL");
    await a.ended();
    const again = startEngine("a");
    await again.until(/"to":"NORMAL"/);
    const status = await runCli(["status", "--local", "--data-dir", join(directory, "a"), "-o", "json"]);
    const { pendingRevision, addresses } = JSON.parse(status.stdout);
    assert.notEqual(pendingRevision, null, status.stdout);
    assert.equal(addresses.users.total, 100);
    assert.doesNotMatch(again.output(), /"event":"shape-differs"/);
    change(ofB);
    await again.until(/"event":"configuration-activated".*"shapeChanged":true/);
    await again.until(/"event":"configuration-activated"/);
    const now = await runCli(["status", "--local", "--data-dir", join(directory, "a"), "-o", "json"]);
    assert.equal(JSON.parse(now.stdout).addresses.users.total, 90);
  });

  test("an interface that is not there leaves a running engine as it is, and the stored configuration too", async () => {
    const a = startEngine("a");
    await a.until(/"event":"started"/);
    const file = join(directory, "manifests", "campus.yaml");
    const good = readFileSync(file, "utf8");
    const stored = await textOf(join(directory, "a", "config.json"));
    writeFileSync(file, good.replace("name: a, ", "name: a, interfaces: [nix0], "));
    await a.until(/"event":"configuration-rejected","code":"INTERFACE_MISSING".*nix0.*stays in force/);
    assert.equal(readFileSync(join(directory, "a", "config.json"), "utf8"), stored);
    assert.doesNotMatch(a.output(), /address-not-open|configuration-activated/);
    writeFileSync(file, good);
    await a.until(/"event":"configuration-accepted"/);
  });

  test("a data directory in use is refused with exit code 3 and the holder's pid", async () => {
    const a = startEngine("a");
    await a.until(/"event":"started"/);
    const second = await runCli(engineArgs("b", "a"));
    assert.equal(second.code, 3);
    assert.match(second.stderr, new RegExp(`in use by .*\\(pid ${a.child.pid}\\)`));
  });

  test("another member's data directory is refused with exit code 3 and left as it is", async () => {
    const a = startEngine("a");
    await a.until(/"event":"started"/);
    a.child.kill("SIGTERM");
    await a.ended();
    const before = await runCli(["store", "dump", "--data-dir", join(directory, "a")]);
    const other = await runCli(engineArgs("b", "a"));
    assert.equal(other.code, 3);
    assert.match(other.stderr, /holds the lease store of member "a".*this engine is member "b"/);
    assert.deepEqual(await runCli(["store", "dump", "--data-dir", join(directory, "a")]), before);
  });

  test("a port in use ends the start with exit code 1 and names the process", async () => {
    const taken = createSocket("udp4").bind(DHCP_PORT, ADDRESSES.a);
    await once(taken, "listening");
    try {
      const run = await runCli(engineArgs("a"));
      assert.equal(run.code, 1);
      assert.match(run.stderr, new RegExp(`\\.41:${DHCP_PORT}/udp.*\\(pid ${process.pid}\\)`));
    } finally {
      taken.close();
    }
  });

  test("a disk that takes no more bytes silences the engine, which ends with exit code 1", async () => {
    // The kernel refuses to let a file grow beyond 4 KiB; the pool's first balance needs more.
    const a = startEngine("a", ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh"]);
    const b = startEngine("b");
    assert.equal(await a.ended(), 1);
    assert.match(a.errors(), /cannot append to .*segment-.*EFBIG/);
    await b.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
    // What it had made durable is whole.
    const verdict = await runCli(["store", "verify", "--data-dir", join(directory, "a")]);
    assert.match(verdict.stdout, /^sound/);
  });

  test("a configuration thread that the kernel holds up does not keep it from stopping", async () => {
    const kubeconfig = join(directory, "hung.kubeconfig");
    execFileSync("mkfifo", [kubeconfig]);
    const args = ["--relationship", "default/campus", "--member", "a", "--data-dir", join(directory, "c")];
    const engine = startCli(["engine", ...args, "--kubeconfig", kubeconfig]);
    engines.push(engine);
    // Open for writing only once somebody reads: the thread is in the kernel then, and waits for a text that never comes.
    const writer = await open(kubeconfig, "w");
    try {
      engine.child.kill("SIGTERM");
      const timeout = setTimeout(() => engine.child.kill("SIGKILL"), 8_000);
      assert.equal(await engine.ended(), 0, engine.errors());
      clearTimeout(timeout);
    } finally {
      await writer.close();
    }
  });

  test("without an API and without a stored configuration it waits, and stops when told", async () => {
    const args = ["--relationship", "default/campus", "--member", "a", "--data-dir", join(directory, "c")];
    const engine = startCli(["engine", ...args]);
    engines.push(engine);
    await engine.until(/"event":"configuration-awaited"/);
    engine.child.kill("SIGTERM");
    assert.equal(await engine.ended(), 0, engine.errors());
    assert.ok(!existsSync(join(directory, "c", "config.json")));
  });
});
