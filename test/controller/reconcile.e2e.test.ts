// The whole loop against the embedded API's objects, from the examples to the fixpoint and through a partner-down; then
// the same again with a fault at every single write, with caches that lag, and with two controllers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CHILD_KINDS } from "../../src/controller/resource-types.ts";
import { SECRET } from "../../src/kube/resource.ts";
import { isReady, until } from "./life.ts";
import { FAULTS, KEY, PairWorld, TestController } from "./pair-world.ts";

type Json = Record<string, unknown>;

const isComplete = (world: PairWorld) =>
  world.condition("Complete", "FailoverOperation", "b-is-off")["status"] === "True";

/** Start, loss of b, partner-down by operation, return of b, grant given back. */
async function life(world: PairWorld, controllers: readonly TestController[]) {
  await until(
    world,
    controllers,
    "both NORMAL",
    () => isReady(world) && world.witness()["stores"] !== undefined,
  );
  world.off.add("b");
  await until(
    world,
    controllers,
    "interrupted",
    () => world.engines["a"]?.["state"] === "CommunicationsInterrupted",
  );
  world.declare("b-is-off", (world.witness()["epoch"] ?? 0) as number);
  await until(world, controllers, "operation complete", () => isComplete(world));
  world.off.delete("b");
  world.engines["b"] = { ...world.engines["b"], state: "Startup" };
  await until(
    world,
    controllers,
    "grant returned",
    () => isReady(world) && world.witness()["holder"] === undefined,
  );
}

async function inWorld(work: (world: PairWorld) => Promise<void>) {
  await work(new PairWorld());
}

const shared = new PairWorld();

test("the example comes up, and at the fixpoint nothing is written", async () => {
  const controller = new TestController(shared);
  await until(shared, [controller], "both NORMAL", () => isReady(shared));
  for (let look = 0; look < 5; look++) {
    shared.turn();
    await controller.look();
  }
  const { revision } = shared.objects.store;
  for (let hour = 0; hour < 48; hour++) {
    shared.nowMs += 3_600_000;
    assert.equal(await controller.look(), 0);
    assert.equal(await new TestController(shared).look(), 0);
  }
  assert.equal(shared.objects.store.revision, revision);
  assert.equal(shared.condition("Accepted", "DHCPScope", "campus-users")["status"], "True");
  assert.equal(shared.condition("Programmed", "DHCPScope", "campus-users")["status"], "True");
});

test("what somebody changes or removes is put back, what others added stays", async () => {
  const controller = new TestController(shared);
  await until(shared, [controller], "both NORMAL", () => isReady(shared));
  shared.patch("StatefulSet", "campus-a", { spec: { replicas: 0 } });
  shared.patch("Role", "campus-b", {
    rules: [],
    metadata: { labels: { "app.kubernetes.io/name": "mine", team: "net" } },
  });
  shared.delete("PodDisruptionBudget", "campus");
  await controller.look();
  assert.equal((shared.get("StatefulSet", "campus-a")["spec"] as { replicas: number }).replicas, 1);
  assert.equal((shared.get("Role", "campus-b")["rules"] as unknown[]).length, 5);
  assert.equal(shared.get("Role", "campus-b").metadata.labels?.["team"], "net");
  assert.equal(shared.get("PodDisruptionBudget", "campus").metadata.name, "campus");
  assert.equal(await controller.look(), 0);
});

test("a scope that names no relationship says so, and recovers when it comes", async () => {
  const scope = shared.get("DHCPScope", "campus-users");
  const spec = { ...(scope["spec"] as object), relationshipRef: { name: "nobody" } };
  const metadata = { name: "lost", namespace: "default" };
  shared.create("DHCPScope", "default", { apiVersion: scope.apiVersion!, kind: "DHCPScope", metadata, spec });
  const controller = new TestController(shared);
  await controller.look("default/nobody");
  const accepted = shared.condition("Accepted", "DHCPScope", "lost");
  assert.equal(accepted["reason"], "RelationshipNotFound");
  assert.match(
    accepted["message"] as string,
    /spec\.relationshipRef\.name: there is no FailoverRelationship nobody/,
  );
  assert.equal(await controller.look("default/nobody"), 0);
  shared.delete("DHCPScope", "lost");
});

