// The conditions that tell of a damaged store and of an engine that ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/units.ts";
import { readReport } from "../../../src/controller/read-report.ts";
import type { MemberReport } from "../../../src/dhcp/engine/event.ts";
import { MemberStatusWriter } from "../../../src/dhcp/host/member-status.ts";
import { damageOf } from "../../../src/dhcp/host/store-health.ts";
import type { Store } from "../../../src/dhcp/store/lease-store.ts";
import type { KubeObject } from "../../../src/kube/resource.ts";
import { systemTiming } from "../../../src/kube/timing.ts";
import { FakeTiming, settle } from "../../kube/fake-timing.ts";
import { Pair } from "../engine/pair.ts";

type Options = ConstructorParameters<typeof MemberStatusWriter>[0];
type Condition = { type: string; status: string; reason: string; message: string };

/** The status as written for a report that says this. */
async function statusFor(
  says: Partial<MemberReport>,
): Promise<{ readonly conditions: readonly Condition[] }> {
  let status: unknown = null;
  const client = {
    patchStatus: async (_kind: unknown, _name: unknown, patch: { status: unknown }) => {
      status = patch.status;
    },
  } as unknown as Options["client"];
  const writer = new MemberStatusWriter({
    client,
    namespace: "net",
    name: "campus-a",
    shown: () => null,
    timing: systemTiming,
    log: () => {},
  });
  const { report } = new Pair().startBoth().a;
  writer.report({ ...report, ...says });
  await writer.stop();
  return status as { conditions: Condition[] };
}

/** One of its conditions. */
async function written(says: Partial<MemberReport>, condition = "StoreDamaged"): Promise<Condition> {
  return (await statusFor(says)).conditions.find(({ type }) => type === condition)!;
}

test("the controller reads from it by which MCLT the member waits, and of an older engine that it does not say", async () => {
  const status = await statusFor({ waitLeadSeconds: seconds(1_800) });
  const read = (of: object) => readReport({ metadata: {}, status: of }, "Primary")?.waitLeadSeconds;
  assert.equal(read(status), 1_800);
  assert.equal(read({ ...status, waitLeadSeconds: undefined }), null);
});

test("a sound store has no damage to tell of", async () => {
  assert.equal(damageOf({ kind: "opened", store: {} as Store, records: [], fresh: false }), null);
  const { status, reason, message } = await written({ complete: true, storeDamage: null });
  assert.deepEqual([status, reason, message], ["False", "Sound", ""]);
});

test("a store that was set aside is told with its problem, its files and what comes next", async () => {
  const setAside = ["damaged-1-segment-0000000001.log", "damaged-1-segment-0000000002.log"];
  const rest = { store: {} as Store, records: [], fresh: true } as const;
  const damage = damageOf({ kind: "damaged", problem: "bad at byte 7", setAside, ...rest });
  const before = await written({ complete: false, storeDamage: damage });
  assert.deepEqual([before.status, before.reason], ["True", "SetAside"]);
  assert.match(
    before.message,
    /\(bad at byte 7\).*2 files from damaged-1-segment-0000000001.log.*Nobody is served/,
  );
  assert.match((await written({ complete: true, storeDamage: damage })).message, /All leases were fetched/);
});

test("an engine that ends by a fault says so and serves nobody", async () => {
  const failure = "cannot sync segment-0000000001.log: EIO";
  const { status, reason, message } = await written({ serving: "None", failure }, "Serving");
  assert.deepEqual([status, reason, message], ["False", "Failed", failure]);
});

test("a partner that is refused is told with the reason, and no more once it is not", async () => {
  const linkRefusal = { reason: "CertificateRevoked", message: "signed by an earlier authority" } as const;
  const refused = await written({ linkRefusal }, "LinkRefused");
  assert.deepEqual(
    [refused.status, refused.reason, refused.message],
    ["True", "CertificateRevoked", "signed by an earlier authority"],
  );
  const met = await written({ linkRefusal: null }, "LinkRefused");
  assert.deepEqual([met.status, met.reason, met.message], ["False", "NotRefused", ""]);
});

test("what is wrong with the clock is told, the worst of it", async () => {
  const told = async (report: Partial<MemberReport>) => {
    const { status, reason } = await written(report, "ClockSound");
    return `${status}/${reason}`;
  };
  const all = { clockIsBehind: true, clocksAreApart: true, clockIsSynchronised: false };
  assert.equal(await told(all), "False/ClockBehind");
  assert.equal(await told({ ...all, clockIsBehind: false }), "False/ClocksApart");
  assert.equal(await told({ clockIsSynchronised: false }), "False/NotSynchronised");
  assert.equal(await told({ clockIsSynchronised: true }), "True/Sound");
  assert.equal(await told({}), "True/Sound");
});

test("a lost carrier is told with its interfaces, and whether the partner knows", async () => {
  const told = async (says: Partial<MemberReport>) => {
    const { status, reason, message } = await written(says, "CarrierPresent");
    return `${status}/${reason}: ${message}`;
  };
  assert.equal(await told({}), "True/Present: ");
  const lost = { carrierLost: ["lan0", "lan1"] };
  const alone = "False/Lost: clients cannot reach it through lan0 and lan1, which has no carrier";
  assert.equal(await told({ ...lost, connected: false }), alone);
  assert.match(await told({ ...lost, connected: true }), /its partner, which knows, answers all clients$/);
});

test("a report that the API has lost, or shows as it once was, is written again; one that stands is not", async () => {
  const timing = new FakeTiming();
  let shown: KubeObject | null = null;
  let writes = 0;
  const member = { apiVersion: "", kind: "", metadata: { name: "campus-a" } };
  const client = {
    patchStatus: async (_kind: unknown, _name: unknown, { status }: { status: object }) => {
      writes += 1;
      shown = { ...member, status };
    },
  } as unknown as Options["client"];
  const identity = { namespace: "net", name: "campus-a" };
  const writer = new MemberStatusWriter({ client, ...identity, shown: () => shown, timing, log: () => {} });
  const { report } = new Pair().startBoth().a;
  const rest = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      await timing.advance(1_000);
      writer.report({ ...report, state: "NORMAL" });
    }
    await settle();
    return writes;
  };
  assert.equal(await rest(24), 1);
  const written = shown as unknown as { status: object };
  // Late by less than a sign of life, a watch still shows what was there before.
  shown = { ...member, status: {} };
  assert.equal(await rest(1), 2, "lost");
  assert.deepEqual(Object.keys(shown["status"] as object), Object.keys(written.status));
  shown = { ...member, status: written.status };
  assert.equal(await rest(8), 2, "a late watch");
  assert.equal(await rest(4), 3, "put back as it was");
  shown = null;
  assert.equal(await rest(3_600), 3, "no object to write to");
});
