// storage.retain false: with the relationship go its stores, each removed by a pod on its node; and everything that keeps one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime } from "../../src/base/time.ts";
import { unixSeconds } from "../../src/base/units.ts";
import {
  REMOVAL_RETRY_SECONDS,
  type Removal,
  removalEffects,
  removalRetryAt,
} from "../../src/controller/decide/removal.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import { isReady, until } from "./life.ts";
import { kindsOf, NOW, OPTIONS } from "./observed-fixture.ts";
import { FAULTS, KEY, PairWorld, TestController } from "./pair-world.ts";

type Json = Record<string, unknown>;

async function forgetful(world = new PairWorld(), controller = new TestController(world)) {
  world.patch("FailoverRelationship", "campus", { spec: { storage: { retain: false } } });
  await until(world, [controller], "both NORMAL", () => isReady(world));
  for (let look = 0; look < 4; look++) await controller.look();
  const { metadata, spec, apiVersion = "", kind = "" } = world.get("FailoverRelationship", "campus");
  const again = () => {
    const object = { apiVersion, kind, metadata: { name: "campus", namespace: "default" }, spec };
    return world.create("FailoverRelationship", "default", object).metadata.uid ?? "";
  };
  return { world, controller, uid: metadata.uid ?? "", again };
}

const removers = (world: PairWorld) => world.names("Pod").filter((name) => name.endsWith("-forget"));

/** The kubelets run the pods that remove stores, with this end. */
function finish(world: PairWorld, phase: string): void {
  const terminated = { finishedAt: formatTime(unixSeconds(world.nowMs / 1000)) };
  const status = { phase, containerStatuses: [{ name: "forget", state: { terminated } }] };
  for (const name of removers(world)) world.patch("Pod", name, { status }, "status");
}

test("the stores go with the relationship: one pod for each, on its node, then nothing is left; the next of its name begins anew", async () => {
  const { world, controller, uid, again } = await forgetful();
  world.delete("FailoverRelationship", "campus");
  assert.throws(() => world.get("FailoverRelationship", "campus"), "it waits for nothing itself");
  assert.deepEqual(world.names("FailoverMember"), ["campus-a", "campus-b"]);
  await controller.look();
  assert.deepEqual(removers(world), ["campus-a-forget", "campus-b-forget"]);
  const spec = JSON.stringify(world.get("Pod", "campus-b-forget")["spec"]);
  assert.ok(spec.includes(`"hostPath":{"path":"/var/lib/leasepair/${uid}/b"`), spec);
  assert.ok(
    spec.includes(`["store","forget","--data-dir","/var/lib/leasepair","--member","b","--uid","${uid}"]`),
    spec,
  );
  assert.ok(spec.includes('"key":"metadata.name","operator":"In","values":["node-2"]'), spec);
  assert.equal(await controller.look(), 0, "it waits for them");

  const next = again();
  for (let look = 0; look < 3; look++) await controller.look();
  assert.equal(world.condition("Accepted")["reason"], "ObjectConflict", "the next one waits, too");

  const [failed] = removers(world).map((name) => world.get("Pod", name).metadata.uid);
  finish(world, "Failed");
  assert.equal(
    await controller.look(),
    0,
    "not at once: it would be made and fail once a second, and nobody could read why",
  );
  world.nowMs += REMOVAL_RETRY_SECONDS * 1000;
  for (let look = 0; look < 2; look++) await controller.look();
  assert.deepEqual(removers(world).length, 2, "made again");
  assert.notEqual(world.get("Pod", "campus-a-forget").metadata.uid, failed);
  finish(world, "Succeeded");
  await controller.look();
  assert.deepEqual(removers(world), []);
  await until(world, [controller], "both NORMAL", () => isReady(world));
  const { storagePath } = world.status("FailoverRelationship", "campus")["effective"] as Json;
  assert.equal(storagePath, `/var/lib/leasepair/${next}`);
});