test("a class expression that is wrong makes the relationship Accepted=False with its class and position; mended, all is well", async () => {
  const controller = new TestController(shared);
  const classes = (match: string) => ({ spec: { clientClasses: [{ name: "phones", match }] } });
  shared.patch("FailoverRelationship", "campus", classes('vendorClass.startsWith("Acme") && portNumber > 1'));
  await controller.look();
  const refused = shared.condition("Accepted", "FailoverRelationship", "campus");
  assert.deepEqual([refused["status"], refused["reason"]], ["False", "InvalidExpression"]);
  assert.match(
    refused["message"] as string,
    /spec\.clientClasses\[0\]\.match: class "phones", position 35: Unknown variable: portNumber/,
  );
  shared.patch("FailoverRelationship", "campus", classes('vendorClass.startsWith("Acme")'));
  await controller.look();
  assert.equal(shared.condition("Accepted", "FailoverRelationship", "campus")["status"], "True");
  shared.patch("FailoverRelationship", "campus", { spec: { clientClasses: null } });
});

test("partner-down by operation: one grant, entered, given back, cleared", () =>
  inWorld(async (world) => {
    await life(world, [new TestController(world)]);
    assert.deepEqual(world.violations, []);
    assert.equal(world.grants, 1);
    assert.equal(world.witness()["epoch"], 1);
    // The same word again, as GitOps would repeat it: refused, with the reason.
    world.delete("FailoverOperation", "b-is-off");
    world.declare("b-is-off", 0);
    const controller = new TestController(world);
    for (let look = 0; look < 3; look++) await controller.look();
    assert.equal(world.condition("Failed", "FailoverOperation", "b-is-off")["reason"], "EpochMismatch");
    assert.equal(world.grants, 1);
  }));

test("a fault at any write of the whole life ends in the same place, with nothing forbidden on the way", async () => {
  let writes = 0;
  await inWorld(async (world) => {
    const controller = new TestController(world);
    await life(world, [controller]);
    writes = controller.writes;
  });
  assert.ok(writes > 20, `${writes} writes`);
  for (const kind of FAULTS) {
    for (let nth = 1; nth <= writes; nth++) {
      await inWorld(async (world) => {
        const controller = new TestController(world, { fault: { nth, kind } });
        await life(world, [controller]);
        assert.deepEqual(world.violations, [], `${kind} at write ${nth}`);
        assert.equal(world.grants, 1, `${kind} at write ${nth}`);
        assert.ok(controller.struck, `${kind} at write ${nth}`);
      });
    }
  }
});

test("caches that lag cost time, never a forbidden write", async () => {
  for (const lag of [1, 2, 3, 5, 8, 13, 21, 34]) {
    await inWorld(async (world) => {
      const { store } = world.objects;
      // Two looks at the past, then one at the present: a new leader from an old API server, then caught up.
      const past = new TestController(world, { revision: () => Math.max(1, store.revision - lag) });
      await life(world, [past, past, new TestController(world)]);
      assert.deepEqual(world.violations, [], `lag ${lag}`);
      assert.equal(world.grants, 1, `lag ${lag}`);
    });
  }
});

test("two controllers at once, each seeing another past, make one grant", async () => {
  for (const [one, other] of [
    [0, 0],
    [0, 4],
    [3, 9],
    [17, 2],
  ] as const) {
    await inWorld(async (world) => {
      const { store } = world.objects;
      const lagging = (lag: number) =>
        new TestController(world, { revision: () => Math.max(1, store.revision - lag) });
      await life(world, [lagging(one), lagging(other), lagging(0)]);
      assert.deepEqual(world.violations, [], `${one} and ${other}`);
      assert.equal(world.grants, 1, `${one} and ${other}`);
    });
  }
});

test("a template that changed is rolled out one member at a time, secondary first", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    world.nowMs += 61_000;
    world.patch("FailoverRelationship", "campus", { spec: { link: { port: 1647 } } });
    const deleted: string[] = [];
    world.objects.store.subscribe(({ kind, type, object }) => {
      if (kind.kind === "Pod" && type === "DELETED") deleted.push(object.metadata.name ?? "");
    });
    for (let turn = 0; turn < 60 && deleted.length < 2; turn++) {
      await controller.look();
      world.turn();
    }
    assert.deepEqual(deleted, ["campus-b-0", "campus-a-0"]);
    assert.deepEqual(world.violations, []);
  }));

