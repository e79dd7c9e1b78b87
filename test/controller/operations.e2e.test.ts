// Switchover and TestFailover against the embedded API's objects: through their steps and back, undone when they fail, are
// deleted or lose their controller, refused with what to do instead, and gone after their time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime, type KubeObject } from "../../src/kube/resource.ts";
import { isReady, schedule, until } from "./life.ts";
import { FAULTS, PairWorld, TestController, type TestControllerOptions } from "./pair-world.ts";

type Json = Record<string, unknown>;

const SOFT = { type: "Switchover", switchover: { to: "b", forSeconds: 120 } };
const STOP = { type: "Switchover", switchover: { to: "b", style: "Stop", forSeconds: 120 } };
const DRILL = { type: "TestFailover", testFailover: { silence: "a", forSeconds: 60 } };

const OUT = { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" };

async function start(options: TestControllerOptions = {}) {
  const world = new PairWorld();
  const controller = new TestController(world, options);
  await until(world, [controller], "both NORMAL and listed", () => isReady(world) && isListed(world));
  return { world, controller };
}

const isListed = (world: PairWorld) => Object.keys((world.witness()["stores"] ?? {}) as Json).length === 2;

const effective = (world: PairWorld) =>
  (world.status("FailoverRelationship", "campus")["effective"] ?? {}) as Json;
const steps = (world: PairWorld) =>
  ((world.status("FailoverOperation", "act")["steps"] ?? []) as { name: string }[]).map(({ name }) => name);
const ended = (world: PairWorld) =>
  (["Complete", "Failed"] as const)
    .map((type) => world.condition(type, "FailoverOperation", "act"))
    .find((condition) => condition["status"] === "True");
const replicas = (world: PairWorld, member: string) =>
  (world.get("StatefulSet", `campus-${member}`)["spec"] as Json)["replicas"];

function setReady(world: PairWorld, member: string, status: "True" | "False"): void {
  const conditions = [{ type: "Ready", status, lastTransitionTime: formatTime(world.nowMs) }];
  world.patch("Pod", `campus-${member}-0`, { status: { conditions } }, "status");
}

/** Its report goes on saying what it says of `field` now. */
function keepSaying(world: PairWorld, member: string, field: string): void {
  const name = `campus-${member}`;
  const kept = world.status("FailoverMember", name)[field];
  world.objects.store.subscribe(({ kind, object }) => {
    const said = ((object["status"] ?? {}) as Json)[field];
    if (kind.kind !== "FailoverMember" || object.metadata.name !== name || said === undefined) return;
    if (JSON.stringify(said) !== JSON.stringify(kept))
      world.patch("FailoverMember", name, { status: { [field]: kept } }, "status");
  });
}

/** Until the controller knows by its own looks that both live, unless the operation moves on. */
async function watch(world: PairWorld, controller: TestController) {
  const at = steps(world).at(-1);
  for (let look = 0; look < 7 && (at === "Holding" || at === "Answering"); look++) {
    world.turn();
    await controller.look();
  }
}

async function run(world: PairWorld, controller: TestController, spec: Json) {
  world.operate("act", spec);
  await until(world, [controller], "the operation has ended", () => ended(world) !== undefined);
  return ended(world);
}

test("Soft: the share goes to one member and comes back, nobody is stopped, nothing granted, the spec untouched", async () => {
  const { world, controller } = await start();
  const { generation } = world.get("FailoverRelationship", "campus").metadata;
  const revision = effective(world)["revision"];
  world.operate("act", SOFT);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  assert.equal(effective(world)["servedBy"], "b");
  assert.notEqual(effective(world)["revision"], revision);
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "Returned");
  assert.deepEqual([effective(world)["servedBy"], effective(world)["revision"]], [undefined, revision]);
  assert.equal(world.get("FailoverRelationship", "campus").metadata.generation, generation);
  assert.deepEqual([world.grants, world.violations], [0, []]);
  assert.ok(steps(world).join(" ").endsWith("Holding Returning Returned"), steps(world).join(" "));
});

test("Stop: the other is stopped in order, the one that stays is granted at once, and everything comes back", async () => {
  const { world, controller } = await start();
  world.operate("act", STOP);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  assert.deepEqual([replicas(world, "a"), world.engines["b"]?.["state"]], [0, "PartnerDown"]);
  const ready = String(world.condition("Ready")["message"]);
  assert.match(ready, /a is stopped by operation act until/);
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "Returned");
  assert.deepEqual([replicas(world, "a"), world.witness()["holder"], world.grants], [1, undefined, 1]);
  assert.deepEqual(world.violations, []);
});

