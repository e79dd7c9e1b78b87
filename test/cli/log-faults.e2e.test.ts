// A log that cannot be written costs lines, never leases: the engine comes up, answers, counts, and stops in order.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, startCli } from "./run-cli.ts";

const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const METRICS_PORT = 29_647;
const STOP_MS = 8_000;

const TO_FULL_DEVICE = ["sh", "-c", 'exec "$0" "$@" > /dev/full'];

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-log-faults-"));
  mkdirSync(join(directory, "manifests"));
  const addresses = [`${NETWORK}.63`, `${NETWORK}.64`] as const;
  const yaml = campusYaml({ addresses, metricsPort: METRICS_PORT, linkPort: 26_470, leaseSeconds: 600 });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
});
after(() => rmSync(directory, { recursive: true, force: true }));

function startEngine(name: string, wrapper: readonly string[] = []): RunningCli {
  const args = ["--relationship", "default/campus", "--member", "a", "--dhcp-port", "20067", "--clear-link"];
  const paths = ["--manifests", join(directory, "manifests"), "--data-dir", join(directory, name)];
  return startCli(["engine", ...args, ...paths], {}, wrapper);
}

async function metrics(process: RunningCli): Promise<string> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return await (await fetch(`http://${NETWORK}.63:${METRICS_PORT}/metrics`)).text();
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error(`never came up: ${process.errors()}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Stops it; resolves to the exit code, null when it had to be killed. */
async function stop(process: RunningCli, signal: NodeJS.Signals): Promise<number | null> {
  process.child.kill(signal);
  const timeout = setTimeout(() => process.child.kill("SIGKILL"), STOP_MS);
  const code = await process.ended();
  clearTimeout(timeout);
  return code;
}

async function assertServesAndStops(engine: RunningCli): Promise<void> {
  try {
    await metrics(engine);
    assert.match(await metrics(engine), /leasepair_log_lines_lost_total\{[^}]*\} [1-9]/);
    assert.equal(await stop(engine, "SIGTERM"), 0, engine.errors());
    assert.equal(engine.errors(), "");
  } finally {
    engine.child.kill("SIGKILL");
    await engine.ended();
  }
}

test("an engine whose log is on a full file system serves, counts what is lost, and stops in order", async () => {
  await assertServesAndStops(startEngine("full", TO_FULL_DEVICE));
});

test("so does one whose log nobody reads any more", async () => {
  const engine = startEngine("unread");
  engine.child.stdout?.destroy();
  await assertServesAndStops(engine);
});

test("so does a controller, which a closed terminal stops", async () => {
  const kubeconfig = join(directory, "nowhere.kubeconfig");
  const context = { cluster: "c", user: "u" };
  const nowhere = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1", "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context }],
    "current-context": "x",
  };
  writeFileSync(kubeconfig, JSON.stringify(nowhere));
  const args = ["--image", "leasepair:dev", "--kubeconfig", kubeconfig, "--no-leader-election"];
  const at = ["--metrics-address", `${NETWORK}.63:${METRICS_PORT}`, "--log-level", "debug"];
  const controller = startCli(["controller", ...args, ...at], {}, TO_FULL_DEVICE);
  try {
    await metrics(controller);
    // Time for a watch to fail, which is logged.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await metrics(controller);
    assert.equal(await stop(controller, "SIGHUP"), 0, controller.errors());
    assert.equal(controller.errors(), "");
  } finally {
    controller.child.kill("SIGKILL");
    await controller.ended();
  }
});
