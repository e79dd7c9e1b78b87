// A store outlives how its pair is run, on a real cluster with clients leasing all the while: a pair of static pods that
// knows no API is joined by one, its relationship is deleted and another one of another name goes on with the stores, a
// member is moved out and taken back; and in the end nothing is left of it but what shall be.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import type { NodeNumber } from "../../dev/cluster/network.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { run } from "../../dev/lib/run.ts";
import { deletePod, drain, uncordon } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { condition, LEASES, MEMBERS, type MemberName, pairObjects, SERVERS, states } from "./pair-objects.ts";
import { tried } from "./tried.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const STATIC_POD = readFileSync(join(ROOT, "docs", "guides", "static-pod.yaml"), "utf8");
/** As in the guide's static pod. */
const UID = "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42";
const FOLLOWER = "branch";
const CLIENTS = 40;
const NEWCOMER_EVERY_MS = 250;
const MANIFESTS = "/var/lib/kubelet/manifests";
/** What the controller makes for a relationship. */
const KINDS = "statefulset,pod,serviceaccount,role,rolebinding,secret,poddisruptionbudget,failovermember";

const nodeOf = (member: MemberName) => (MEMBERS.indexOf(member) + 1) as NodeNumber;

describe("stores on a real cluster", { skip: clusterUnmet(), timeout: 600_000 }, () => {
  let cluster: Cluster;
  let fleet: Fleet;
  let link: string;
  /** Ids of the stores that the two began with. */
  let stores: readonly string[];
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
    link = join(cluster.directory, "link");
  });
  after(async () => {
    await fleet?.stop();
    await cluster?.stop();
  });

  const ready = (name: string) => () => `${states(cluster)}; Ready ${condition(cluster, "Ready", name)}`;
  const isReady = (seen: string) => seen === "Normal Normal; Ready True Normal";
  const listed = () =>
    cluster.kubectl("get", "failovermembers", "--output", "jsonpath={.items[*].status.store}").split(" ");
  const owned = (name: string) =>
    cluster
      .kubectl("get", KINDS, "--selector", `leasepair.io/relationship=${name}`, "--output", "name")
      .trim();
  const patch = (spec: object) =>
    cluster.kubectl("patch", "dhcpfo", FOLLOWER, "--type=merge", "--patch", JSON.stringify({ spec }));
  /** Nothing that must never happen has happened to the clients so far. */
  const assertUnharmed = async () => {
    const { lost, violations, newcomers } = await fleet.report();
    assert.deepEqual([lost, violations], [0, []]);
    assert.ok(newcomers > 0, "no new client was served");
  };

  it("two static pods are a pair without any API", async () => {
    const leasepair = [process.execPath, join(ROOT, "src/cli/main.ts")] as const;
    run(...leasepair, "certs", "--relationship", "default/campus", "--member", ...MEMBERS, "--out", link);
    for (const member of MEMBERS) startStaticPod(cluster, member, join(link, member));
    const report = (member: MemberName) => {
      const words = [
        "leasepair",
        "status",
        "--local",
        "--data-dir",
        "/var/lib/leasepair",
        "--output",
        "json",
      ];
      return JSON.parse(cluster.kubectl("exec", mirrorPod(member), "--container", "engine", "--", ...words));
    };
    const look = () => MEMBERS.map((member) => tried(() => report(member).state as string)).join(" ");
    await eventually("both NORMAL", 60_000, look, (seen) => seen === "NORMAL NORMAL");
    stores = MEMBERS.map((member) => report(member).store as string);
    fleet = await Fleet.start(cluster, { servers: Object.values(SERVERS), ...LEASES });
    await fleet.add(CLIENTS);
    fleet.welcome(NEWCOMER_EVERY_MS);
    assert.equal(cluster.kubectl("get", "dhcpfo", "--output", "name"), "");
  });

  it("an API joins it: the pods wait for the static ones, and go on with their stores one at a time", async () => {
    for (const member of MEMBERS) {
      const files = `--from-file=${join(link, member)}`;
      cluster.kubectl("create", "secret", "generic", `campus-tls-${member}`, files);
    }
    const joined = { link: { tls: { secretRef: { name: "campus-tls" } } }, storage: { adoptFrom: UID } };
    cluster.apply(pairObjects(joined));
    const words = () => message(cluster, "Ready");
    await eventually("the pods wait", 60_000, words, (seen) =>
      /a has not.*in use by.*b has not.*in use by/.test(seen),
    );
    for (const member of ["b", "a"] as const) {
      rmSync(cluster.node(nodeOf(member)).path(join(MANIFESTS, "leasepair.yaml")));
      const isThere = () =>
        cluster.kubectl("get", "pod", mirrorPod(member), "--ignore-not-found", "--output", "name");
      await eventually("the static pod has ended", 60_000, isThere, (seen) => seen === "");
      // The kubelet would let it wait ever longer.
      await deletePod(cluster, `campus-${member}-0`);
      const state = `jsonpath={.status.state}`;
      const look = () => cluster.kubectl("get", "failovermember", `campus-${member}`, "--output", state);
      await eventually(`${member} is NORMAL again`, 60_000, look, (seen) => seen === "Normal");
    }
    await eventually("Ready", 60_000, ready("campus"), isReady);
    assert.deepEqual(listed(), stores);
    await assertUnharmed();
  });

  it("deleted, its stores are retained, and a relationship of another name goes on with them", async () => {
    const storeUid = "jsonpath={.status.effective.storeUid}";
    assert.equal(cluster.kubectl("get", "dhcpfo", "campus", "--output", storeUid), UID);
    cluster.kubectl("delete", "dhcpfo,dhcpscope", "--all", "--wait");
    cluster.apply(named(pairObjects({ storage: { adoptFrom: UID } })));
    await eventually("Ready", 90_000, ready(FOLLOWER), isReady);
    assert.deepEqual(listed(), stores);
    await assertUnharmed();
    // The owner references did it; the Secret is what keeps in mind where the stores lie.
    await eventually(
      "nothing else is left",
      60_000,
      () => owned("campus"),
      (seen) => seen === "secret/campus-store",
    );
  });

  it("a member that runs elsewhere from now on leaves its store alone, and goes on with it when it is taken back; the node of the other can be drained meanwhile", async () => {
    const { spec } = cluster.get("dhcpfo", FOLLOWER) as { spec: { members: object[] } };
    const elsewhere = { name: "b", external: { dialect: "Leasepair", address: "10.30.0.12" } };
    patch({ partnerDown: { fencing: "None" } });
    const fencing = "jsonpath={.status.effective.fencing}";
    const look = () => cluster.kubectl("get", "dhcpfo", FOLLOWER, "--output", fencing);
    await eventually("fencing is off", 60_000, look, (seen) => seen === "None");
    patch({ members: [spec.members[0], elsewhere] });
    const ofB = () =>
      owned(FOLLOWER)
        .split("\n")
        .filter((name) => /-b(-|$)/.test(name))
        .join(" ");
    await eventually("nothing of b is left", 60_000, ofB, (seen) => seen === "");
    assert.ok(existsSync(cluster.node(2).path(`/var/lib/leasepair/${UID}/b/leases`)));
    // The only pod that is left may be evicted: its partner serves elsewhere, which no budget here can count.
    drain(cluster, 1, "60s");
    uncordon(cluster, 1);
    patch({ members: spec.members });
    await eventually("Ready", 120_000, ready(FOLLOWER), isReady);
    assert.deepEqual(listed(), stores);
    await assertUnharmed();
  });

  it("without retain, deletion takes the stores off both nodes", async () => {
    patch({ storage: { retain: false } });
    const finalizers = "jsonpath={.items[*].metadata.finalizers[*]}";
    const held = () => cluster.kubectl("get", "failovermembers", "--output", finalizers);
    await eventually("told", 20_000, held, (seen) => seen === "leasepair.io/store leasepair.io/store");
    await assertUnharmed();
    cluster.kubectl("delete", "dhcpfo,dhcpscope", "--all", "--wait");
    const left = () => `${owned(FOLLOWER)} ${MEMBERS.flatMap((member) => kept(cluster, member)).join(" ")}`;
    await eventually(
      "nothing is left",
      90_000,
      left,
      (seen) => !/\S/.test(seen.replace(`secret/${FOLLOWER}-store`, "")),
    );
  });
});

