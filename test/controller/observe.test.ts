import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../src/base/ipv4.ts";
import { formatTime } from "../../src/base/time.ts";
import { unixSeconds } from "../../src/base/units.ts";
import { readVolumes } from "../../src/controller/apply-volumes.ts";
import { automaticStep } from "../../src/controller/decide/automatic.ts";
import { readWitness } from "../../src/controller/decide/witness.ts";
import { newMemory } from "../../src/controller/memory.ts";
import { observe } from "../../src/controller/observe.ts";
import { schedule } from "./life.ts";
import { KEY, PairWorld, TestController } from "./pair-world.ts";

const at = (nowMs: number) => ({
  namespace: "default",
  name: "campus",
  now: unixSeconds(Math.floor(nowMs / 1000)),
});

async function running() {
  const world = new PairWorld();
  const controller = new TestController(world);
  for (let turn = 0; turn < 8; turn++) {
    await controller.look(KEY);
    world.turn();
  }
  return world;
}

test("a relationship that does not exist is observed as null", () => {
  const world = new PairWorld();
  assert.equal(observe(world.cache(), newMemory(), { ...at(world.nowMs), name: "nobody" }), null);
});

test("a report that belongs to an earlier relationship of the same name is not read", async () => {
  const world = await running();
  const seen = () => observe(world.cache(), newMemory(), at(world.nowMs))?.members[0]?.report ?? null;
  assert.equal(seen()?.store, "store-a");
  const [owner] = world.get("FailoverMember", "campus-a").metadata.ownerReferences ?? [];
  world.patch("FailoverMember", "campus-a", {
    metadata: { ownerReferences: [{ ...owner, uid: "earlier" }] },
  });
  assert.equal(seen(), null);
});

test("a member was heard when its report changed before our eyes, whatever its clock says", async () => {
  const world = await running();
  const memory = newMemory();
  const heard = (nowMs: number) => observe(world.cache(), memory, at(nowMs))?.members[0]?.heardAt;
  const said = unixSeconds(Math.floor(world.nowMs / 1000) - 500);
  world.patch("FailoverMember", "campus-a", { status: { reportedAt: formatTime(said) } }, "status");
  assert.equal(heard(world.nowMs), said, "first sight: the report's own word");
  assert.equal(heard(world.nowMs + 60_000), said, "unchanged");
  const slow = formatTime(unixSeconds(said + 10));
  world.patch("FailoverMember", "campus-a", { status: { reportedAt: slow } }, "status");
  assert.equal(heard(world.nowMs + 70_000), Math.floor(world.nowMs / 1000) + 70, "changed: now");
  const future = newMemory();
  world.patch("FailoverMember", "campus-a", { status: { reportedAt: "2099-01-01T00:00:00Z" } }, "status");
  const first = observe(world.cache(), future, at(world.nowMs))?.members[0]?.heardAt;
  assert.equal(first, Math.floor(world.nowMs / 1000), "never later than now");
});

test("relationships of other namespaces are judged along, because they may meet on a node", async () => {
  const world = new PairWorld();
  const campus = world.get("FailoverRelationship", "campus");
  const metadata = { name: "rival", namespace: "default" };
  world.create("FailoverRelationship", "default", { ...campus, metadata, status: {} });
  const seen = observe(world.cache(), newMemory(), { ...at(world.nowMs), name: "rival" });
  assert.equal(seen?.compiled.rejected[0]?.reason, "PortConflictOnNode");
  assert.equal(observe(world.cache(), newMemory(), at(world.nowMs))?.compiled.kind, "compiled");
});

test("nodes' addresses in the subnets that are served are left out, and the status says so", async () => {
  const world = new PairWorld();
  const address = (text: string, type = "InternalIP") => ({ type, address: text });
  for (const [node, addresses] of [
    ["node-2", [address("10.20.0.150"), address("fd00::2")]],
    ["node-1", [address("10.20.0.120"), address("192.0.2.1"), address("10.20.0.121", "ExternalIP")]],
  ] as const) {
    world.patch("Node", node, { status: { addresses } }, "status");
  }
  const controller = new TestController(world);
  for (let turn = 0; turn < 8; turn++) {
    await controller.look(KEY);
    world.turn();
  }
  const wanted = ["10.20.0.120", "10.20.0.150"];
  const effective = world.status("FailoverRelationship", "campus")["effective"] as Record<string, unknown>;
  assert.deepEqual(effective["excludedAddresses"], wanted);
  const seen = observe(world.cache(), newMemory(), at(world.nowMs));
  assert.ok(seen?.compiled.kind === "compiled");
  assert.deepEqual(seen.compiled.config.excludedAddresses.map(formatIpv4), wanted);
  assert.equal(seen.compiled.config.revision, effective["revision"]);
});

