import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { type EmbeddedApi, startEmbeddedApi } from "../../../dev/embedded-api/embedded-api.ts";
import { seconds } from "../../../src/base/units.ts";
import type { MemberReport } from "../../../src/dhcp/engine/event.ts";
import { ApiSource } from "../../../src/dhcp/host/api-source.ts";
import { SystemClock } from "../../../src/dhcp/host/clock.ts";
import type { FromConfigSource } from "../../../src/dhcp/host/config-message.ts";
import { KubeClient } from "../../../src/kube/client.ts";
import { ConnectionPool, loadKubeConfig } from "../../../src/kube/connection.ts";
import { EVENT, type KubeObject, type ResourceType } from "../../../src/kube/resource.ts";
import { systemTiming } from "../../../src/kube/timing.ts";
import { campusYaml } from "./campus.ts";

const GROUP = { group: "leasepair.io", version: "v1alpha1", namespaced: true };
const RELATIONSHIPS: ResourceType = {
  ...GROUP,
  plural: "failoverrelationships",
  kind: "FailoverRelationship",
};
const SCOPES: ResourceType = { ...GROUP, plural: "dhcpscopes", kind: "DHCPScope" };
const MEMBERS: ResourceType = { ...GROUP, plural: "failovermembers", kind: "FailoverMember" };

const REPORT: MemberReport = {
  state: "NORMAL",
  stateSince: 1_790_000_000 as never,
  partnerState: "NORMAL",
  lastContactAt: 1_790_000_000 as never,
  connected: true,
  serving: "All",
  store: "00112233445566778899aabbccddeeff",
  generation: 1,
  complete: true,
  entered: 0,
  entry: null,
  returned: 0,
  seen: 0,
  revision: "a".repeat(64),
  shape: "b".repeat(64),
  pendingRevision: null,
  fencing: "None",
  cappedUntil: null,
  heldUntil: null,
  waitLeadSeconds: seconds(3600),
  unackedUpdates: 0,
  clockOffsetSeconds: 0,
  clockUncertaintySeconds: null,
  clockIsBehind: false,
  clocksAreApart: false,
  carrierLost: [],
  partnerCarrierLost: false,
  linkRefusal: null,
  addresses: {},
};

let directory = "";
let api: EmbeddedApi;
let client: KubeClient;
let source: ApiSource;
let messages: FromConfigSource[] = [];
let wake = () => {};
/** Every compilation asks for the last good configuration. */
let lookedBack = 0;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-api-"));
  messages = [];
  api = await startEmbeddedApi();
  const kubeconfig = join(directory, "kubeconfig");
  api.writeKubeConfig(kubeconfig);
  const pool = new ConnectionPool(() => loadKubeConfig({ kubeconfig, context: null }));
  client = new KubeClient({ pool, timing: systemTiming, log: () => {} });
  source = new ApiSource({
    namespace: "default",
    relationship: "campus",
    member: "a",
    kubeconfig,
    lastGood: () => {
      lookedBack += 1;
      return messages.findLast((one) => one.kind === "configured")?.config ?? null;
    },
    post: (message) => {
      messages.push(message);
      wake();
    },
  });
});

afterEach(async () => {
  await source.stop();
  await client.close();
  await api.stop();
  rmSync(directory, { recursive: true, force: true });
});

function ofKind<Kind extends FromConfigSource["kind"]>(kind: Kind) {
  return messages.filter((m): m is Extract<FromConfigSource, { kind: Kind }> => m.kind === kind);
}

async function until(isTrue: () => boolean): Promise<void> {
  const timeout = AbortSignal.timeout(20_000);
  while (!isTrue()) {
    timeout.throwIfAborted();
    await Promise.race([new Promise<void>((resolve) => (wake = resolve)), once(timeout, "abort")]);
  }
}

function campusObjects(): readonly [KubeObject, KubeObject] {
  const documents = parseAllDocuments(campusYaml());
  return (documents as { toJS(): unknown }[]).map((document) => document.toJS()) as never;
}