test("a container that something in the cluster has put beside it, and that runs on, keeps nobody waiting", async () => {
  const { world, controller } = await forgetful();
  world.delete("FailoverRelationship", "campus");
  await controller.look();
  const beside = { name: "istio-proxy", state: { running: {} } };
  const ends = (exitCode: number) => {
    const finishedAt = formatTime(unixSeconds(world.nowMs / 1000));
    const containerStatuses = [beside, { name: "forget", state: { terminated: { exitCode, finishedAt } } }];
    for (const name of removers(world))
      world.patch("Pod", name, { status: { phase: "Running", containerStatuses } }, "status");
  };
  ends(1);
  world.nowMs += (REMOVAL_RETRY_SECONDS + 1) * 1000;
  await controller.look();
  assert.deepEqual(removers(world), []);
  await controller.look();
  assert.equal(removers(world).length, 2);
  ends(0);
  await controller.look();
  assert.deepEqual([...world.names("FailoverMember"), ...removers(world)], []);
});

test("retained again before it is deleted, the stores stay, and are gone on with", async () => {
  const { world, controller, uid, again } = await forgetful();
  world.patch("FailoverRelationship", "campus", { spec: { storage: { retain: true } } });
  for (let look = 0; look < 4; look++) await controller.look();
  world.delete("FailoverRelationship", "campus");
  await controller.look();
  assert.deepEqual([removers(world), world.names("FailoverMember")], [[], []]);
  again();
  world.patch("FailoverRelationship", "campus", { spec: { storage: { retain: true } } });
  for (let look = 0; look < 4; look++) await controller.look();
  assert.ok(JSON.stringify(world.get("StatefulSet", "campus-a")["spec"]).includes(`/${uid}/a`));
});

test("a cache that does not see the relationship costs no store: the API itself is asked", async () => {
  const { world } = await forgetful();
  // The member object alone is deleted, and the cache has lost the relationship.
  world.delete("FailoverMember", "campus-b");
  world.delete("StatefulSet", "campus-b");
  const blind = new TestController(world, { hides: "FailoverRelationship" });
  for (let look = 0; look < 3; look++) await blind.look();
  assert.deepEqual(removers(world), []);
  const seeing = new TestController(world);
  for (let look = 0; look < 3; look++) await seeing.look();
  assert.notEqual(world.get("FailoverMember", "campus-b").metadata.finalizers, undefined, "made anew");
  assert.equal(world.get("FailoverMember", "campus-b").metadata.deletionTimestamp, undefined);
});

test("in a namespace that is going no pod can be made: the stores stay, and nothing holds the namespace back", async () => {
  const { world } = await forgetful();
  world.delete("FailoverRelationship", "campus");
  const message =
    'pods "campus-a-forget" is forbidden: unable to create new content because it is being terminated';
  const refused = new KubeError({ status: 403, reason: "Forbidden", message });
  await new TestController(world, { refusesToCreate: refused }).look(KEY);
  assert.deepEqual([world.names("FailoverMember"), removers(world)], [[], []]);
});

/** Deletes the relationship and goes on until nothing waits; gives the writes that it took. */
async function removed(world: PairWorld, controller: TestController): Promise<number> {
  world.delete("FailoverRelationship", "campus");
  for (let look = 0; look < 8; look++) {
    await controller.look();
    finish(world, "Succeeded");
  }
  assert.deepEqual([world.names("FailoverMember"), removers(world)], [[], []]);
  return controller.writes;
}

test("a fault at any write ends in the same place: both stores removed, each by one pod", async () => {
  const { world } = await forgetful();
  const writes = await removed(world, new TestController(world));
  assert.ok(writes >= 5, `${writes} writes`);
  for (const kind of FAULTS) {
    for (let nth = 1; nth <= writes; nth++) {
      const { world: struck } = await forgetful();
      const made: string[] = [];
      struck.objects.store.subscribe(({ type, object }) => {
        if (type === "ADDED" && object.metadata.name?.endsWith("-forget")) made.push(object.metadata.name);
      });
      const controller = new TestController(struck, { fault: { nth, kind } });
      await removed(struck, controller);
      assert.deepEqual(made.sort(), ["campus-a-forget", "campus-b-forget"], `${kind} at write ${nth}`);
      assert.ok(controller.struck, `${kind} at write ${nth}`);
    }
  }
});