test("deleting the relationship takes everything along but writes nothing", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    world.delete("FailoverRelationship", "campus");
    const writes = await controller.look(KEY);
    // The scope is told that its relationship is gone; nothing else is left to write to.
    assert.equal(writes, 1);
    assert.equal(world.condition("Accepted", "DHCPScope", "campus-users")["reason"], "RelationshipNotFound");
    assert.throws(() => world.get("StatefulSet", "campus-a"));
  }));

test("a finished operation goes when its time is over, also after its relationship", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    world.operate("act", { type: "TestFailover", testFailover: { silence: "c", forSeconds: 60 } });
    const ended = () => world.condition("Failed", "FailoverOperation", "act")["status"] === "True";
    await until(world, [controller], "it has failed", ended);
    world.delete("FailoverRelationship", "campus");
    await controller.look(KEY);
    assert.deepEqual(world.names("FailoverOperation"), ["act"]);
    world.nowMs += 8 * 86_400_000;
    await controller.look(KEY);
    assert.deepEqual(world.names("FailoverOperation"), []);
  }));

test("most scopes deleted at once: refused with what to type, nothing else changes, and the annotation lets it pass", () =>
  inWorld(async (world) => {
    const scope = world.get("DHCPScope", "campus-users");
    for (const [i, name] of ["more", "even-more", "most"].entries()) {
      const spec = {
        relationshipRef: { name: "campus" },
        subnet: `10.99.${i}.0/24`,
        ranges: [{ start: `10.99.${i}.9`, end: `10.99.${i}.9` }],
      };
      world.create("DHCPScope", "default", {
        apiVersion: scope.apiVersion!,
        kind: "DHCPScope",
        metadata: { name, namespace: "default" },
        spec,
      });
    }
    const controller = new TestController(world);
    await until(
      world,
      [controller],
      "four scopes",
      () => isReady(world) && world.status("FailoverRelationship", "campus")["scopes"] === 4,
    );
    const revision = () =>
      (world.status("FailoverRelationship", "campus")["effective"] as { revision: string }).revision;
    const before = revision();
    for (const name of ["more", "even-more", "most"]) world.delete("DHCPScope", name);
    // A new process knows it from the status alone.
    const fresh = new TestController(world);
    await fresh.look();
    const accepted = world.condition("Accepted");
    assert.deepEqual([accepted["reason"], revision()], ["MassDeletionHeld", before]);
    assert.ok(isReady(world), "the pair itself is well");
    const [, allow = ""] = /allow-mass-deletion=([0-9a-f]{12})/.exec(String(accepted["message"])) ?? [];
    world.patch("FailoverRelationship", "campus", {
      metadata: { annotations: { "leasepair.io/allow-mass-deletion": allow } },
    });
    await fresh.look();
    assert.equal(world.condition("Accepted")["status"], "True");
    assert.equal(world.status("FailoverRelationship", "campus")["scopes"], 1);
  }));

test("deleted and applied again, a relationship goes on with its stores, under an epoch above all they remember", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await life(world, [controller]);
    const { metadata, spec, apiVersion = "", kind = "" } = world.get("FailoverRelationship", "campus");
    world.delete("FailoverRelationship", "campus");
    await controller.look(KEY);
    const object = { apiVersion, kind, metadata: { name: "campus", namespace: "default" }, spec };
    const { uid = "" } = world.create("FailoverRelationship", "default", object).metadata;
    assert.notEqual(uid, metadata.uid);
    await until(
      world,
      [controller],
      "both NORMAL",
      () => isReady(world) && world.witness()["stores"] !== undefined,
    );
    const set = JSON.stringify(world.get("StatefulSet", "campus-a")["spec"]);
    assert.ok(set.includes(`/var/lib/leasepair/${metadata.uid}/a`), "the old place");
    assert.ok(set.includes(`"--adopt-store","${metadata.uid}"`), "and the engine is told whose it was");
    const { storagePath } = world.status("FailoverRelationship", "campus")["effective"] as {
      storagePath: string;
    };
    assert.equal(storagePath, `/var/lib/leasepair/${metadata.uid}`);
    await until(world, [controller], "above epoch 1", () => (world.witness()["epoch"] as number) > 1);
  }));