test("TestFailover: one is silent, the other answers, nothing is granted though it takes longer than afterSeconds", async () => {
  const { world, controller } = await start();
  world.patch("FailoverRelationship", "campus", {
    spec: { partnerDown: { fencing: "Witness", afterSeconds: 10 } },
  });
  for (let look = 0; look < 4; look++) {
    await controller.look();
    world.turn();
  }
  const end = await run(world, controller, DRILL);
  assert.equal(end?.["reason"], "Passed");
  assert.match(String(end?.["message"]), /b answered alone while a was silent/);
  assert.deepEqual([replicas(world, "a"), world.grants, world.violations], [1, 0, []]);
});

test("TestFailover: when the other does not answer, that is the result, and the silent one is started again", async () => {
  const { world, controller } = await start();
  world.operate("act", DRILL);
  await controller.look();
  // b lives, but nobody can reach it.
  setReady(world, "b", "False");
  await until(world, [controller], "on the way back", () => steps(world).includes("Returning"));
  setReady(world, "b", "True");
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "NoAnswer");
  assert.equal(replicas(world, "a"), 1);
});

for (const [type, spec, reached] of [
  ["Stop", { ...STOP, switchover: { ...STOP.switchover, forSeconds: 86_400 } }, "Stopping"],
  ["Stop", { ...STOP, switchover: { ...STOP.switchover, forSeconds: 86_400 } }, "Holding"],
  ["TestFailover", { ...DRILL, testFailover: { ...DRILL.testFailover, forSeconds: 600 } }, "Silencing"],
  ["TestFailover", { ...DRILL, testFailover: { ...DRILL.testFailover, forSeconds: 600 } }, "Answering"],
] as const) {
  for (const [what, strike, withinSeconds] of [
    ["loses its machine", (world: PairWorld) => world.off.add("b"), 10],
    ["falls silent, with a pod that looks well", (world: PairWorld) => world.mute.add("b"), 45],
    ["is not ready any more", (world: PairWorld) => setReady(world, "b", "False"), 5],
  ] as const) {
    // In NORMAL silence is golden, and before it has taken over an unready one may yet come.
    const isBefore = reached === "Stopping" || reached === "Silencing";
    if (isBefore && what !== "loses its machine") continue;
    test(`${type}, at ${reached}: when the member that stays ${what}, the stopped one is started at once`, async () => {
      const { world, controller } = await start();
      world.operate("act", spec);
      await until(world, [controller], reached, () => steps(world).includes(reached));
      await watch(world, controller);
      strike(world);
      const struckAt = world.nowMs;
      await until(world, [controller], "started again", () => replicas(world, "a") === 1);
      assert.ok(world.nowMs - struckAt <= withinSeconds * 1000, `${(world.nowMs - struckAt) / 1000} s`);
      assert.deepEqual([ended(world)?.["type"], ended(world)?.["reason"]], ["Failed", "StaysLost"]);
      assert.match(String(ended(world)?.["message"]), /b, which was to serve .* a is started again\./);
      await until(world, [controller], "a runs", () => world.names("Pod").includes("campus-a-0"));
    });
  }
}

test("Stop: a new leader does not take the reports of before an outage of the API for a loss, and finds a real one by itself", async () => {
  const { world, controller } = await start();
  world.operate("act", { ...STOP, switchover: { ...STOP.switchover, forSeconds: 600 } });
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  world.nowMs += 60_000;
  const next = new TestController(world);
  for (let look = 0; look < 10; look++) {
    await next.look();
    assert.deepEqual([ended(world), replicas(world, "a")], [undefined, 0]);
    world.turn();
  }
  world.off.add("b");
  world.nowMs += 60_000;
  const afterIt = new TestController(world);
  const ledAt = world.nowMs;
  await until(world, [afterIt], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "StaysLost");
  assert.ok(world.nowMs - ledAt <= 40_000, `${(world.nowMs - ledAt) / 1000} s`);
});

test("Stop: a member that is lost before anybody is stopped leaves the other one running", async () => {
  const { world, controller } = await start();
  world.operate("act", STOP);
  while (world.status("FailoverOperation", "act")["startTime"] === undefined) await controller.look();
  world.off.add("b");
  world.turn();
  await controller.look();
  assert.deepEqual([ended(world)?.["reason"], replicas(world, "a")], ["StaysLost", 1]);
  assert.deepEqual(world.violations, []);
});