test("what an engine says of its clock is read from its conditions", async () => {
  const world = await running();
  const read = (status: string) => {
    const lastTransitionTime = formatTime(unixSeconds(0));
    const condition = {
      type: "ClockSound",
      status,
      reason: "ClocksApart",
      message: "why",
      lastTransitionTime,
    };
    world.patch("FailoverMember", "campus-a", { status: { conditions: [condition] } }, "status");
    return observe(world.cache(), newMemory(), at(world.nowMs))?.members[0]?.report?.clockProblem;
  };
  assert.deepEqual(read("False"), { reason: "ClocksApart", message: "why" });
  assert.equal(read("True"), null);
});

test("what an engine says of a lost carrier is read from its conditions", async () => {
  const world = await running();
  const read = (status: string) => {
    const lastTransitionTime = formatTime(unixSeconds(0));
    const condition = { type: "CarrierPresent", status, reason: "Lost", message: "why", lastTransitionTime };
    world.patch("FailoverMember", "campus-a", { status: { conditions: [condition] } }, "status");
    return observe(world.cache(), newMemory(), at(world.nowMs))?.members[0]?.report?.carrierProblem;
  };
  assert.equal(read("False"), "why");
  assert.equal(read("True"), null);
});

test("what an engine says of a refused partner is read from its conditions, a reason of tomorrow as words alone", async () => {
  const world = await running();
  const read = (reason: string, status = "True") => {
    const condition = {
      type: "LinkRefused",
      status,
      reason,
      message: "why",
      lastTransitionTime: formatTime(unixSeconds(0)),
    };
    world.patch("FailoverMember", "campus-a", { status: { conditions: [condition] } }, "status");
    return observe(world.cache(), newMemory(), at(world.nowMs))?.members[0]?.report?.linkRefusal;
  };
  assert.deepEqual(read("WrongIdentity"), { reason: "WrongIdentity", message: "why" });
  assert.deepEqual(read("NotInventedYet"), { reason: "TermsDiffer", message: "why" });
  assert.equal(read("NotRefused", "False"), null);
  read("WrongIdentity");
  await new TestController(world).look(KEY);
  assert.equal(world.condition("LinkSecure")["reason"], "WrongIdentity");
});

test("whether a member's node can use its volume is known once the volume was read, and follows one made anew", async () => {
  const world = new PairWorld();
  const storage = { type: "PersistentVolumeClaim", persistentVolumeClaim: {} };
  world.patch("FailoverRelationship", "campus", { spec: { storage } });
  const controller = new TestController(world);
  for (let look = 0; look < 3; look++) await controller.look();
  const [claim = ""] = world.names("PersistentVolumeClaim");
  world.patch("PersistentVolumeClaim", claim, { spec: { volumeName: "pv-1" }, status: { phase: "Bound" } });
  const { uid = "" } = world.get("FailoverRelationship", "campus").metadata;
  const memory = newMemory();
  memory.stores.set(uid, {
    relationshipUid: uid,
    storeUid: uid,
    stores: {},
    areRetained: true,
    copy: "current",
  });
  const usable = () => observe(world.cache(), memory, at(world.nowMs))?.members[0]?.claim?.isUsableOnNode;
  assert.equal(usable(), null);
  const asked: string[] = [];
  const read = (answer: () => Promise<object | null>) => {
    const find = (_type: unknown, _namespace: string | null, name: string) => {
      asked.push(name);
      return answer();
    };
    return readVolumes({ find } as never, memory, world.cache(), at(world.nowMs));
  };
  const forbidden = () => Promise.reject(new Error("forbidden"));
  const onNode = (name: string) => () => {
    const matchFields = [{ key: "metadata.name", operator: "In", values: [name] }];
    return Promise.resolve({
      spec: { nodeAffinity: { required: { nodeSelectorTerms: [{ matchFields }] } } },
    });
  };
  await read(forbidden);
  assert.equal(usable(), null, "what cannot be read is not known");
  await read(onNode("node-2"));
  assert.equal(usable(), false, "node-1 cannot");
  await read(onNode("node-1"));
  assert.deepEqual([asked, usable()], [["pv-1", "pv-1"], false], "not at each look");
  world.patch("PersistentVolumeClaim", claim, { status: { phase: "Lost" } }, "status");
  await read(forbidden);
  assert.equal(usable(), false, "a failure makes nothing usable");
  await read(onNode("node-1"));
  assert.equal(usable(), true, "the claim has changed: its volume may be another one");
  world.nowMs += 300_000;
  await read(onNode("node-2"));
  assert.equal(usable(), false, "no event tells of a volume");
  world.delete("PersistentVolumeClaim", claim);
  for (let look = 0; look < 2; look++) await controller.look();
  world.patch("PersistentVolumeClaim", claim, { spec: { volumeName: "pv-1" }, status: { phase: "Bound" } });
  assert.equal(usable(), null, "another claim of the same name");
  await read(onNode("node-1"));
  assert.equal(usable(), true);
  world.nowMs += 300_000;
  await read(() => Promise.resolve(null));
  assert.equal(usable(), null, "it is gone");
});