test("a member that turns external leaves nothing behind but its store; the other one's objects, and foreign ones, are not touched", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    for (let look = 0; look < 4; look++) await controller.look();
    assert.notEqual(world.secret("campus-b-link"), null);
    // Somebody took over an object of the name that ours had.
    world.patch("ServiceAccount", "campus-b", { metadata: { ownerReferences: [] } });
    const others = () =>
      CHILD_KINDS.filter((kind) => kind !== "PodDisruptionBudget")
        .map((kind) => world.get(kind, "campus-a").metadata.uid)
        .concat(world.get("PodDisruptionBudget", "campus").metadata.uid);
    const before = others();
    const { members } = world.get("FailoverRelationship", "campus")["spec"] as { members: Json[] };
    const external = { name: "b", external: { dialect: "Leasepair", address: "198.51.100.2" } };
    world.patch("FailoverRelationship", "campus", { spec: { members: [members[0], external] } });
    const pruned: string[] = [];
    world.objects.store.subscribe(({ kind, type, object }) => {
      if (type === "DELETED" && kind.kind !== "Pod") pruned.push(`${kind.kind} ${object.metadata.name}`);
    });
    for (let look = 0; look < 4; look++) await controller.look();
    assert.deepEqual(pruned, [
      "StatefulSet campus-b",
      "RoleBinding campus-b",
      "Role campus-b",
      "Secret campus-b-link",
      "FailoverMember campus-b",
    ]);
    assert.deepEqual(others(), before);
    const { minAvailable, maxUnavailable } = world.get("PodDisruptionBudget", "campus")["spec"] as Json;
    assert.deepEqual(
      [minAvailable, maxUnavailable],
      [undefined, 1],
      "one of them alone, or the API refuses it",
    );
    assert.ok(world.get("ServiceAccount", "campus-b"));
    assert.notEqual(world.secret("campus-a-link"), null);
    assert.notEqual(world.secret("campus-store"), null);
    // Taken back, it stands where it stood.
    world.patch("FailoverRelationship", "campus", { spec: { members } });
    await until(world, [controller], "both NORMAL", () => isReady(world));
    assert.ok(JSON.stringify(world.get("StatefulSet", "campus-b")["spec"]).includes("/b"));
  }));

test("a namespace whose Pod Security level refuses the pods is named with what to type, and forgotten once it lets them in", () =>
  inWorld(async (world) => {
    world.podRefusal =
      'pods is forbidden: violates PodSecurity "restricted:v1.35": host namespaces (hostNetwork=true)';
    const controller = new TestController(world);
    await until(world, [controller], "refused", () => world.condition("Stalled")["status"] === "True");
    assert.equal(world.condition("Stalled")["reason"], "PodSecurityViolation");
    assert.match(
      String(world.condition("Ready")["message"]),
      /pod of a.*is restricted.*pod of b.*is restricted/,
    );
    await controller.look();
    const { revision } = world.objects.store;
    for (let turn = 0; turn < 5; turn++) await controller.look();
    assert.equal(world.objects.store.revision, revision, "said once");
    world.podRefusal = null;
    await until(world, [controller], "both NORMAL", () => isReady(world));
    assert.equal(world.condition("Stalled")["status"], undefined);
  }));

/** Takes the relationship away and applies another one with its spec. */
async function replaceBy(world: PairWorld, controller: TestController, name: string, storage: object = {}) {
  const { metadata, spec, apiVersion = "", kind = "" } = world.get("FailoverRelationship", "campus");
  world.delete("FailoverRelationship", "campus");
  await controller.look(KEY);
  const object = { apiVersion, kind, metadata: { name, namespace: "default" } };
  world.create("FailoverRelationship", "default", { ...object, spec: { ...(spec as object), storage } });
  return metadata.uid ?? "";
}

test("applied again while both stores have gone, as with the nodes exchanged: nobody is listed, a human is asked", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await until(
      world,
      [controller],
      "both listed",
      () => isReady(world) && Object.keys((world.witness()["stores"] ?? {}) as object).length === 2,
    );
    // The ids go into the Secret after the witness.
    for (let look = 0; look < 3; look++) await controller.look();
    await replaceBy(world, controller, "campus");
    for (const name of ["a", "b"]) {
      world.engines[name] = {
        ...world.engines[name],
        store: `empty-${name}`,
        complete: false,
        state: "Startup",
      };
    }
    const reason = () => world.condition("WitnessHealthy")["reason"];
    await until(world, [controller], "StoresLost", () => reason() === "StoresLost");
    assert.deepEqual(world.witness()["stores"], { a: "store-a", b: "store-b" });
    // One of the two turns up.
    Object.assign(world.engines["a"]!, { store: "store-a", complete: true });
    await until(world, [controller], "listed", () => reason() !== "StoresLost");
    assert.deepEqual(world.witness()["stores"], { a: "store-a", b: "empty-b" });
  }));