test("Stop: once the operation has failed, the word that the lost holder's machine is off counts again", async () => {
  const { world, controller } = await start();
  world.operate("act", STOP);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  await schedule(world, controller);
  world.off.add("b");
  await until(world, [controller], "a is back", () => world.names("Pod").includes("campus-a-0"));
  world.engines["a"] = { ...world.engines["a"], state: "CommunicationsInterrupted" };
  world.patch("Node", "node-2", { spec: { taints: [OUT] } });
  await until(world, [controller], "a holds", () => world.witness()["holder"] === "a");
  assert.equal(world.witness()["transferredFrom"], "b");
});

const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const refuse = (spec: Json) => (world: PairWorld) => world.patch("FailoverRelationship", "campus", { spec });
const refuseClass = refuse({ clientClasses: [{ name: "phones", match: "nonsense(" }] });

for (const [what, spec, strike, reason] of [
  [
    "a trusted authority that is none",
    STOP,
    refuse({ link: { tls: { trustedAuthorities: [BROKEN] } } }),
    "Invalid",
  ],
  ["a class that is no expression", STOP, refuseClass, "InvalidExpression"],
  ["a class that is no expression", DRILL, refuseClass, "InvalidExpression"],
] as const) {
  test(`${spec.type}, while the spec is refused for ${what}: its end starts the stopped member, and nothing else is taken from the spec`, async () => {
    const { world, controller } = await start();
    world.operate("act", spec);
    await until(world, [controller], "stopped", () => !world.names("Pod").includes("campus-a-0"));
    strike(world);
    world.patch("FailoverRelationship", "campus", { spec: { maxClientLeadTimeSeconds: 7200 } });
    const template = () => (world.get("StatefulSet", "campus-a")["spec"] as Json)["template"];
    const before = template();
    await until(world, [controller], "ended", () => ended(world) !== undefined);
    assert.match(String(ended(world)?.["reason"]), /^(Returned|Passed)$/);
    assert.equal(world.condition("Accepted")["reason"], reason);
    assert.deepEqual([replicas(world, "a"), template()], [1, before]);
    await until(world, [controller], "both NORMAL", () => isReady(world));
    assert.deepEqual(world.violations, []);
  });
}

test("a stopped member is started again when its operation is deleted while the spec is refused", async () => {
  const { world, controller } = await start();
  world.operate("act", DRILL);
  await until(world, [controller], "stopped", () => !world.names("Pod").includes("campus-a-0"));
  refuseClass(world);
  await controller.look();
  world.delete("FailoverOperation", "act");
  await until(world, [controller], "a runs", () => world.names("Pod").includes("campus-a-0"));
  assert.equal(world.condition("Accepted")["reason"], "InvalidExpression");
});

test("Stop: when the node of the member that stays is deleted, the stopped one is started and can be declared the survivor", async () => {
  const { world, controller } = await start();
  world.operate("act", STOP);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  await schedule(world, controller);
  world.off.add("b");
  world.delete("Node", "node-2");
  await until(world, [controller], "a runs", () => world.names("Pod").includes("campus-a-0"));
  assert.deepEqual(
    [ended(world)?.["reason"], world.condition("Accepted")["reason"]],
    ["StaysLost", "NodeNotFound"],
  );
  world.engines["a"] = { ...world.engines["a"], state: "CommunicationsInterrupted" };
  world.operate("b-is-gone", {
    type: "DeclarePartnerDown",
    declarePartnerDown: { survivor: "a", partnerIs: "Destroyed" },
  });
  await until(world, [controller], "a holds", () => world.engines["a"]?.["state"] === "PartnerDown");
  assert.deepEqual([world.witness()["holder"], world.witness()["transferredFrom"]], ["a", "b"]);
});

test("a stopped member is started again though another object of the pair cannot be written", async () => {
  const refusesToApply = ({ kind }: KubeObject) => kind === "PodDisruptionBudget" && isRefusing;
  let isRefusing = false;
  const { world, controller } = await start({ refusesToApply });
  world.operate("act", STOP);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  isRefusing = true;
  world.delete("PodDisruptionBudget", "campus");
  await until(world, [controller], "returned", () => ended(world)?.["reason"] === "Returned");
  assert.equal(world.condition("Reconciling")["reason"], "ApplyFailed");
});

