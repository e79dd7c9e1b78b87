// Stores in PersistentVolumeClaims on a real cluster: a claim without a volume is told with what to do, a store survives its
// pod, goes along to another node where its volume can be used and is refused where it cannot, and is found again by the
// relationship that follows a deleted one.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { Disturbance } from "./disturbance.ts";
import { condition, memberStatus, PAIR, pairObjects, states, untilNormal } from "./pair-objects.ts";

const CLASS = "stores";
const STORAGE = {
  type: "PersistentVolumeClaim",
  persistentVolumeClaim: { storageClassName: CLASS, size: "64Mi" },
};

describe("stores in claims on a real cluster", { skip: clusterUnmet(), timeout: 600_000 }, () => {
  let cluster: Cluster;
  let disturb: Disturbance;
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
  });
  after(async () => {
    await disturb?.fleet.stop();
    await cluster?.stop();
  });

  const message = (type: string) =>
    cluster.kubectl(
      "get",
      "dhcpfo",
      PAIR,
      "--output",
      `jsonpath={.status.conditions[?(@.type=="${type}")].message}`,
    );
  const stores = () => [memberStatus(cluster, "a")["store"], memberStatus(cluster, "b")["store"]];
  const nodeOf = (pod: string) => cluster.kubectl("get", "pod", pod, "--output", "jsonpath={.spec.nodeName}");
  const patch = (spec: object) =>
    cluster.kubectl("patch", "dhcpfo", PAIR, "--type=merge", "--patch", JSON.stringify({ spec }));

  it("says which claim has no volume, and what it needs; with volumes both become NORMAL", async () => {
    cluster.apply(storageClass());
    cluster.apply(pairObjects({ storage: STORAGE }));
    const isTold = (seen: string) =>
      /find available persistent volumes.*-a of a has no volume yet/.test(seen);
    const told = await eventually("told", 60_000, () => message("Ready"), isTold);
    assert.match(told, /needs a volume of 64Mi with ReadWriteOncePod from StorageClass stores/);
    assert.equal(condition(cluster, "Ready"), "False VolumeClaimPending");
    // What is local to node 1, and what plays a volume of the network that nodes 2 and 3 can attach.
    cluster.apply([volume(cluster, "one", ["node-1"]), volume(cluster, "two", ["node-2", "node-3"])]);
    await untilNormal(cluster);
    const bound = cluster.kubectl("get", "pvc", "--output", "jsonpath={.items[*].spec.volumeName}");
    assert.equal(bound, "one two");
  });

  it("keeps store and leases while a pod is deleted and made anew", async () => {
    const before = stores();
    disturb = await Disturbance.start(cluster, pairObjects({ storage: STORAGE }));
    await disturb.with("pod with a claim deleted", async () => {
      cluster.kubectl("delete", "pod", `${PAIR}-a-0`, "--wait");
    });
    assert.deepEqual(stores(), before);
  });

  it("refuses a node that cannot use the volume, and takes the store along to one that can", async () => {
    const before = stores();
    const { spec } = cluster.get("dhcpfo", PAIR) as { spec: { members: object[] } };
    const [a, b] = spec.members;
    patch({ members: [{ ...a, nodeName: "node-3" }, b] });
    await eventually(
      "refused",
      20_000,
      () => condition(cluster, "Accepted"),
      (seen) => seen === "False VolumeOnOtherNode",
    );
    assert.match(
      message("Accepted"),
      /spec\.members\[0\]\.nodeName: Node node-3 cannot use the volume one of member a/,
    );
    assert.equal(nodeOf(`${PAIR}-a-0`), "node-1");
    const moved = { ...b, nodeName: "node-3", address: "10.20.0.13", linkAddress: "10.30.0.13" };
    patch({ members: [a, moved] });
    const nodes = "jsonpath={.spec.template.spec.affinity.nodeAffinity}";
    const wanted = () => cluster.kubectl("get", "statefulset", `${PAIR}-b`, "--output", nodes);
    await eventually("rendered", 20_000, wanted, (seen) => seen.includes("node-3"));
    cluster.kubectl("delete", "pod", `${PAIR}-b-0`, "--wait");
    await eventually(
      "both NORMAL",
      90_000,
      () => `${nodeOf(`${PAIR}-b-0`)} ${states(cluster)}`,
      (seen) => seen === "node-3 Normal Normal",
    );
    assert.deepEqual(stores(), before);
  });

  it("finds its claims again after the relationship was deleted and applied anew", async () => {
    const before = stores();
    const { spec } = cluster.get("dhcpfo", PAIR) as { spec: object };
    cluster.kubectl("delete", "dhcpfo", PAIR, "--wait");
    cluster.kubectl(
      "wait",
      "--for=delete",
      "pod",
      "--selector",
      `leasepair.io/relationship=${PAIR}`,
      "--timeout=60s",
    );
    assert.equal(cluster.kubectl("get", "pvc", "--output", "name").trim().split("\n").length, 2);
    cluster.apply(pairObjects(spec as Record<string, unknown>));
    await untilNormal(cluster);
    assert.deepEqual(stores(), before);
  });

  it("without retain, the claims go with the relationship", async () => {
    patch({ storage: { retain: false } });
    const owned = () =>
      cluster.kubectl("get", "pvc", "--output", "jsonpath={.items[*].metadata.ownerReferences[*].kind}");
    await eventually("owned", 20_000, owned, (seen) => seen === "FailoverRelationship FailoverRelationship");
    cluster.kubectl("delete", "dhcpfo", PAIR, "--wait");
    await eventually(
      "gone",
      60_000,
      () => cluster.kubectl("get", "pvc", "--output", "name"),
      (seen) => seen === "",
    );
  });
});

function storageClass(): object {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: CLASS },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  };
}

/** On this machine's disk, which all nodes share outside of their own directories. */
function directory(cluster: Cluster, name: string): string {
  const path = join(cluster.directory, `volume-${name}`);
  mkdirSync(path, { recursive: true });
  return path;
}

function volume(cluster: Cluster, name: string, nodes: readonly string[]): object {
  const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values: nodes }];
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "64Mi" },
      accessModes: ["ReadWriteOncePod"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: CLASS,
      local: { path: directory(cluster, name) },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}
