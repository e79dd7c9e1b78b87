// Both stores of a pair lost on a real cluster, and a backup of one put in place as docs/runbooks/store-lost.md says, word for word, with
// its pod: whoever had a lease when the backup was made keeps it, and nobody else is given its address.

import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { run } from "../../dev/lib/run.ts";
import { CLIENTS, NEWCOMER_EVERY_MS } from "./disturbance.ts";
import { deletePod, podOf } from "./faults.ts";
import { condition, LEASES, memberStatus, PAIR, pairObjects, SERVERS } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";
import { ROOT, type } from "./typed.ts";

const RUNBOOK = join(ROOT, "docs", "runbooks", "store-lost.md");
const POD = join(ROOT, "docs", "runbooks", "store-restore.yaml");
const ENGINE_UID = "10001";
/** Longer than nobody is served. */
const LEASE_SECONDS = 900;
const LEASE_TIME = { defaultSeconds: LEASE_SECONDS, minSeconds: 60, maxSeconds: LEASE_SECONDS, ...LEASES };
/** Every client has renewed twice, and so has its whole lease; newcomers have gone. */
const QUIET_MS = 15_000;
const BACKUP = "/var/lib/backup/a";
const SERVED_MS = 240_000;

describe("both stores lost on a real cluster", { skip: clusterUnmet(), timeout: 1_200_000 }, () => {
  const pair = runningPair(pairObjects({ scopeDefaults: { leaseTime: LEASE_TIME } }));

  it("a backup of one restored by the runbook: every lease in it still stands, and none is given twice", async () => {
    const { cluster, disturb } = pair;
    const { fleet } = disturb;
    const store = () => memberStatus(cluster, "a")["store"];
    const backedUp = store();
    let before: Readonly<Record<string, string>> = {};
    await disturb.with("both stores lost, a backup of one restored", async () => {
      // Of what is given after the backup nobody would know.
      fleet.welcome(0);
      await pause(QUIET_MS);
      before = await fleet.addresses();
      const uid = cluster.kubectl("get", "dhcpfo", PAIR, "--output", "jsonpath={.metadata.uid}");
      backUp(uid);
      await loseStores(uid);
      // A crowd waits by the time that somebody is served again: whoever forgot a lease gives its address away then.
      fleet.welcome(NEWCOMER_EVERY_MS);
      followRunbook(uid);
      const longestSilence = async () => {
        const ofA = await fleet.silence(SERVERS.a);
        return Math.max(ofA.newClient, (await fleet.silence(SERVERS.b)).newClient);
      };
      await eventually("both serve new clients", SERVED_MS, longestSilence, (seen) => seen < 2_000);
    });
    const after = await fleet.addresses();
    assert.equal(Object.keys(before).length, CLIENTS);
    const kept = Object.keys(before).map((client) => [client, after[client]]);
    assert.deepEqual(Object.fromEntries(kept), before);
    assert.equal(store(), backedUp);
    assert.equal(condition(cluster, "WitnessHealthy"), "True Reading");
  });

  /** While its engine runs, as a program for backups does it. */
  function backUp(uid: string): void {
    const node = pair.cluster.node(1);
    const copy = node.path(BACKUP);
    cpSync(node.path(`/var/lib/leasepair/${uid}/a`), copy, { recursive: true });
    run("chown", "-R", ENGINE_UID, copy);
  }

  /** New disks in both nodes, say: what comes up finds nothing, and waits for a human. */
  async function loseStores(uid: string): Promise<void> {
    const { cluster } = pair;
    for (const node of [1, 2] as const)
      rmSync(cluster.node(node).path(`/var/lib/leasepair/${uid}`), { recursive: true });
    for (const node of [1, 2] as const) await deletePod(cluster, podOf(node));
    const witness = () => condition(cluster, "WitnessHealthy");
    await eventually("the loss is told", 120_000, witness, (seen) => seen === "False StoresLost");
  }

  function followRunbook(uid: string): void {
    const { cluster } = pair;
    const { stop, restore, start } = runbook();
    const follow = (lines: readonly string[]) =>
      lines.map((line) => type(cluster, line, cluster.directory)).join("");
    follow(stop);
    writePod(uid);
    assert.match(follow(restore), /sound: store \S+ of member a of default\/campus .*\nrestored: \d+ leases/);
    follow(start);
  }

  /** What the page and the pod's own comment say is to be written in. */
  function writePod(uid: string): void {
    const text = readFileSync(POD, "utf8")
      .replace("/backup/a\n", `${BACKUP}\n`)
      .replace("/UID/a\n", `/${uid}/a\n`);
    assert.match(text, /nodeName: node-1\n/);
    writeFileSync(join(pair.cluster.directory, "store-restore.yaml"), text);
  }
});

/** The lines that the runbook has for a cluster: before the pod, with it, and after it. */
function runbook() {
  const page = readFileSync(RUNBOOK, "utf8");
  const restoring = page.slice(page.indexOf("## Restoring on purpose")).split("\n## ")[0] ?? "";
  const lines = [...restoring.matchAll(/^ {7}(kubectl .*)$/gm)].map(([, line = ""]) =>
    line.replaceAll("NAMESPACE", "default").replaceAll("NAME", PAIR),
  );
  const first = lines.findIndex((line) => line.includes("store-restore"));
  const end = lines.findLastIndex((line) => line.includes("store-restore")) + 1;
  const [stop, restore, start] = [lines.slice(0, first), lines.slice(first, end), lines.slice(end)];
  assert.deepEqual([stop.length, restore.length, start.length], [3, 5, 4], lines.join("\n"));
  return { stop, restore, start };
}
