// Large configurations on a real cluster, with clients leasing meanwhile: 100,000 reservations in sets, then 1,000 scopes.
// What counts is the time from the API server's word that it has the last object until both engines run on all of them, by
// the revision and the time in their logs; what it costs in memory and in waiting clients is written down beside it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { run } from "../../dev/lib/run.ts";
import { compile } from "../../src/api/compile.ts";
import {
  type Parsed,
  parseDHCPReservationSet,
  parseDHCPScope,
  parseFailoverRelationship,
} from "../../src/api/parse.ts";
import { formatIpv4, type Ipv4, parseIpv4 } from "../../src/base/ipv4.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { recordFact } from "./disturbance.ts";
import { ENGINE, replacePod } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { LEASES, MEMBERS, PAIR, SERVERS } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";

const RESERVATIONS = 100_000;
const PER_SET = 1024;
const SCOPES = 1_000;
const LOADED_MS = 120_000;
const LOOK_MS = 2_000;
const TOLD_MS = 600_000;
const CLIENTS = 20;
const MEBIBYTE = 1024;
/** Of /proc; 100 on every Linux. */
const TICKS_A_SECOND = 100;

describe("large configurations on a real cluster", { skip: clusterUnmet() }, () => {
  const pair = runningPair();

  /** Applies the objects and records how long both engines, and then the controller, took to follow. */
  const follow = async (
    what: string,
    objects: readonly object[],
    counts: Readonly<Record<string, number>>,
  ) => {
    const revision = revisionWith(pair.cluster, objects);
    const idle = cpuSeconds(pair.cluster, ENGINE);
    pair.cluster.apply(objects);
    const accepted = Date.now();
    const working = cpuSeconds(pair.cluster, ENGINE);
    const loaded = ((await activatedByBoth(pair.cluster, revision)) - accepted) / 1000;
    const done = cpuSeconds(pair.cluster, ENGINE);
    const used = (before: readonly number[], after: readonly number[]) =>
      after.map((seconds, i) => (seconds - (before[i] ?? 0)).toFixed(1)).join(" and ");
    recordFact(
      `${what}: from the last accepted by the API server to all in force in both engines`,
      `${loaded.toFixed(1)} s, of which the engines used ${used(working, done)} s of CPU at most; ${used(idle, working)} s before it`,
    );
    await told(pair.cluster, counts);
    recordFact(
      `${what}: until the last object's status says that both members serve it`,
      `${((Date.now() - accepted) / 1000).toFixed(0)} s`,
    );
    recordFact(`${what}: most resident memory of the engines`, memories(pair.cluster, ENGINE));
    recordFact(`${what}: most resident memory of the controllers`, memories(pair.cluster, CONTROLLER));
    assert.equal(restarts(pair.cluster), "0 0");
  };

  it("100,000 reservations in sets are in force in both engines, and their clients get them", async () => {
    await pair.disturb.with("100,000 reservations added", async () => {
      await follow("100,000 reservations", [reservedScope(), ...reservationSets()], {
        reservations: RESERVATIONS,
      });
    });
    await withClients(pair.cluster, "10.128.0.1", (addresses) => {
      const expected = Array.from({ length: CLIENTS }, (_, n) => [hardwareOf(n), reservedAddress(n)]);
      assert.deepEqual(addresses, Object.fromEntries(expected));
    });
  });

  it("an engine starts with them from what it keeps", async () => {
    await pair.disturb.with("pod deleted, with 100,000 reservations", () => replacePod(pair.cluster, 1));
    const times = JSON.parse(
      pair.cluster.kubectl("get", "pod", `${PAIR}-a-0`, "--output", "json"),
    ) as PodTimes;
    const started = times.status.containerStatuses[0].state.running.startedAt;
    const ready = times.status.conditions.find(({ type }) => type === "Ready")?.lastTransitionTime ?? "";
    const seconds = (Date.parse(ready) - Date.parse(started)) / 1000;
    recordFact("100,000 reservations: from an engine's start to ready, in whole seconds", `${seconds} s`);
  });

  it("1,000 scopes besides are in force in both engines, and clients in the last of them are served", async () => {
    await pair.disturb.with("1,000 scopes added", () =>
      // Besides these: the two of the pair and the one with the reservations.
      follow("1,000 scopes", manyScopes(), { scopes: SCOPES + 3, reservations: RESERVATIONS }),
    );
    await withClients(pair.cluster, subnetAddress(SCOPES - 1, 1), (addresses) => {
      const prefix = subnetAddress(SCOPES - 1, 0).replace(/0$/, "");
      assert.equal(Object.values(addresses).length, CLIENTS);
      for (const address of Object.values(addresses)) assert.ok(address.startsWith(prefix), address);
    });
  });
});