function message(cluster: Cluster, type: string): string {
  const path = `jsonpath={.status.conditions[?(@.type=="${type}")].message}`;
  return cluster.kubectl("get", "dhcpfo", "campus", "--output", path);
}

/** The kubelet shows a static pod in the API under its node's name. */
function mirrorPod(member: MemberName): string {
  return `leasepair-${member}-node-${nodeOf(member)}`;
}

/** As the guide has it: manifests and certificates under /etc/leasepair, the pod where the kubelet looks. */
function startStaticPod(cluster: Cluster, member: MemberName, link: string): void {
  const node = cluster.node(nodeOf(member));
  const manifests = join(cluster.directory, "manifests");
  mkdirSync(manifests, { recursive: true });
  for (const [index, object] of pairObjects().entries())
    writeFileSync(join(manifests, `${index}.json`), JSON.stringify(object));
  node.exec("mkdir", "-p", "/etc/leasepair");
  node.exec("cp", "-r", manifests, "/etc/leasepair/manifests");
  node.exec("cp", "-r", link, "/etc/leasepair/link");
  node.exec("chown", "-R", "10001", "/etc/leasepair/link");
  const pod = STATIC_POD.replace("name: leasepair-a", `name: leasepair-${member}`)
    .replace("--member=a", `--member=${member}`)
    .replace(`${UID}/a`, `${UID}/${member}`);
  writeFileSync(node.path(join(MANIFESTS, "leasepair.yaml")), pod);
}

/** The same objects under the follower's name. */
function named(objects: readonly object[]): readonly object[] {
  return JSON.parse(JSON.stringify(objects).replaceAll('"name":"campus"', `"name":"${FOLLOWER}"`));
}

/** What a member's directory on its node still holds; the directory itself stays, the pod that empties it has it mounted. */
function kept(cluster: Cluster, member: MemberName): readonly string[] {
  return readdirSync(cluster.node(nodeOf(member)).path(`/var/lib/leasepair/${UID}/${member}`));
}