test("Soft, at its end while the spec is refused: the share comes back once that is mended, and until then nobody says that it has", async () => {
  const { world, controller } = await start();
  world.operate("act", { ...SOFT, deadlineSeconds: 60 });
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  refuseClass(world);
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.deepEqual([ended(world)?.["reason"], effective(world)["servedBy"]], ["NotReturned", "b"]);
  assert.match(String(ended(world)?.["message"]), /The spec is refused .* once that is mended/);
  world.patch("FailoverRelationship", "campus", { spec: { clientClasses: null } });
  await until(world, [controller], "the share is back", () => effective(world)["servedBy"] === undefined);
});

for (const [what, spec, taints, withinSeconds] of [
  ["by the taint", DRILL, [OUT], 20],
  ["after a time of loss", DRILL, [], 45],
  ["after a time of loss", SOFT, [], 45],
] as const) {
  test(`${spec.type}, on the way back: the member that is left is granted ${what} when the other one is lost, long before the deadline`, async () => {
    const { world, controller } = await start();
    const partnerDown = { fencing: "Witness", automatic: "Enabled", afterSeconds: 10 };
    world.patch("FailoverRelationship", "campus", { spec: { partnerDown } });
    await schedule(world, controller);
    world.operate("act", { ...spec, deadlineSeconds: 86_400 });
    // a does not take up the share of before, so that the way back lasts.
    if (spec === SOFT) await until(world, [controller], "holding", () => steps(world).includes("Holding"));
    if (spec === SOFT) keepSaying(world, "a", "revisions");
    await until(world, [controller], "returning", () => steps(world).includes("Returning"));
    world.off.add("b");
    world.patch("Node", "node-2", { spec: { taints } });
    const lostAt = world.nowMs;
    world.turn();
    // It was started a moment ago, and had lost nobody before.
    if (spec === DRILL) world.engines["a"] = { ...world.engines["a"], state: "CommunicationsInterrupted" };
    await until(world, [controller], "granted", () => world.witness()["holder"] === "a");
    assert.ok(world.nowMs - lostAt <= withinSeconds * 1000, `${(world.nowMs - lostAt) / 1000} s`);
    if (spec === DRILL) assert.equal(ended(world)?.["reason"], "StaysLost");
    assert.deepEqual([world.grants, world.violations], [1, []]);
  });
}

test("TestFailover, on the way back: nothing is granted against the member that comes back, however long that takes", async () => {
  const { world, controller } = await start();
  const partnerDown = { fencing: "Witness", automatic: "Enabled", afterSeconds: 10 };
  world.patch("FailoverRelationship", "campus", { spec: { partnerDown } });
  world.operate("act", { ...DRILL, deadlineSeconds: 300 });
  await until(world, [controller], "silent", () => replicas(world, "a") === 0);
  world.turn();
  world.off.add("a");
  await until(world, [controller], "returning", () => steps(world).includes("Returning"));
  for (let look = 0; look < 40; look++) {
    world.turn();
    await controller.look();
  }
  assert.deepEqual([world.grants, ended(world)], [0, undefined]);
});

test("deleting an operation undoes it", async () => {
  const { world, controller } = await start();
  world.operate("act", STOP);
  await until(world, [controller], "stopped", () => replicas(world, "a") === 0);
  world.delete("FailoverOperation", "act");
  await until(world, [controller], "back", () => replicas(world, "a") === 1 && isReady(world));
});

test("a loss of contact while it holds rolls a soft switchover back", async () => {
  const { world, controller } = await start();
  world.operate("act", SOFT);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  world.off.add("a");
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "RolledBack");
  await controller.look();
  assert.equal(effective(world)["servedBy"], undefined);
});

test("what is not reached before the deadline is undone", async () => {
  const { world, controller } = await start();
  world.operate("act", {
    type: "Switchover",
    switchover: { to: "b", style: "Stop", forSeconds: 600 },
    deadlineSeconds: 60,
  });
  await controller.look();
  // b lives, and is slow to notice.
  keepSaying(world, "b", "state");
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "DeadlineExceeded");
  await controller.look();
  assert.deepEqual([replicas(world, "a"), world.grants], [1, 0]);
});

test("a soft switchover that is not taken up before the deadline is undone", async () => {
  const { world, controller } = await start();
  // b does not load the new share: its report is history.
  keepSaying(world, "b", "revisions");
  const end = await run(world, controller, { ...SOFT, deadlineSeconds: 60 });
  assert.equal(end?.["reason"], "DeadlineExceeded");
  assert.match(String(end?.["message"]), /Not reached within 60 s/);
  await controller.look();
  assert.equal(effective(world)["servedBy"], undefined);
});