/** In the command line of a controller's process. */
const CONTROLLER = "leasepair controller";

interface PodTimes {
  readonly status: {
    readonly containerStatuses: readonly [
      { readonly state: { readonly running: { readonly startedAt: string } } },
    ];
    readonly conditions: readonly { readonly type: string; readonly lastTransitionTime: string }[];
  };
}

/** The revision of what the API has once it has these as well. Computed before they are, because their way is timed after. */
function revisionWith(cluster: Cluster, objects: readonly object[]): string {
  const kinds = "failoverrelationships,dhcpscopes,dhcpreservationsets";
  const { items } = JSON.parse(cluster.kubectl("get", kinds, "--output", "json")) as { items: KubeObject[] };
  return revisionOf([...items, ...(objects as readonly KubeObject[])]);
}

/** Date.now() when the later of both engines began to run on the revision. Looks seldom: looking takes of the machine too. */
async function activatedByBoth(cluster: Cluster, revision: string): Promise<number> {
  const look = async () => {
    await pause(LOOK_MS);
    return MEMBERS.map((member) => activatedAt(cluster, member, revision));
  };
  const times = await eventually(
    "both engines to run on it",
    LOADED_MS,
    look,
    (seen) => !seen.includes(null),
  );
  return Math.max(...times.map(Number));
}

/** Waits until the relationship counts so many of them, and each scope and set says that it is served. */
async function told(cluster: Cluster, counts: Readonly<Record<string, number>>): Promise<void> {
  const programmed = '{range .items[*]}{.status.conditions[?(@.type=="Programmed")].status}{" "}{end}';
  const look = () => {
    const counted = Object.entries(counts).map(
      ([name, wanted]) =>
        cluster.kubectl("get", "dhcpfo", PAIR, "--output", `jsonpath={.status.${name}}`) === `${wanted}`,
    );
    const said = cluster.kubectl(
      "get",
      "dhcpscopes,dhcpreservationsets",
      "--output",
      `jsonpath=${programmed}`,
    );
    return `${counted.every(Boolean)} ${
      said
        .trim()
        .split(" ")
        .filter((one) => one !== "True").length
    }`;
  };
  await eventually("all objects to say that they are served", TOLD_MS, look, (seen) => seen === "true 0");
}

/** The revision that these objects compile to. */
function revisionOf(items: readonly KubeObject[]): string {
  const read = <T>(kind: string, parse: (value: unknown) => Parsed<T>) =>
    items.flatMap((item) => {
      const parsed = item.kind === kind ? parse(item) : null;
      return parsed?.kind === "ok" ? [parsed.object] : [];
    });
  const objects = {
    relationships: read("FailoverRelationship", parseFailoverRelationship),
    scopes: read("DHCPScope", parseDHCPScope),
    reservationSets: read("DHCPReservationSet", parseDHCPReservationSet),
    operations: [],
  };
  const result = compile(objects, "default", PAIR, null);
  assert.ok(result.kind === "compiled" && result.rejected.length === 0);
  return result.config.revision;
}

/** Date.now() when the member's engine began to run on the revision; null before. */
function activatedAt(cluster: Cluster, member: string, revision: string): number | null {
  const words = ["logs", `${PAIR}-${member}-0`, "--container", "engine", "--since", "300s"];
  const lines = cluster.kubectl(...words).split("\n");
  const line = lines.find((one) => one.includes("configuration-activated") && one.includes(revision));
  return line === undefined ? null : Date.parse((JSON.parse(line) as { readonly time: string }).time);
}