const removal = (changes: Partial<Removal> = {}): Removal => ({
  store: {
    namespace: "dhcp",
    relationship: "campus",
    member: "a",
    node: "node-1",
    storeUid: "uid-of-store",
    memberObject: { apiVersion: "leasepair.io/v1alpha1", name: "campus-a", uid: "uid-of-member" },
  },
  resourceVersion: "7",
  otherFinalizers: [],
  ownerUid: "uid-of-campus",
  isOwnerThere: false,
  isInUse: false,
  isNodeThere: true,
  hasEngine: false,
  pod: null,
  ...changes,
});
const pod = (phase: string, secondsAgo = 0) => ({
  name: "campus-a-forget",
  uid: "u",
  resourceVersion: "1",
  phase,
  endedAt: unixSeconds(NOW - secondsAgo),
  lastWords: "the disk is read-only",
});

for (const [what, changes, expected, kept] of [
  ["nothing keeps it", {}, ["create Pod campus-a-forget"], undefined],
  ["its engine has not ended yet", { hasEngine: true }, [], undefined],
  ["the pod is at it", { pod: pod("Running") }, [], undefined],
  ["the pod has done it", { pod: pod("Succeeded") }, ["release-member campus-a"], null],
  ["the pod has just failed", { pod: pod("Failed", REMOVAL_RETRY_SECONDS - 1) }, [], undefined],
  [
    "the pod failed a while ago",
    { pod: pod("Failed", REMOVAL_RETRY_SECONDS) },
    ["delete-pod campus-a-forget", "event StoreNotRemoved"],
    undefined,
  ],
  ["its relationship is there", { isOwnerThere: true }, ["release-member campus-a"], /still there/],
  ["another goes on with it", { isInUse: true }, ["release-member campus-a"], /another relationship/],
  [
    "another goes on with it, and a pod was made",
    { isInUse: true, pod: pod("Pending") },
    ["release-member campus-a"],
    /another relationship/,
  ],
  ["its node is gone", { isNodeThere: false }, ["release-member campus-a"], /node node-1 is gone/],
] as const) {
  test(`a store that is not retained: ${what}`, () => {
    const effects = removalEffects([removal(changes as Partial<Removal>)], OPTIONS, NOW);
    assert.deepEqual(kindsOf(effects), expected);
    const [effect] = effects;
    if (effect?.kind !== "release-member") return;
    if (kept === null) assert.equal(effect.kept, null);
    else assert.match(effect.kept ?? "", kept ?? /never/);
  });
}

test("somebody else's finalizers stay", () => {
  const [effect] = removalEffects([removal({ otherFinalizers: ["theirs"], isInUse: true })], OPTIONS, NOW);
  assert.deepEqual(effect?.kind === "release-member" && effect.finalizers, ["theirs"]);
});

test("a failed pod is looked at again when it is due; one that runs tells by itself", () => {
  const removals = [
    removal({ pod: pod("Failed", 10) }),
    removal({ pod: pod("Failed", 20) }),
    removal({ pod: pod("Running") }),
  ];
  assert.equal(removalRetryAt(removals), NOW - 20 + REMOVAL_RETRY_SECONDS);
  assert.equal(removalRetryAt([removal({ pod: pod("Running") })]), null);
});

test("why a store could not be removed is told on its FailoverMember", () => {
  const [, told] = removalEffects([removal({ pod: pod("Failed", REMOVAL_RETRY_SECONDS) })], OPTIONS, NOW);
  assert.equal(told?.kind, "event");
  if (told?.kind !== "event") return;
  assert.deepEqual(told.event.regarding, {
    apiVersion: "leasepair.io/v1alpha1",
    kind: "FailoverMember",
    namespace: "dhcp",
    name: "campus-a",
    uid: "uid-of-member",
  });
  assert.match(told.event.note, /node node-1.*the disk is read-only$/);
});
