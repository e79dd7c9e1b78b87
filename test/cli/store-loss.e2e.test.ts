// Whole engines whose store was damaged, or put back to an old copy, while they were down: what they say, and that they
// fetch everything from the partner before they serve again.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const ADDRESSES = { a: `${NETWORK}.71`, b: `${NETWORK}.72` } as const;

let directory = "";
let engines: RunningCli[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-loss-"));
  mkdirSync(join(directory, "manifests"));
  const ports = { metricsPort: 29_647, linkPort: 26_470, leaseSeconds: 600 };
  const yaml = campusYaml({ addresses: [ADDRESSES.a, ADDRESSES.b], ...ports });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
});

afterEach(async () => {
  for (const engine of engines) engine.child.kill("SIGKILL");
  await Promise.all(engines.map((engine) => engine.ended()));
  engines = [];
  rmSync(directory, { recursive: true, force: true });
});

function start(member: "a" | "b"): RunningCli {
  const own = ["--relationship", "default/campus", "--member", member, "--dhcp-port", "20067"];
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
}

async function startPair(): Promise<readonly [RunningCli, RunningCli]> {
  const pair = [start("a"), start("b")] as const;
  await Promise.all(pair.map((engine) => engine.until(/"to":"NORMAL"/)));
  return pair;
}

async function stop(engine: RunningCli): Promise<void> {
  engine.child.kill("SIGTERM");
  assert.equal(await engine.ended(), 0);
}

test("a damaged store is kept, replaced, told of, and its leases come from the partner", async () => {
  const [, b] = await startPair();
  await stop(b);
  const leases = join(directory, "b", "leases");
  const segment = join(leases, readdirSync(leases).find((name) => name.startsWith("segment-"))!);
  const bytes = readFileSync(segment);
  bytes[60]! ^= 0xff;
  writeFileSync(segment, bytes);
  const verdict = await runCli(["store", "verify", "--data-dir", join(directory, "b")]);
  assert.deepEqual([verdict.code, verdict.stdout], [3, ""]);
  const again = start("b");
  await again.until(/"event":"store-set-aside"/);
  await again.until(/"to":"RECOVER-WAIT"/);
  const metrics = await (await fetch(`http://${ADDRESSES.b}:29647/metrics`)).text();
  assert.match(metrics, /leasepair_store_damaged\{[^}]*\} 1/);
  assert.ok(readdirSync(leases).some((name) => name.startsWith("damaged-1-segment-")));
});

test("a copy from before the latest run is recognised by the partner, and so is one that restore put in place", async () => {
  const [, b] = await startPair();
  await stop(b);
  cpSync(join(directory, "b"), join(directory, "backup"), { recursive: true });
  const second = start("b");
  await second.until(/"to":"NORMAL"/);
  await stop(second);
  rmSync(join(directory, "b", "leases"), { recursive: true });
  cpSync(join(directory, "backup", "leases"), join(directory, "b", "leases"), { recursive: true });
  const copy = start("b");
  await copy.until(/"event":"store-outdated"/);
  await copy.until(/"to":"RECOVER-WAIT"/);
  const args = ["store", "restore", "--data-dir", join(directory, "b"), "--from", join(directory, "backup")];
  const refused = await runCli(args);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, new RegExp(`in use by .*pid ${copy.child.pid}`));
  await stop(copy);
  const beside = await runCli(args.with(3, directory));
  assert.equal(beside.code, 2);
  assert.match(beside.stderr, /members' stores lie below it; name one of them, such as \S+\/(a|b|backup)\n/);
  const restored = await runCli(args);
  assert.deepEqual([restored.code, restored.stderr], [0, ""]);
  assert.match(restored.stdout, /kept: .*leases\.replaced-1/);
  const last = start("b");
  await last.until(/"event":"store-outdated"/);
  await last.until(/"to":"RECOVER-WAIT"/);
});