/** The most memory that each process of the kind has had. */
function memories(cluster: Cluster, program: string): string {
  const pids = cluster.nodes.flatMap((node) => node.processes(program));
  const peaks = pids.map((pid) => {
    const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Math.round(Number(line?.[1]) / MEBIBYTE);
  });
  return `${peaks.sort((a, b) => b - a).join(" and ")} MiB`;
}

/** What each process of the kind has used of the processors so far, both users' and the kernel's part. */
function cpuSeconds(cluster: Cluster, program: string): readonly number[] {
  const pids = cluster.nodes.flatMap((node) => node.processes(program));
  return pids.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  });
}

/** How often both engines were started again in their pods. */
function restarts(cluster: Cluster): string {
  const path = "{range .items[*]}{.status.containerStatuses[0].restartCount}{' '}{end}";
  return cluster.kubectl("get", "pods", "--output", `jsonpath=${path}`).trim();
}

/** Lets clients lease behind a relay of this address, which is the one relay's besides its own. */
async function withClients(
  cluster: Cluster,
  relay: string,
  look: (addresses: Readonly<Record<string, string>>) => void,
): Promise<void> {
  const { network } = cluster;
  run("ip", "-n", network.namespace("relay"), "addr", "add", `${relay}/32`, "dev", "far");
  for (const number of [1, 2]) {
    run("ip", "-n", network.namespace(`n${number}`), "route", "add", `${relay}/32`, "via", "10.20.0.5");
  }
  const fleet = await Fleet.start(cluster, {
    servers: Object.values(SERVERS),
    ...LEASES,
    relay,
    hardware: "06",
  });
  try {
    await fleet.add(CLIENTS);
    look(await fleet.addresses());
  } finally {
    await fleet.stop();
  }
}

const API_VERSION = "leasepair.io/v1alpha1";

function scope(name: string, subnet: string, relay: string, range: { start: string; end: string }): object {
  return {
    apiVersion: API_VERSION,
    kind: "DHCPScope",
    metadata: { name, namespace: "default" },
    spec: { relationshipRef: { name: PAIR }, subnet, relayAddresses: [relay], ranges: [range] },
  };
}

function reservedScope(): object {
  return scope("reserved", "10.128.0.0/15", "10.128.0.1", { start: "10.129.255.0", end: "10.129.255.250" });
}

/** The nth client, from 0, of the fleet that asks for reserved addresses. */
function hardwareOf(index: number): string {
  return `06${(index + 1).toString(16).padStart(10, "0")}`;
}

function reservedAddress(index: number): string {
  return formatIpv4(((parseIpv4("10.128.1.0") ?? 0) + index) as Ipv4);
}

function reservationSets(): readonly object[] {
  const entries = Array.from({ length: RESERVATIONS }, (_, index) => ({
    address: reservedAddress(index),
    hardwareAddress: hardwareOf(index).replaceAll(/(..)(?=.)/g, "$1:"),
  }));
  return Array.from({ length: Math.ceil(RESERVATIONS / PER_SET) }, (_, number) => ({
    apiVersion: API_VERSION,
    kind: "DHCPReservationSet",
    metadata: { name: `reserved-${number}`, namespace: "default" },
    spec: {
      scopeRef: { name: "reserved" },
      entries: entries.slice(number * PER_SET, (number + 1) * PER_SET),
    },
  }));
}

/** An address of the subnet of the nth scope, from 0. */
function subnetAddress(index: number, host: number): string {
  return formatIpv4(((parseIpv4("10.64.0.0") ?? 0) + index * 256 + host) as Ipv4);
}

function manyScopes(): readonly object[] {
  return Array.from({ length: SCOPES }, (_, index) => {
    const at = (host: number) => subnetAddress(index, host);
    return scope(`many-${index}`, `${at(0)}/24`, at(1), { start: at(10), end: at(250) });
  });
}
