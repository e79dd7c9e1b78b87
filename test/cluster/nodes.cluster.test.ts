// Nodes crashed and drained, several times each while clients lease; power gone for everything at once, and a node rebooted
// while nobody can ask the API, half as often. LEASEPAIR_ROUNDS sets how often.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { PAUSE_IMAGE } from "../../dev/cluster/node.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { CLIENTS, type Disturbance, recordFact } from "./disturbance.ts";
import { CUT_MS, crashNode, drain, ENGINE, uncordon } from "./faults.ts";
import type { Silence } from "./fleet-clients.ts";
import { pairObjects, SERVERS } from "./pair-objects.ts";
import { ROUNDS, rounds } from "./rounds.ts";
import { runningPair } from "./running-pair.ts";

const HALF = Math.max(1, Math.floor(ROUNDS / 2));
/** So long that nobody notices that a node takes half a minute to boot: a member that has nobody to ask serves new clients until
 *  30 s before its lead time is over. */
const LEAD_SECONDS = 600;
const OFF_MS = 3_000;
const BOOT_MS = 120_000;
/** Longer than a kubelet that knows its pods takes to run them: without an API it was never told of any. */
const UNTOLD_MS = 10_000;
/** In the command line of the static pod's process. */
const STATIC_PROCESS = "sleep 86399";
/** Stands for an engine run as docs/guides/static-pod.yaml has it: from a file on the node. */
const STATIC_POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "static", namespace: "default" },
  spec: {
    containers: [
      {
        name: "sleep",
        image: PAUSE_IMAGE,
        imagePullPolicy: "Never",
        command: ["/bin/busybox", ...STATIC_PROCESS.split(" ")],
      },
    ],
  },
};

describe(`the nodes of a pair, ${ROUNDS} times each`, { skip: clusterUnmet() }, () => {
  const pair = runningPair(pairObjects({ maxClientLeadTimeSeconds: LEAD_SECONDS }));

  it("nodes crashed", () =>
    rounds(async (node) => {
      await pair.disturb.with("node crashed", () => crashNode(pair.cluster, node), CUT_MS);
    }));

  it("nodes drained", () =>
    rounds(async (node) => {
      const drained = async () => {
        drain(pair.cluster, node, "60s");
        uncordon(pair.cluster, node);
      };
      await pair.disturb.with("node drained", drained, CUT_MS);
    }));

  it("a power cut of everything, control plane and all nodes: every client keeps its address", () =>
    rounds(async () => {
      await pair.disturb.with("power cut of everything", async () => {
        const held = await pair.disturb.fleet.addresses();
        await Promise.all([
          pair.cluster.controlPlane.crash(),
          ...pair.cluster.nodes.map((node) => node.crash()),
        ]);
        await pause(OFF_MS);
        const began = performance.now();
        const elapsed = () => performance.now() - began;
        const on = Promise.all([
          pair.cluster.controlPlane.powerOn(),
          ...pair.cluster.nodes.map((node) => node.start()),
        ]);
        for (const [whom, words] of [
          ["any", "of a lease that runs"],
          ["newClient", "of a new client"],
        ] as const) {
          const served = async () => elapsed() - (await lastServed(pair.disturb, whom));
          const first = await eventually(`an ACK ${words}`, BOOT_MS, served, (ms) => ms > 0);
          recordSeconds(`power cut of everything: from power-on to the first ACK ${words}`, first);
        }
        await on;
        await pair.disturb.settle();
        recordSeconds("power cut of everything: from power-on until both are NORMAL", elapsed());
        const now = await pair.disturb.fleet.addresses();
        const kept = Object.keys(held).filter((client) => now[client] === held[client]);
        assert.ok(kept.length >= CLIENTS, `${kept.length} clients have the address that they had`);
      });
    }, HALF));

  it("a node rebooted while the API is down: the other member serves, only static pods come back before the API", () =>
    rounds(async (number) => {
      const node = pair.cluster.node(number);
      const [own, other] = number === 1 ? [SERVERS.a, SERVERS.b] : [SERVERS.b, SERVERS.a];
      writeFileSync(node.path("/var/lib/kubelet/manifests/static.json"), JSON.stringify(STATIC_POD));
      const isRunning = () => node.processes(STATIC_PROCESS).length > 0;
      await eventually("the static pod", BOOT_MS, isRunning, Boolean);
      const reboot = async () => {
        await pair.cluster.controlPlane.end("kube-apiserver");
        await node.crash();
        await node.start();
        await eventually("the static pod again", BOOT_MS, isRunning, Boolean);
        await pause(UNTOLD_MS);
        assert.deepEqual(node.processes(ENGINE), [], "the kubelet was told of no pod, and runs one");
        assert.ok((await pair.disturb.fleet.silence(other)).newClient < CUT_MS);
        const began = performance.now();
        await pair.cluster.controlPlane.restart("kube-apiserver");
        // What the API says of the member is of before the reboot until it has reported again.
        const served = async () => performance.now() - began - (await pair.disturb.fleet.silence(own)).any;
        await eventually("an ACK of the member that was away", BOOT_MS, served, (ms) => ms > 0);
      };
      await pair.disturb.with("node rebooted with the API down", reboot, CUT_MS);
    }, HALF));
});

/** How long both servers have given nothing, in milliseconds. */
async function lastServed({ fleet }: Disturbance, whom: keyof Silence): Promise<number> {
  const a = await fleet.silence(SERVERS.a);
  const b = await fleet.silence(SERVERS.b);
  return Math.min(a[whom], b[whom]);
}

function recordSeconds(what: string, ms: number): void {
  recordFact(what, `${(ms / 1000).toFixed(1)} s`);
}
