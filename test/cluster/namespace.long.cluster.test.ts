// The namespace of a pair deleted on a real cluster while clients lease, and made anew with the same files: nothing waits for ever,
// nothing is left of the pair but its stores on the nodes, and every lease goes on. In claims, which go too, a human is asked.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { CHART, OPERATOR_NAMESPACE, RELEASE, startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { ENGINE } from "./faults.ts";
import { condition, LEASES, PAIR, pairObjects, untilNormal } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";
import { ROOT, type } from "./typed.ts";
import { IN_CLAIMS, storageClass, volume } from "./volumes.ts";

const NAMESPACE = "dhcp";
/** Longer than nobody is served. */
const LEASE_TIME = { defaultSeconds: 900, minSeconds: 60, maxSeconds: 900, ...LEASES };
/** Every client has renewed twice, and so has its whole lease. */
const RENEWED_MS = 12_000;
/** What the controller says about it later than this is said again and again. */
const SAID_MS = 2_000;
const QUIET_MS = 20_000;
const STORES = "jsonpath={.items[*].status.store}";
const DATA_ROOT = "/var/lib/leasepair";
/** As the guide names it. */
const COPY = `leasepair-store.${NAMESPACE}.${PAIR}`;

describe("the namespace of a pair deleted on a real cluster", {
  skip: clusterUnmet(),
  timeout: 1_200_000,
}, () => {
  const pair = runningPair(objects(), startInNamespace);

  const stores = () => pair.cluster.kubectl("get", "failovermembers", "--output", STORES);
  const storeUid = () =>
    pair.cluster.kubectl("get", "dhcpfo", PAIR, "--output", "jsonpath={.status.effective.storeUid}");

  it("nothing is left but the stores on the nodes, and with the same files every lease goes on", async () => {
    const uid = storeUid();
    const before = stores();
    await pair.disturb.with("namespace deleted, the same files applied again", async () => {
      await pause(RENEWED_MS);
      await deleteNamespace();
      assert.deepEqual(storesOnNodes(), [[`${uid}/a`], [`${uid}/b`], []]);
      makeNamespace(pair.cluster);
      pair.cluster.apply(objects());
      await untilNormal(pair.cluster);
    });
    assert.equal(stores(), before);
    assert.equal(storeUid(), uid);
    const of = pair.cluster.kubectl("get", "namespace", NAMESPACE, "--output", "jsonpath={.metadata.uid}");
    assert.deepEqual(copied(pair.cluster), { storeUid: uid, namespaceUid: of });
  });

  it("without the copy too, when who applies them says whose the stores are", async () => {
    const uid = uidByTheGuide(pair.cluster);
    assert.equal(uid, storeUid());
    const before = stores();
    await pair.disturb.with("namespace deleted, its stores adopted", async () => {
      await pause(RENEWED_MS);
      await deleteNamespace();
      pair.cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "delete", "configmap", COPY);
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
    await eventually(
      "no copy",
      20_000,
      () => String(copied(cluster)),
      (seen) => seen === "null",
    );
    await deleteNamespace();
    assert.deepEqual(storesOnNodes(), [[`${uid}/a`], [`${uid}/b`], []]);
    makeNamespace(cluster);
    cluster.apply(objects());
    await untilNormal(cluster);
    assert.equal(condition(cluster, "LinkSecure"), "True MutualTLS");
    assert.notEqual(storeUid(), uid);
    assert.notEqual(stores(), before);
  });

  it("in claims, which go with it, the pair is refused until a human lets it begin with nothing", async () => {
    const { cluster } = pair;
    cluster.apply([storageClass()]);
    // By the time the second pair is made the first one's are released, for good.
    const volumes = ["a", "b"].flatMap((member, i) =>
      [1, 2].map((turn) => volume(cluster, `${member}-${turn}`, [`node-${i + 1}`])),
    );
    cluster.apply(volumes);
    await deleteNamespace();
    // Stores of another kind: a begin on purpose.
    cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "delete", "configmap", COPY);
    makeNamespace(cluster);
    cluster.apply(objects({ storage: IN_CLAIMS }));
    await untilNormal(cluster);
    const before = stores();
    await deleteNamespace();
    makeNamespace(cluster);
    cluster.apply(objects({ storage: IN_CLAIMS }));
    const accepted = () => condition(cluster, "Accepted");
    await eventually("refused", 60_000, accepted, (seen) => seen === "False StoresNotFound");
    const path = `jsonpath={.status.conditions[?(@.type=="Accepted")].message}`;
    const message = cluster.kubectl("get", "dhcpfo", PAIR, "--output", path);
    const [command = ""] = /kubectl -n \S+ delete secret [\w-]+/.exec(message) ?? [];
    const secret = () => cluster.kubectl("get", "secrets", "--output", "name");
    await eventually("the record is back", 20_000, secret, (seen) => seen.includes(`${PAIR}-store`));
    cluster.kubectl("delete", "dhcpfo,dhcpscope", "--all", "--wait");
    type(cluster, command);
    cluster.apply(objects({ storage: IN_CLAIMS }));
    await untilNormal(cluster);
    assert.notEqual(stores(), before);
  });

  it("where the controller may act in named namespaces alone, the stores are found once its rights are there again", async () => {
    const { cluster } = pair;
    const upgrade = (...args: readonly string[]) => {
      const where = ["--namespace", OPERATOR_NAMESPACE, "--wait", "--timeout", "120s"];
      cluster.helm("upgrade", RELEASE, CHART, "--reset-then-reuse-values", ...where, ...args);
    };
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s");
    cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "delete", "configmap", COPY);
    makeNamespace(cluster);
    upgrade("--set", `watchNamespaces={${NAMESPACE}}`);
    cluster.apply(objects());
    await untilNormal(cluster);
    const before = stores();
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s");
    makeNamespace(cluster);
    cluster.apply(objects());
    upgrade();
    await untilNormal(cluster);
    assert.equal(stores(), before);
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

/** What the copy of the store record says; null when there is none. */
function copied(cluster: Cluster): { readonly storeUid: unknown; readonly namespaceUid: unknown } | null {
  const where = ["--namespace", OPERATOR_NAMESPACE, "configmap", COPY, "--ignore-not-found"];
  const text = cluster.kubectl("get", ...where, "--output", "json");
  if (text === "") return null;
  const { data } = JSON.parse(text) as { data: Record<string, unknown> };
  return { storeUid: data["storeUid"], namespaceUid: data["namespaceUid"] };
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
