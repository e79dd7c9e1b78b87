// The namespace of a pair deleted on a real cluster while clients lease, and made anew with the same files: nothing waits for ever,
// nothing is left of the pair but its stores on the nodes, and who says whose they are finds every lease again.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { OPERATOR_NAMESPACE, startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { ENGINE } from "./faults.ts";
import { condition, LEASES, PAIR, pairObjects, untilNormal } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";
import { ROOT, type } from "./typed.ts";

const NAMESPACE = "dhcp";
/** Longer than nobody is served. */
const LEASE_TIME = { defaultSeconds: 900, minSeconds: 60, maxSeconds: 900, ...LEASES };
/** Every client has renewed twice, and so has its whole lease. */
const RENEWED_MS = 12_000;
/** What the controller says about it later than this is said again and again. */
const SAID_MS = 2_000;
const QUIET_MS = 20_000;
const DATA_ROOT = "/var/lib/leasepair";

describe("the namespace of a pair deleted on a real cluster", {
  skip: clusterUnmet(),
  timeout: 900_000,
}, () => {
  const pair = runningPair(objects(), startInNamespace);

  const stores = () =>
    pair.cluster.kubectl("get", "failovermembers", "--output", "jsonpath={.items[*].status.store}");
  const storeUid = () =>
    pair.cluster.kubectl("get", "dhcpfo", PAIR, "--output", "jsonpath={.status.effective.storeUid}");

  it("nothing is left but the stores on the nodes, and with adoptFrom every lease goes on", async () => {
    const uid = uidByTheGuide(pair.cluster);
    assert.equal(uid, storeUid());
    const before = stores();
    await pair.disturb.with("namespace deleted, its stores adopted", async () => {
      await pause(RENEWED_MS);
      await deleteNamespace();
      assert.deepEqual(storesOnNodes(), [[`${uid}/a`], [`${uid}/b`], []]);
      makeNamespace(pair.cluster);
      pair.cluster.apply(objects({ storage: { adoptFrom: uid } }));
      await untilNormal(pair.cluster);
    });
    assert.equal(stores(), before);
    assert.equal(storeUid(), uid);
  });

  it("without retain nothing waits either: the stores stay, and the same files begin with nothing", async () => {
    const { cluster, disturb } = pair;
    const uid = storeUid();
    const before = stores();
    await disturb.fleet.stop();
    const spec = JSON.stringify({ spec: { storage: { retain: false } } });
    cluster.kubectl("patch", "dhcpfo", PAIR, "--type=merge", "--patch", spec);
    const finalizers = "jsonpath={.items[*].metadata.finalizers[*]}";
    const held = () => cluster.kubectl("get", "failovermembers", "--output", finalizers);
    await eventually("told", 20_000, held, (seen) => seen === "leasepair.io/store leasepair.io/store");
    await deleteNamespace();
    assert.deepEqual(storesOnNodes(), [[`${uid}/a`], [`${uid}/b`], []]);
    makeNamespace(cluster);
    cluster.apply(objects());
    await untilNormal(cluster);
    assert.equal(condition(cluster, "LinkSecure"), "True MutualTLS");
    assert.notEqual(storeUid(), uid);
    assert.notEqual(stores(), before);
  });

  /** With all that was in it, soon, and the controller has done with it. */
  async function deleteNamespace(): Promise<void> {
    const { cluster } = pair;
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s");
    const gone = Date.now();
    const engines = cluster.nodes.flatMap((node) => node.processes(ENGINE));
    assert.deepEqual(engines, []);
    await pause(QUIET_MS);
    assert.deepEqual(complaints(gone + SAID_MS), []);
  }

  /** What the controllers have warned of in this namespace since `from` (Date.now()). */
  function complaints(from: number): readonly LogLine[] {
    const pods = ["--selector", "app.kubernetes.io/component=controller", "--tail=-1"];
    const text = pair.cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "logs", ...pods);
    const lines = text.split("\n").filter((line) => line.startsWith("{"));
    return lines
      .map((line) => JSON.parse(line) as LogLine)
      .filter(({ level, namespace }) => namespace === NAMESPACE && /^(warn|error)$/.test(level))
      .filter(({ time }) => Date.parse(time) > from);
  }

  /** UID/member of the stores on each node. */
  function storesOnNodes(): readonly (readonly string[])[] {
    return pair.cluster.nodes.map((node) =>
      globSync("*/*/leases", { cwd: node.path(DATA_ROOT) }).map((path) => dirname(path)),
    );
  }
});

interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly namespace?: string | null;
}

/** The cluster with the operator; who types kubectl means the namespace. */
async function startInNamespace(): Promise<Cluster> {
  const cluster = await startOperatorCluster((line) => console.log(line));
  makeNamespace(cluster);
  cluster.kubectl("config", "set-context", "--current", "--namespace", NAMESPACE);
  return cluster;
}

/** The UID as the guide has it written down before the namespace goes. */
function uidByTheGuide(cluster: Cluster): string {
  const guide = readFileSync(join(ROOT, "docs", "guides", "life-of-a-pair.md"), "utf8");
  const [, line = ""] = /^ {4}(kubectl .*custom-columns=.*)$/m.exec(guide) ?? [];
  const [, row = ""] = type(cluster, line.replace("NAMESPACE", NAMESPACE)).split("\n");
  return row.split(/\s+/)[1] ?? "";
}

function makeNamespace(cluster: Cluster): void {
  cluster.kubectl("create", "namespace", NAMESPACE);
}

function objects(spec: Readonly<Record<string, unknown>> = {}): readonly object[] {
  const all = pairObjects({ scopeDefaults: { leaseTime: LEASE_TIME }, ...spec });
  return JSON.parse(JSON.stringify(all).replaceAll('"namespace":"default"', `"namespace":"${NAMESPACE}"`));
}
