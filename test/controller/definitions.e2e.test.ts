// Definitions (CRDs) of an earlier release under a newer controller: their API server drops, without an error, what they do not know.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mergePatchOf } from "../../src/controller/merge-patch.ts";
import {
  asWritten,
  noteStatus,
  type UnkeptByKind,
  unkeptOf,
  unkeptPaths,
} from "../../src/controller/unkept.ts";
import { isReady, until } from "./life.ts";
import { NOW } from "./observed-fixture.ts";
import { PairWorld, TestController } from "./pair-world.ts";

const SCOPES = 250;
const names = Array.from({ length: SCOPES }, (_, i) => `more-${i}`);

function worldOfManyScopes() {
  const world = new PairWorld();
  for (const [i, name] of names.entries()) {
    const net = `10.99.${i}`;
    world.create("DHCPScope", "default", {
      apiVersion: "leasepair.io/v1alpha1",
      kind: "DHCPScope",
      metadata: { name, namespace: "default" },
      spec: {
        relationshipRef: { name: "campus" },
        subnet: `${net}.0/24`,
        ranges: [{ start: `${net}.9`, end: `${net}.9` }],
      },
    });
  }
  return world;
}

/** One look a minute. */
async function minutes(count: number, world: PairWorld, controller: TestController) {
  for (let minute = 0; minute < count; minute += 1) {
    world.nowMs += 60_000;
    await controller.look();
  }
}

test("what an older definition drops is told, keeps no scope waiting and is not written again, until it is upgraded", async () => {
  const world = worldOfManyScopes();
  const controller = new TestController(world);
  const unknown = world.unknownStatusFields;
  unknown.DHCPScope = "observedGeneration";
  unknown.FailoverRelationship = "reservations";
  for (let turn = 0; turn < 20; turn += 1) {
    await controller.look();
    world.turn();
  }
  const programmed = (name: string) => world.condition("Programmed", "DHCPScope", name)["status"];
  assert.deepEqual(
    names.filter((name) => programmed(name) !== "True"),
    [],
  );
  const { reason, message } = world.condition("Reconciling");
  assert.equal(reason, "DefinitionOutdated");
  assert.match(`${message}`, /dhcpscopes\.leasepair\.io drops status\.observedGeneration/);
  assert.match(`${message}`, /failoverrelationships\.leasepair\.io drops status\.reservations/);
  assert.match(
    `${message}`,
    /kubectl apply --server-side --force-conflicts -f crds\/leasepair\.io_dhcpscopes\.yaml/,
  );
  await controller.look();
  assert.equal(await controller.look(), 0);
  const before = controller.writes;
  const { revision } = world.objects.store;
  await minutes(60, world, controller);
  assert.ok(controller.writes - before <= 120, "one try of each kind a minute");
  assert.equal(world.objects.store.revision, revision);
  assert.equal(controller.events.filter((told) => told === "DefinitionOutdated").length, 1);

  delete unknown.DHCPScope;
  delete unknown.FailoverRelationship;
  await minutes(5, world, controller);
  assert.deepEqual(
    names.filter((name) => world.status("DHCPScope", name)["observedGeneration"] !== 1),
    [],
  );
  assert.equal(world.status("FailoverRelationship", "campus")["reservations"], 1);
  assert.deepEqual(world.condition("Reconciling"), {});
  assert.equal(await controller.look(), 0);
});

test("a definition that was deleted is told, with what to type", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  await until(world, [controller], "both NORMAL", () => isReady(world));
  world.undefinedKinds.push("DHCPScope", "DHCPReservationSet");
  await controller.look();
  const { reason, message } = world.condition("Stalled");
  assert.equal(reason, "DefinitionMissing");
  assert.match(
    `${message}`,
    /-f crds\/leasepair\.io_dhcpscopes\.yaml -f crds\/leasepair\.io_dhcpreservationsets\.yaml$/,
  );
  assert.equal(world.condition("Ready")["status"], "True");
  world.undefinedKinds.length = 0;
  await controller.look();
  assert.deepEqual(world.condition("Stalled"), {});
});

const kept = (status: object) => ({ kind: "DHCPScope", metadata: { uid: "one" }, status });

test("what did not come back counts as written, until it would be something else, or somebody changes what stands there", () => {
  const memory: UnkeptByKind = new Map();
  noteStatus(
    memory,
    { members: [{ name: "a", news: 1 }], gone: null },
    kept({ members: [{ name: "a" }], gone: 2 }),
    NOW,
  );
  const of = (status: Record<string, unknown>) => ({ status, ...unkeptOf(memory, kept(status), NOW) });
  const found = of({ members: [{ name: "a" }], gone: 2 });
  assert.deepEqual(unkeptPaths(found.unkept!), ["status.members[].news", "status.gone"]);
  assert.equal(mergePatchOf(asWritten(found), { members: [{ name: "a", news: 1 }] }), null);
  assert.deepEqual(mergePatchOf(asWritten(found), { members: [{ name: "a", news: 2 }] }), {
    members: [{ name: "a", news: 2 }],
  });
  assert.deepEqual(mergePatchOf(asWritten(of({ members: [] })), { members: [{ name: "a", news: 1 }] }), {
    members: [{ name: "a", news: 1 }],
  });
});

test("a grant that did not come back is written again", () => {
  const memory: UnkeptByKind = new Map();
  noteStatus(memory, { witness: { epoch: 1 } }, kept({}), NOW);
  assert.deepEqual(unkeptOf(memory, kept({}), NOW), {});
});