test("with one scope or many: what goes with its definition stays in force, and is followed again once both are back", async () => {
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  await client.create(SCOPES, scope);
  source.start();
  await until(() => ofKind("configured").length === 1);
  const { name = "" } = scope.metadata;
  const target = {
    kind: api.kind("dhcpscopes"),
    namespace: "default",
    name,
    subresource: "",
  } as const;
  api.objects.delete(target);
  api.faults.inject({ resource: "dhcpscopes", nth: "every", action: { kind: "status", code: 404 } });
  await pause(1_000);
  api.faults.cutWatches("dhcpscopes");
  await until(() => ofKind("source").at(-1)?.reachable === false);
  assert.deepEqual(
    ofKind("configured").map(({ config }) => config.scopes.length),
    [1],
  );
  api.faults.clear();
  await until(() => ofKind("source").at(-1)?.reachable === true);
  const options = { ...(scope["spec"] as { options?: object }).options, domainName: "back.example.org" };
  await client.create(SCOPES, { ...scope, spec: { ...(scope["spec"] as object), options } });
  await until(() => ofKind("configured").length === 2);
  assert.deepEqual(
    ofKind("configured").map(({ config }) => config.scopes.length),
    [1, 1],
  );
});

test("a scope that was deleted alone goes", async () => {
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  await client.create(SCOPES, scope);
  source.start();
  await until(() => ofKind("configured").length === 1);
  await client.delete(SCOPES, "default", scope.metadata.name ?? "");
  await until(() => ofKind("configured").length === 2);
  assert.equal(ofKind("configured").at(-1)?.config.scopes.length, 0);
});

test("objects are compiled, changes followed, and a deleted relationship leaves the last configuration", async () => {
  source.start();
  await until(() => ofKind("rejected").length === 1);
  assert.equal(ofKind("rejected")[0]?.problems[0]?.reason, "RelationshipNotFound");
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  await client.create(SCOPES, scope);
  await until(() => ofKind("configured").some(({ config }) => config.scopes.length === 1));
  assert.notEqual(ofKind("configured").at(-1)?.config.uid, null);
  const before = ofKind("configured").length;
  await client.delete(RELATIONSHIPS, "default", "campus");
  await until(() => ofKind("rejected").length === 2);
  assert.equal(ofKind("configured").length, before);
  assert.deepEqual(ofKind("source"), [{ kind: "source", reachable: true }]);
});

test("W2: the witness is told as a quorum read shows it, with the moment of asking; a missing one is told as unknown", async () => {
  const [relationship] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  const before = new SystemClock().bootMilliseconds();
  source.start();
  await until(() => ofKind("configured").length === 1 && ofKind("witness").length > 0);
  assert.equal(ofKind("witness")[0]?.witness, null);
  const status = {
    witness: { epoch: 3, holder: "a", holderStore: "s", stores: { a: "s", b: "t" } },
    effective: { fencing: "Witness" },
  };
  await client.patchStatus(RELATIONSHIPS, { namespace: "default", name: "campus" }, { status });
  await until(() => ofKind("witness").at(-1)?.witness?.epoch === 3);
  const reading = ofKind("witness").at(-1)?.witness;
  const object = await client.get(RELATIONSHIPS, "default", "campus");
  const { uid, resourceVersion } = object.metadata;
  const { provenAt, ...rest } = reading!;
  assert.deepEqual(rest, { ...status.witness, fencing: "Witness", uid, resourceVersion });
  assert.ok(provenAt! >= before && provenAt! <= new SystemClock().bootMilliseconds());
});