test("a member that does not come back after the end fails the operation, which has undone all the same", async () => {
  const { world, controller } = await start();
  world.operate("act", { ...STOP, deadlineSeconds: 60 });
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  world.off.add("a");
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "NotReturned");
  assert.match(String(ended(world)?.["message"]), /undone\. See the relationship's condition Ready/);
  assert.equal(replicas(world, "a"), 1);
});

test("a Stop into which somebody else's grant comes is given up, and the stopped member is started again", async () => {
  const { world, controller } = await start();
  world.operate("act", STOP);
  await until(world, [controller], "stopped", () => replicas(world, "a") === 0);
  world.patch("FailoverRelationship", "campus", { status: { witness: { epoch: 7 } } }, "status");
  await until(world, [controller], "ended", () => ended(world) !== undefined);
  assert.equal(ended(world)?.["reason"], "Interrupted");
  await until(world, [controller], "back", () => replicas(world, "a") === 1);
  assert.equal(world.grants, 0);
});

test("every step has its time and its sentence, and the status says since when it runs and when it ended", async () => {
  const { world, controller } = await start();
  await run(world, controller, STOP);
  const status = world.status("FailoverOperation", "act");
  const told = status["steps"] as { name: string; startedAt: string; message: string }[];
  assert.deepEqual(told[0]?.name, "Started");
  for (const { startedAt, message } of told) {
    assert.match(startedAt, /^2026-03-01T\d\d:\d\d:\d\dZ$/);
    assert.ok(message.length > 20, message);
  }
  const times = [status["startTime"], ...told.map(({ startedAt }) => startedAt), status["completionTime"]];
  assert.deepEqual(times, [...times].sort(), "in order");
});

/** It has finished, its time as a record is over, and the file is applied again, before another controller. */
async function applyAgain(world: PairWorld, controller: TestController, spec: Json) {
  world.nowMs += 61_000;
  await until(world, [controller], "gone", () => !world.names("FailoverOperation").includes("act"));
  return run(world, new TestController(world), spec);
}

for (const [type, spec, reason] of [
  ["Soft", SOFT, "AlreadyDone"],
  ["Stop", STOP, "EpochMismatch"],
  ["TestFailover", DRILL, "AlreadyDone"],
] as const) {
  test(`${type}: one that GitOps creates again when its time is over is refused by its expectedEpoch, and later by its notAfter`, async () => {
    const { world, controller } = await start();
    const expectedEpoch = world.witness()["epoch"];
    const notAfter = formatTime(world.nowMs + 900_000);
    const once = { ...spec, expectedEpoch, notAfter, ttlSecondsAfterFinished: 60 };
    assert.equal((await run(world, controller, once))?.["type"], "Complete");
    const { grants } = world;
    for (const again of [reason, reason]) {
      assert.equal((await applyAgain(world, controller, once))?.["reason"], again);
      assert.deepEqual([steps(world), effective(world)["servedBy"]], [[], undefined]);
    }
    world.nowMs = Date.parse(notAfter);
    assert.equal((await applyAgain(world, controller, once))?.["reason"], "Expired");
    assert.deepEqual([world.grants, world.violations], [grants, []]);
  });
}

test("another spec of the same name is another act, and so is the same after a grant, by its epoch", async () => {
  const { world, controller } = await start();
  const begun = () => world.status("FailoverRelationship", "campus")["begunOperations"] ?? [];
  const once = { ...DRILL, expectedEpoch: 0, ttlSecondsAfterFinished: 60 };
  assert.equal((await run(world, controller, once))?.["reason"], "Passed");
  const longer = { ...once, testFailover: { silence: "a", forSeconds: 90 } };
  assert.equal((await applyAgain(world, controller, longer))?.["reason"], "Passed");
  assert.equal((begun() as Json[]).length, 2);
  assert.equal((await applyAgain(world, controller, STOP))?.["reason"], "Returned");
  assert.deepEqual(begun(), [], "the epoch is another one");
});