const OUT_OF_SERVICE = [
  { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" },
];

/** `b` is sent to another node by the spec; `a` has lost it, and it says nothing more. */
async function sentElsewhere(nodeName: string) {
  const world = await running();
  await schedule(world, new TestController(world));
  world.create("Node", null, { metadata: { name: "node-9" }, spec: { taints: OUT_OF_SERVICE } });
  const { members } = world.get("FailoverRelationship", "campus")["spec"] as { members: object[] };
  const [a, b] = members;
  const partnerDown = { fencing: "Witness", automatic: "Enabled", afterSeconds: 86_400 };
  world.patch("FailoverRelationship", "campus", {
    spec: { partnerDown, members: [a, { ...b, nodeName }] },
  });
  const apart = { state: "CommunicationsInterrupted", fencing: "Witness" };
  for (const name of ["campus-a", "campus-b"]) {
    world.patch("FailoverMember", name, { status: apart }, "status");
  }
  const memory = newMemory();
  observe(world.cache(), memory, at(world.nowMs));
  world.nowMs += 60_000;
  world.patch("FailoverMember", "campus-a", { status: { reportedAt: formatTime(unixSeconds(1)) } }, "status");
  const look = (witness: object = {}) => {
    const seen = observe(world.cache(), memory, at(world.nowMs));
    assert.ok(seen);
    const record = { epoch: 3, holder: null, stores: { a: "store-a", b: "store-b" }, ...witness };
    return { b: seen.members[1]!, step: automaticStep(seen, readWitness({ witness: record })) };
  };
  return { world, look };
}

for (const nodeName of ["node-9", "node-22"]) {
  test(`a member that the spec sends to ${nodeName} is judged by the node where its pod is, and then by the one where it was`, async () => {
    const { world, look } = await sentElsewhere(nodeName);
    const held = { holder: "b", holderStore: "store-b" };
    for (const what of ["its pod is there", "its pod is gone"]) {
      const { b, step } = look();
      assert.deepEqual([b.nodeName, b.lastNode, b.node?.name], [nodeName, "node-2", "node-2"], what);
      assert.equal(step.kind, "wait", what);
      assert.equal(look(held).step.kind, "none", `${what}: it holds a grant`);
      world.off.add("b");
      if (world.names("Pod").includes("campus-b-0")) world.delete("Pod", "campus-b-0");
    }
    world.patch("Node", "node-2", { spec: { taints: OUT_OF_SERVICE } });
    assert.equal(look().step.kind, "grant", "the word is on the node where it ran");
    assert.equal(look(held).step.kind, "grant");
  });
}

test("a member that never had a pod on any node is nowhere, whatever the spec names", () => {
  const world = new PairWorld();
  const [a] = observe(world.cache(), newMemory(), at(world.nowMs))?.members ?? [];
  assert.deepEqual([a?.lastNode, a?.node?.name], [null, "node-1"]);
});