test("what the controller writes about objects is not compiled again, but for what is in force by it", async () => {
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  await client.create(SCOPES, scope);
  source.start();
  await until(() => ofKind("configured").some(({ config }) => config.scopes.length === 1));
  const [compiled, told] = [lookedBack, ofKind("configured").length];
  const inScope = { observedGeneration: 1, addresses: { total: 1, used: 0, free: [] } };
  await client.patchStatus(SCOPES, { namespace: "default", name: "users" }, { status: inScope });
  const at = { namespace: "default", name: "campus" };
  const witness = (epoch: number) => ({ epoch, holder: "a", holderStore: "s", stores: { a: "s", b: "t" } });
  // The first may be read before its event has come; not the second as well.
  for (const epoch of [3, 4]) {
    await client.patchStatus(RELATIONSHIPS, at, { status: { witness: witness(epoch) } });
    await until(() => ofKind("witness").at(-1)?.witness?.epoch === epoch);
  }
  assert.equal(lookedBack, compiled);
  await client.patchStatus(RELATIONSHIPS, at, { status: { effective: { fencing: "Witness" } } });
  await until(() => ofKind("configured").length === told + 1);
  assert.equal(ofKind("configured").at(-1)?.config.fencing, "Witness");
});

test("a scope that is refused is named, the others are served", async () => {
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  await client.create(SCOPES, scope);
  await client.create(SCOPES, { ...scope, metadata: { ...scope.metadata, name: "users-again" } });
  source.start();
  await until(() => ofKind("configured").length > 0);
  const last = ofKind("configured").at(-1);
  assert.deepEqual(
    last?.config.scopes.map(({ name }) => name),
    ["users"],
  );
  assert.match(last?.problems[0]?.where ?? "", /DHCPScope users-again/);
});