test("a relationship adopts the stores of a deleted one of another name; a third one that asks for them is refused until it goes", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    const old = await replaceBy(world, controller, "branch", {
      adoptFrom: world.get("FailoverRelationship", "campus").metadata.uid ?? "",
    });
    for (let look = 0; look < 4; look++) await controller.look("default/branch");
    const set = JSON.stringify(world.get("StatefulSet", "branch-a")["spec"]);
    assert.ok(set.includes(`/var/lib/leasepair/${old}/a`) && set.includes(`"--adopt-store","${old}"`));
    assert.equal(world.condition("Accepted", "FailoverRelationship", "branch")["status"], "True");

    const { spec, apiVersion = "", kind = "" } = world.get("FailoverRelationship", "branch");
    const again = { apiVersion, kind, metadata: { name: "campus", namespace: "default" } };
    world.create("FailoverRelationship", "default", { ...again, spec: { ...(spec as object), storage: {} } });
    // Elsewhere on the nodes, so that only the stores collide.
    const members = (spec as { members: object[] }).members.map((member, i) => ({
      ...member,
      address: `192.0.2.2${i}`,
      interfaces: [],
    }));
    world.patch("FailoverRelationship", "campus", { spec: { members } });
    for (let look = 0; look < 4; look++) await controller.look(KEY);
    assert.equal(world.condition("Accepted")["reason"], "StoreInUse");
    assert.throws(() => world.get("StatefulSet", "campus-a"));

    world.delete("FailoverRelationship", "branch");
    for (let look = 0; look < 4; look++) await controller.look(KEY);
    assert.equal(world.condition("Accepted")["status"], "True");
    assert.ok(JSON.stringify(world.get("StatefulSet", "campus-a")["spec"]).includes(`/${old}/a`));
  }));

test("applied again with members of other names, a pair is refused until a human lets it begin with nothing", () =>
  inWorld(async (world) => {
    const controller = new TestController(world);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    for (let look = 0; look < 3; look++) await controller.look();
    const { metadata, spec, apiVersion = "", kind = "" } = world.get("FailoverRelationship", "campus");
    world.delete("FailoverRelationship", "campus");
    await controller.look(KEY);
    const members = (spec as { members: Json[] }).members.map((member) => ({
      ...member,
      name: `new-${member["name"]}`,
    }));
    const renamed = { ...(spec as Json), members, primary: "new-a" };
    const object = { apiVersion, kind, metadata: { name: "campus", namespace: "default" }, spec: renamed };
    const { uid } = world.create("FailoverRelationship", "default", object).metadata;
    for (let look = 0; look < 3; look++) await controller.look();
    assert.equal(world.condition("Accepted")["reason"], "StoresOfOtherMembers");
    assert.throws(() => world.get("StatefulSet", "campus-new-a"));
    world.deleteSecret("campus-store");
    for (let look = 0; look < 4; look++) await controller.look();
    assert.equal(world.condition("Accepted")["status"], "True");
    assert.deepEqual([uid === metadata.uid, world.witness()["stores"]], [false, {}]);
    assert.ok(JSON.stringify(world.get("StatefulSet", "campus-new-a")["spec"]).includes(`/${uid}/new-a`));
  }));

test("what an earlier controller kept in mind of the stores is understood, and completed", () =>
  inWorld(async (world) => {
    const old = "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42";
    const encoded = Buffer.from(old).toString("base64");
    const data = { relationshipUid: encoded, storeUid: encoded };
    await world.client().create(SECRET, { metadata: { name: "campus-store", namespace: "default" }, data });
    const controller = new TestController(world);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    for (let look = 0; look < 3; look++) await controller.look();
    assert.ok(JSON.stringify(world.get("StatefulSet", "campus-a")["spec"]).includes(`/${old}/a`));
    const kept = Object.entries((world.secret("campus-store")?.["data"] ?? {}) as Record<string, string>);
    assert.deepEqual(
      Object.fromEntries(kept.map(([key, text]) => [key, Buffer.from(text, "base64").toString()])),
      {
        relationshipUid: world.get("FailoverRelationship", "campus").metadata.uid,
        storeUid: old,
        stores: '{"a":"store-a","b":"store-b"}',
        areRetained: "true",
      },
    );
  }));
