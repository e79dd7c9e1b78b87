// Stores in PersistentVolumeClaims on a real cluster: a pair that serves moves into them from host paths, a claim without a volume is
// told with what to do, a store survives its pod, goes along to another node where its volume can be used and is refused where it cannot, and is found again by the
// relationship that follows a deleted one.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { Disturbance } from "./disturbance.ts";
import { deletePod, podShows } from "./faults.ts";
import {
  condition,
  MEMBERS,
  type MemberName,
  memberStatus,
  PAIR,
  pairObjects,
  states,
  untilNormal,
} from "./pair-objects.ts";
import { IN_CLAIMS, storageClass, volume } from "./volumes.ts";

/** The lead time of the pair, and what its clocks may be off. */
const HOLD_MS = 70_000;
/** By then those that waited are served, in a crowd and on a busy machine. */
const SERVED_MS = 15_000;

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
  const nodeOf = (member: MemberName) => podShows(cluster, `${PAIR}-${member}-0`, "{.spec.nodeName}");
  const patch = (spec: object) =>
    cluster.kubectl("patch", "dhcpfo", PAIR, "--type=merge", "--patch", JSON.stringify({ spec }));

  const template = (member: MemberName, path: string) =>
    cluster.kubectl(
      "get",
      "statefulset",
      `${PAIR}-${member}`,
      "--output",
      `jsonpath={.spec.template.spec.${path}}`,
    );
  const claimOf = (member: MemberName) =>
    template(member, 'volumes[?(@.name=="data")].persistentVolumeClaim.claimName');
  const isMoved = async (member: MemberName) => {
    await eventually(
      `${member} is to move`,
      150_000,
      () => claimOf(member),
      (seen) => seen !== "",
    );
  };
  const remove = (member: MemberName) => deletePod(cluster, `${PAIR}-${member}-0`);
  /** Unix milliseconds; 0 of a member that holds nothing. */
  const heldUntil = (member: MemberName) =>
    Date.parse(String(memberStatus(cluster, member)["heldUntil"])) || 0;

  it("moves both stores from host paths to claims, one after the other, while clients lease", async () => {
    disturb = await Disturbance.start(cluster);
    const before = stores();
    let limitMs = 0;
    const report = await disturb.with("stores moved from host paths to claims", async () => {
      const began = Date.now();
      cluster.apply(storageClass());
      patch({ storage: IN_CLAIMS });
      await isMoved("b");
      await remove("b");
      const isTold = (seen: string) =>
        /find available persistent volumes.*-b of b has no volume yet/.test(seen);
      const told = await eventually("told", 60_000, () => message("Ready"), isTold);
      assert.match(told, /needs a volume of 64Mi with ReadWriteOncePod from StorageClass stores/);
      // Somebody deletes the wrong pod just now: it comes back with the store it had.
      assert.equal(claimOf("a"), "");
      await remove("a");
      // What is local to node 1, and what plays a volume of the network that nodes 2 and 3 can attach.
      cluster.apply([volume(cluster, "one", ["node-1"]), volume(cluster, "two", ["node-2", "node-3"])]);
      await isMoved("a");
      assert.equal(stores()[0], before[0]);
      await remove("a");
      await eventually(
        "a begins anew",
        60_000,
        () => stores()[0],
        (seen) => seen !== before[0],
      );
      // What an empty store's predecessor may have promised runs out first, at both: one lead time without new clients (W10).
      const held = () => MEMBERS.map(heldUntil);
      const both = await eventually("both hold", 60_000, held, (seen) => seen.every((at) => at > Date.now()));
      const served = Math.max(...both);
      assert.ok(served <= Date.now() + HOLD_MS, `held until ${new Date(served).toISOString()}`);
      limitMs = served + SERVED_MS - began;
    });
    const longestMs = Math.max(report.longestWaitMs, report.stillWaitingMs);
    assert.ok(longestMs <= limitMs, `a new client waited ${longestMs} ms, longer than the members said`);
    assert.notEqual(stores()[1], before[1]);
    const bound = cluster.kubectl("get", "pvc", "--output", "jsonpath={.items[*].spec.volumeName}");
    assert.equal(bound, "one two");
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
    assert.equal(nodeOf("a"), "node-1");
    const moved = { ...b, nodeName: "node-3", address: "10.20.0.13", linkAddress: "10.30.0.13" };
    patch({ members: [a, moved] });
    const wanted = () => template("b", "affinity.nodeAffinity");
    await eventually("rendered", 20_000, wanted, (seen) => seen.includes("node-3"));
    await remove("b");
    await eventually(
      "both NORMAL",
      90_000,
      () => `${nodeOf("b")} ${states(cluster)}`,
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

  it("keeps store and leases while a pod is deleted and made anew", async () => {
    // After a store that began anew no address changes hands for one lead time, at one member for longer than at the other.
    const serving = () =>
      cluster.kubectl("get", "failovermembers", "--output", "jsonpath={.items[*].status.serving}");
    await eventually("both serve new clients", 90_000, serving, (seen) => seen === "All All");
    const before = stores();
    // The clients' relay still names the address that b had on its node of before: they wait for a.
    await disturb.with("pod with a claim deleted, the only one that the relay names", () => remove("a"));
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