test("one that was deleted on its way is not begun again; one that was refused has done nothing, and may be tried again", async () => {
  const { world, controller } = await start();
  const once = { ...SOFT, expectedEpoch: 0 };
  setReady(world, "a", "False");
  assert.equal((await run(world, controller, once))?.["reason"], "NotNormal");
  setReady(world, "a", "True");
  world.delete("FailoverOperation", "act");
  world.operate("act", once);
  await until(world, [controller], "holding", () => steps(world).includes("Holding"));
  world.delete("FailoverOperation", "act");
  assert.equal((await run(world, controller, once))?.["reason"], "AlreadyDone");
});

const external = { name: "b", external: { dialect: "Leasepair", address: "198.51.100.2" } };

for (const [what, spec, prepare, reason] of [
  [
    "a pair whose other member runs elsewhere",
    SOFT,
    (world: PairWorld) => {
      const { members } = world.get("FailoverRelationship", "campus")["spec"] as { members: Json[] };
      const partnerDown = { fencing: "None" };
      world.patch("FailoverRelationship", "campus", {
        spec: { partnerDown, members: [members[0], external] },
      });
    },
    "ExternalMember",
  ],
  [
    "a member that its clients may not reach",
    SOFT,
    (world: PairWorld) => {
      const lastTransitionTime = "2026-03-01T00:00:00Z";
      const condition = { type: "CarrierPresent", status: "False", reason: "Lost", lastTransitionTime };
      Object.assign(world.engines["b"] ?? {}, { conditions: [{ ...condition, message: "lan0 is dead" }] });
    },
    "CarrierLost",
  ],
  [
    "a member that gives new clients no address yet",
    SOFT,
    (world: PairWorld) => {
      Object.assign(world.engines["b"] ?? {}, { heldUntil: "2026-03-01T04:00:00Z", serving: "RenewOnly" });
    },
    "RenewalsOnly",
  ],
  ["a spec that is refused, by the field", SOFT, refuseClass, "NotAccepted"],
  ["a spec that is refused, style Stop", STOP, refuseClass, "NotAccepted"],
  [
    "a spec that is refused, by the field",
    DRILL,
    refuse({ link: { tls: { trustedAuthorities: [BROKEN] } } }),
    "NotAccepted",
  ],
  ["a member that there is not", { type: "Switchover", switchover: { to: "c" } }, () => {}, "NotAMember"],
  ["a pair that is not well", SOFT, (world: PairWorld) => world.off.add("a"), "NotNormal"],
  ["another epoch", { ...STOP, expectedEpoch: 7 }, () => {}, "EpochMismatch"],
  [
    "a file applied again after its time",
    { ...DRILL, notAfter: "2026-03-01T02:00:00Z" },
    () => {},
    "Expired",
  ],
] as const) {
  test(`${spec.type} ${reason}, with what to do instead: ${what}`, async () => {
    const { world, controller } = await start();
    prepare(world);
    world.turn();
    await controller.look();
    const end = await run(world, controller, spec);
    assert.deepEqual([end?.["type"], end?.["reason"]], ["Failed", reason]);
    assert.match(String(end?.["message"]), /new operation|Create a new one|where it is configured/);
    assert.deepEqual([replicas(world, "a"), effective(world)["servedBy"]], [1, undefined]);
  });
}

test("a finished operation is deleted when its time as a record is over, not before", async () => {
  const { world, controller } = await start();
  await run(world, controller, { ...DRILL, ttlSecondsAfterFinished: 3600 });
  world.nowMs += 3_590_000;
  await controller.look();
  assert.ok(world.get("FailoverOperation", "act"));
  world.nowMs += 20_000;
  await controller.look();
  assert.throws(() => world.get("FailoverOperation", "act"));
});

for (const [name, spec, grants, faults] of [
  ["Soft", SOFT, 0, ["crash-after", "lost-answer"]],
  ["Stop", STOP, 1, FAULTS],
] as const) {
  test(`a fault at any write of a ${name} switchover ends in the same place`, async () => {
    const counting = await start();
    const first = counting.controller.writes + 1;
    await run(counting.world, counting.controller, spec);
    for (const kind of faults) {
      for (let nth = first; nth <= counting.controller.writes; nth++) {
        const { world, controller } = await start({ fault: { nth, kind } });
        const end = await run(world, controller, spec);
        assert.equal(end?.["reason"], "Returned", `${kind} at write ${nth}: ${end?.["message"]}`);
        assert.deepEqual([world.grants, world.violations], [grants, []], `${kind} at write ${nth}`);
        await until(world, [controller], "as before", () => isReady(world) && replicas(world, "a") === 1);
      }
    }
  });
}