test("the report becomes the member's status; in NORMAL and at rest it is written once", async () => {
  const metadata = { name: "campus-a", namespace: "default" };
  const spec = { relationshipRef: { name: "campus" }, member: "a" };
  await client.create(MEMBERS, { metadata, spec });
  const written = () => api.writes().filter(({ verb }) => verb === "patch").length;
  source.start();
  await until(() => ofKind("source").length > 0);
  const timeout = AbortSignal.timeout(20_000);
  const settle = async (count: number) => {
    while (written() < count) {
      timeout.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  source.report(REPORT);
  await settle(1);
  for (let i = 0; i < 20; i++) {
    source.report({ ...REPORT, unackedUpdates: i });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(written(), 1);
  source.report({ ...REPORT, state: "COMMUNICATIONS-INTERRUPTED", connected: false });
  await settle(2);
  const { status } = (await client.get(MEMBERS, "default", "campus-a")) as {
    status?: Record<string, unknown>;
  };
  assert.equal(status?.["state"], "CommunicationsInterrupted");
  assert.equal(status?.["serving"], "All");
});

test("a member's object that was deleted and made anew has its report again, though the member is at rest", async () => {
  const metadata = { name: "campus-a", namespace: "default" };
  const object = { metadata, spec: { relationshipRef: { name: "campus" }, member: "a" } };
  const state = async () => {
    source.report(REPORT);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { status } = (await client.get(MEMBERS, "default", "campus-a")) as { status?: { state?: string } };
    return status?.state;
  };
  const timeout = AbortSignal.timeout(30_000);
  const told = async () => {
    while ((await state()) !== "Normal") timeout.throwIfAborted();
  };
  await client.create(MEMBERS, object);
  source.start();
  await told();
  await client.delete(MEMBERS, "default", "campus-a");
  await client.create(MEMBERS, object);
  await told();
});

test("news of a scope become Events of its object; of a scope that is not there, nothing", async () => {
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  const { metadata } = await client.create(SCOPES, scope);
  source.start();
  await until(() => ofKind("configured").length > 0);
  const entry = (event: string, fields: Readonly<Record<string, string>>) =>
    ({ level: "warn", event, message: "said for people", fields }) as const;
  source.tell(entry("address-declined", { scope: "gone", address: "10.20.0.99" }));
  source.tell(entry("address-declined", { scope: "users", address: "10.20.0.101" }));
  source.tell(
    entry("address-conflict", { scope: "users", address: "10.20.0.102", hardwareAddress: "unknown" }),
  );
  source.tell(entry("reservation-waits", { scope: "users", address: "10.20.0.103", reserved: "10.20.0.50" }));
  await source.stop();
  const { items } = await client.list(EVENT, "default");
  const read = items.map((item) => item as unknown as Record<string, Record<string, string> | string>);
  for (const { regarding } of read) {
    const { kind, name, uid } = regarding as Record<string, string>;
    assert.deepEqual({ kind, name, uid }, { kind: "DHCPScope", name: "users", uid: metadata.uid });
  }
  assert.deepEqual(read.map(({ type, reason, note }) => [type, reason, note]).sort(), [
    ["Normal", "ReservationWaits", "10.20.0.103: said for people (reserved 10.20.0.50)"],
    ["Warning", "AddressConflict", "10.20.0.102: said for people (hardwareAddress unknown)"],
    ["Warning", "AddressDeclined", "10.20.0.101: said for people"],
  ]);
  assert.equal(read[0]?.["reportingController"], "leasepair.io/engine");
});

test("each change of state becomes an Event of the member, also one from before its object was seen", async () => {
  const object = {
    metadata: { name: "campus-a", namespace: "default" },
    spec: { relationshipRef: { name: "campus" }, member: "a" },
  };
  const change = (message: string) =>
    source.tell({ level: "info", event: "state-changed", message, fields: { from: "x", to: "RECOVER" } });
  change("STARTUP -> RECOVER: a new store");
  source.start();
  const { metadata } = await client.create(MEMBERS, object);
  await until(() => ofKind("source").length > 0);
  const told = async () =>
    (await client.list(EVENT, "default")).items as unknown as readonly Record<string, unknown>[];
  const timeout = AbortSignal.timeout(20_000);
  while ((await told()).length < 1) timeout.throwIfAborted();
  change("RECOVER -> RECOVER-WAIT: b has told all that it knows");
  change("RECOVER-WAIT -> RECOVER-DONE: the wait is over");
  while ((await told()).length < 3) timeout.throwIfAborted();
  const events = await told();
  assert.deepEqual(events.map(({ note }) => note).sort(), [
    "RECOVER -> RECOVER-WAIT: b has told all that it knows",
    "RECOVER-WAIT -> RECOVER-DONE: the wait is over",
    "STARTUP -> RECOVER: a new store",
  ]);
  for (const { reason, regarding, type } of events) {
    assert.deepEqual([type, reason], ["Warning", "StateChanged"]);
    const { kind, name, uid } = regarding as Record<string, string>;
    assert.deepEqual({ kind, name, uid }, { kind: "FailoverMember", name: "campus-a", uid: metadata.uid });
  }
});

test("scopes deleted all together are held and served on, until they are back or the annotation names the revision", async () => {
  const [relationship, scope] = campusObjects();
  await client.create(RELATIONSHIPS, relationship);
  const scopes = ["one", "two", "three", "four"].map((name, i) => ({
    ...scope,
    metadata: { ...scope.metadata, name },
    spec: {
      relationshipRef: { name: "campus" },
      subnet: `10.99.${i}.0/24`,
      ranges: [{ start: `10.99.${i}.9`, end: `10.99.${i}.9` }],
    },
  }));
  for (const each of scopes) await client.create(SCOPES, each);
  source.start();
  const latest = () => ofKind("configured").at(-1);
  const names = () =>
    latest()
      ?.config.scopes.map(({ name }) => name)
      .join(" ");
  const refusal = () => latest()?.problems.find(({ reason }) => reason === "MassDeletionHeld")?.message;
  await until(() => names() === "one two three four");
  for (const name of ["one", "two", "three"]) await client.delete(SCOPES, "default", name);
  await until(() => refusal() !== undefined);
  assert.equal(names(), "one two three four");
  const [, allow = ""] = /allow-mass-deletion=([0-9a-f]{12})/.exec(refusal() ?? "") ?? [];
  const annotations = { "leasepair.io/allow-mass-deletion": allow };
  await client.patchMerge(
    RELATIONSHIPS,
    { namespace: "default", name: "campus" },
    { metadata: { annotations } },
  );
  await until(() => names() === "four" && refusal() === undefined);
});
