// A world for the controller: the objects of the embedded API, a stand-in for the StatefulSet controller and the kubelets, and
// two engines that follow the witness as theirs do. Everything in it happens when a test says so; the watcher looks at
// every write and remembers what must never happen.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { ApiObjects, type Target } from "../../dev/embedded-api/api-objects.ts";
import { loadKinds } from "../../dev/embedded-api/kinds.ts";
import { ObjectStore, type StoreEvent } from "../../dev/embedded-api/object-store.ts";
import { StatusError } from "../../dev/embedded-api/status-error.ts";
import { Validator } from "../../dev/embedded-api/validation.ts";
import { selectorOf } from "../../dev/embedded-api/watch.ts";
import { unixSeconds } from "../../src/base/units.ts";
import type { ApplyContext } from "../../src/controller/apply.ts";
import { reconcileKey } from "../../src/controller/apply-reconcile.ts";
import type { Cache } from "../../src/controller/caches.ts";
import type { RenderOptions } from "../../src/controller/desired/render-options.ts";
import { newMemory, noteApplied, noteReport } from "../../src/controller/memory.ts";
import { LABELLED_KINDS, TYPES, type WatchedKind } from "../../src/controller/resource-types.ts";
import { noteStatus } from "../../src/controller/unkept.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import {
  CONFIG_MAP,
  EVENT,
  formatTime,
  type KubeObject,
  NAMESPACE,
  type ResourceType,
  SECRET,
} from "../../src/kube/resource.ts";
import { OPTIONS } from "./observed-fixture.ts";

type Json = Record<string, unknown>;
type Client = ApplyContext["client"];

export const KEY = "default/campus";
const OPERATOR_NAMESPACE = "leasepair-system";
const START_MS = Date.parse("2026-03-01T03:00:00Z");

/** What one write of the controller meets. */
export type Fault = "crash-before" | "crash-after" | "lost-answer" | "conflict" | "refused";
export const FAULTS: readonly Fault[] = ["crash-before", "crash-after", "lost-answer", "conflict", "refused"];

class Crash extends Error {}

const KINDS = loadKinds(fileURLToPath(new URL("../../crds/", import.meta.url)));
const VALIDATOR = new Validator();

const pairOf = ({ metadata }: KubeObject) => metadata.labels?.["leasepair.io/relationship"] ?? "";
const engineName = (pair: string, member: string) => (pair === "campus" ? member : `${pair}-${member}`);
const engineOf = (object: KubeObject) =>
  engineName(pairOf(object), object.metadata.labels?.["leasepair.io/member"] ?? "");

export class PairWorld {
  /** The embedded API without its network. */
  readonly objects = new ApiObjects(new ObjectStore(), VALIDATOR);
  /** What must never happen, and did. */
  readonly violations: string[] = [];
  readonly engines: Record<string, Json> = {};
  /** Members whose engine and pod are off; those of another pair than campus by both names: lab-a. */
  readonly off = new Set<string>();
  /** Members whose engine says nothing more, in a pod that looks well. */
  readonly mute = new Set<string>();
  /** Members whose StatefulSet has no replica. */
  readonly stopped = new Set<string>();
  /** What the API server says to whoever wants to create a pod; null: it creates them. */
  podRefusal: string | null = null;
  /** What an admission policy makes of each object that is applied. */
  admit: (object: KubeObject) => KubeObject = (object) => object;
  /** A field of the status that the kind's definition, of an earlier release, does not know. */
  readonly unknownStatusFields: Partial<Record<WatchedKind, string>> = {};
  /** Kinds whose definition was deleted. */
  readonly undefinedKinds: WatchedKind[] = [];
  /** Whether the StorageClass allows a claim to grow. */
  allowsExpansion = true;
  /** Whether the controllers' role lets them read and write ConfigMaps. */
  copiesRecords = true;
  grants = 0;
  nowMs = START_MS;
  /** The namespace is, with both pods. */
  #isGoing = false;

  /** `examples`: whose pairs there are. All that names no pair is of campus, which the first one has. */
  constructor(examples: readonly string[] = ["load-balance"]) {
    this.objects.store.subscribe((event) => this.#watch(event));
    for (const name of ["default", OPERATOR_NAMESPACE])
      this.objects.create(this.#kind(NAMESPACE), null, { metadata: { name } });
    for (const name of ["node-1", "node-2"]) this.create("Node", null, { metadata: { name } });
    for (const example of examples) this.createExample(example);
  }

  createExample(example: string): void {
    const file = fileURLToPath(new URL(`../../examples/${example}.yaml`, import.meta.url));
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
      const object = document.toJS() as KubeObject;
      this.create(object.kind as WatchedKind, "default", object);
    }
  }

  create(kind: WatchedKind, namespace: string | null, object: KubeObject): KubeObject {
    return this.objects.create(this.#kind(TYPES[kind]), namespace, object);
  }

  get(kind: WatchedKind, name: string): KubeObject {
    return this.objects.get(this.#target(TYPES[kind], "default", name));
  }

  names(kind: WatchedKind): readonly string[] {
    return this.#list(kind).map(({ metadata }) => metadata.name ?? "");
  }

  /** Merge patch, past all faults. */
  patch(kind: WatchedKind, name: string, patch: Json, subresource: "" | "status" = ""): void {
    this.objects.mergePatch({ ...this.#target(TYPES[kind], "default", name), subresource }, patch);
  }

  status(kind: WatchedKind, name: string): Json {
    return (this.get(kind, name)["status"] ?? {}) as Json;
  }

  delete(kind: WatchedKind, name: string): void {
    this.objects.delete(this.#target(TYPES[kind], "default", name), { gracePeriodSeconds: 0 });
  }

  secret(name: string): KubeObject | null {
    return this.objects.store.get(this.#kind(SECRET), `default/${name}`);
  }

  deleteSecret(name: string): void {
    this.objects.delete(this.#target(SECRET, "default", name), { gracePeriodSeconds: 0 });
  }

  /** What the copy of campus's store record says; null when there is none. */
  storeCopy(): Json | null {
    const key = `${OPERATOR_NAMESPACE}/leasepair-store.default.campus`;
    return (this.objects.store.get(this.#kind(CONFIG_MAP), key)?.["data"] ?? null) as Json | null;
  }

  /** With all that is in it; and made anew, empty. */
  replaceNamespace(): void {
    this.#isGoing = true;
    for (const kind of KINDS) {
      for (const { metadata } of this.objects.store.list(kind)) {
        const { name = "", namespace } = metadata;
        if (namespace !== "default" || this.objects.store.get(kind, `default/${name}`) === null) continue;
        this.objects.delete(this.#target(kind, namespace, name), { gracePeriodSeconds: 0 });
      }
    }
    this.objects.delete(this.#target(NAMESPACE, null, "default"), { gracePeriodSeconds: 0 });
    this.objects.create(this.#kind(NAMESPACE), null, { metadata: { name: "default" } });
    this.#isGoing = false;
  }

  condition(type: string, kind: WatchedKind = "FailoverRelationship", name = "campus"): Json {
    const conditions = (this.status(kind, name)["conditions"] ?? []) as Json[];
    return conditions.find((condition) => condition["type"] === type) ?? {};
  }

  witness(pair = "campus"): Json {
    return (this.status("FailoverRelationship", pair)["witness"] ?? {}) as Json;
  }

  operate(name: string, spec: Json): void {
    const metadata = { name, namespace: "default" };
    const whole = { relationshipRef: { name: "campus" }, reason: "a test", ...spec };
    const object = { apiVersion: "leasepair.io/v1alpha1", kind: "FailoverOperation", metadata, spec: whole };
    this.create("FailoverOperation", "default", object);
  }

  declare(name: string, expectedEpoch: number): void {
    this.operate(name, { type: "DeclarePartnerDown", declarePartnerDown: { survivor: "a" }, expectedEpoch });
  }

  /** One turn of pods and engines. */
  turn(): void {
    this.nowMs += 5_000;
    for (const set of this.#list("StatefulSet")) this.#runSet(set);
    for (const member of this.#list("FailoverMember")) this.#runEngine(member);
  }

  #runSet(set: KubeObject): void {
    const name = `${set.metadata.name}-0`;
    const member = engineOf(set);
    const pod = this.#list("Pod").find((each) => each.metadata.name === name);
    if (this.off.has(member)) {
      if (pod !== undefined) this.delete("Pod", name);
      return;
    }
    const { replicas } = set["spec"] as { replicas: number };
    if (replicas === 0) {
      if (pod !== undefined) this.delete("Pod", name);
      // It starts anew when it starts again.
      if (this.engines[member] !== undefined) this.engines[member]["state"] = "Startup";
      this.stopped.add(member);
      return;
    }
    this.stopped.delete(member);
    if (pod !== undefined) return;
    if (this.podRefusal !== null) return this.#refusePod(set, name, this.podRefusal);
    const template = (set["spec"] as { template: KubeObject }).template;
    const { labels = {}, annotations = {} } = template.metadata;
    const owner = {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      name: set.metadata.name ?? "",
      uid: set.metadata.uid ?? "",
    };
    const ownerReferences = [{ ...owner, controller: true }];
    const metadata = { name, namespace: "default", labels, annotations, ownerReferences };
    this.create("Pod", "default", { metadata, spec: template["spec"] });
    const conditions = [{ type: "Ready", status: "True", lastTransitionTime: formatTime(this.nowMs) }];
    const containerStatuses = [{ name: "engine", state: { running: { startedAt: formatTime(this.nowMs) } } }];
    this.patch("Pod", name, { status: { phase: "Running", conditions, containerStatuses } }, "status");
  }

  /** As the StatefulSet's controller tells it, seen through events.k8s.io. */
  #refusePod({ metadata }: KubeObject, pod: string, why: string): void {
    const { name = "", uid = "" } = metadata;
    const note = `create Pod ${pod} in StatefulSet ${name} failed error: ${why}`;
    const time = formatTime(this.nowMs);
    const event = { regarding: { kind: "StatefulSet", name, uid }, reason: "FailedCreate", note };
    const object = { metadata: { name: `${name}.${this.nowMs}`, namespace: "default" } };
    this.objects.create(this.#kind(EVENT), "default", { ...object, ...event, deprecatedLastTimestamp: time });
  }

  #runs(pair: string, member: string): boolean {
    const pod = this.objects.store.get(this.#kind(TYPES.Pod), `default/${pair}-${member}-0`);
    const engine = engineName(pair, member);
    return pod !== null && !this.off.has(engine) && !this.stopped.has(engine);
  }

  /** The states' succession, as far as the witness has a part in it. */
  #runEngine(object: KubeObject): void {
    const pair = pairOf(object);
    const name = (object["spec"] as { member: string }).member;
    const partner = name === "a" ? "b" : "a";
    if (!this.#runs(pair, name) || this.mute.has(engineName(pair, name))) return;
    const fresh = {
      state: "Startup",
      store: `store-${name}`,
      complete: true,
      entered: 0,
      returned: 0,
      seen: 0,
      serving: "None",
    };
    const engine = this.engines[engineName(pair, name)] ?? { ...fresh };
    this.engines[engineName(pair, name)] = engine;
    const witness = this.witness(pair);
    const epoch = (witness["epoch"] ?? 0) as number;
    engine["seen"] = Math.max(engine["seen"] as number, epoch);
    const partnerState = this.#runs(pair, partner)
      ? (this.engines[engineName(pair, partner)]?.["state"] ?? null)
      : null;
    const before = engine["state"];
    engine["state"] = this.#nextState(name, engine, partnerState as string | null, witness);
    const status: Json = { ...engine, reportedAt: formatTime(this.nowMs) };
    if (before !== engine["state"]) engine["since"] = status["since"] = formatTime(this.nowMs);
    engine["serving"] = status["serving"] =
      engine["state"] === "Startup" || engine["state"] === "Recover" ? "None" : "All";
    const { fencing, revision } = (this.status("FailoverRelationship", pair)["effective"] ?? {}) as {
      fencing?: string;
      revision?: string;
    };
    if (revision !== undefined) status["revisions"] = { active: revision };
    engine["linkSecurity"] = status["linkSecurity"] = "TLS";
    engine["fencing"] = status["fencing"] = fencing ?? "None";
    const same = JSON.stringify({
      ...this.status("FailoverMember", object.metadata.name ?? ""),
      reportedAt: "",
    });
    // In NORMAL an unchanged report is not written.
    if (engine["state"] === "Normal" && same === JSON.stringify({ ...status, reportedAt: "" })) return;
    this.patch("FailoverMember", object.metadata.name ?? "", { status }, "status");
  }

  #nextState(name: string, engine: Json, partner: string | null, witness: Json): string {
    const state = engine["state"] as string;
    const epoch = (witness["epoch"] ?? 0) as number;
    const mine = witness["holder"] === name && witness["holderStore"] === engine["store"];
    switch (state) {
      case "Startup":
        return partner === "PartnerDown" ? "Recover" : partner === null ? "Startup" : "Normal";
      case "Recover":
        return "RecoverDone";
      case "RecoverDone":
        return "Normal";
      case "Normal":
        if (partner === null) return "CommunicationsInterrupted";
        if (mine && epoch > (engine["returned"] as number)) engine["returned"] = epoch;
        return "Normal";
      case "CommunicationsInterrupted":
        if (partner !== null) return "Normal";
        if (!mine || epoch <= (engine["returned"] as number)) return state;
        engine["entered"] = epoch;
        engine["entry"] = formatTime(this.nowMs);
        return "PartnerDown";
      case "PartnerDown":
        if (partner !== "RecoverDone" && partner !== "Normal") return state;
        engine["returned"] = engine["entered"];
        return "Normal";
      default:
        return state;
    }
  }

  /** Every write passes here, whoever makes it. */
  #watch({ kind, object, previous, type }: StoreEvent): void {
    if (kind.kind === "FailoverOperation" && previous !== null && type === "MODIFIED") {
      const finished = JSON.stringify(previous["status"] ?? {}).includes('"completionTime"');
      if (finished) this.violations.push(`finished operation ${object.metadata.name} was written again`);
    }
    if (kind.kind === "Pod" && type === "DELETED" && !this.#isGoing && !this.off.has(engineOf(object))) {
      const others = this.#list("Pod").filter(
        (pod) => pairOf(pod) === pairOf(object) && pod.metadata.name !== object.metadata.name,
      );
      if (others.length === 0) this.violations.push("both pods were gone at once");
    }
    if (kind.kind === "StatefulSet" && type === "ADDED") this.#watchSet(object);
    if (kind.kind !== "FailoverRelationship" || type !== "MODIFIED") return;
    const was = (((previous?.["status"] ?? {}) as Json)["witness"] ?? null) as Json | null;
    const is = (((object["status"] ?? {}) as Json)["witness"] ?? null) as Json | null;
    if (was === null || is === null) {
      if (was !== null) this.violations.push("the witness was removed");
      return;
    }
    this.#watchWitness(was, is);
  }

  /** An engine may lease as soon as it has a pod: by then it is written outside of its namespace where its store lies. */
  #watchSet(set: KubeObject): void {
    if (pairOf(set) !== "campus") return;
    const { storage } = this.get("FailoverRelationship", "campus")["spec"] as { storage?: Json };
    const { uid } = this.objects.get(this.#target(NAMESPACE, null, "default")).metadata;
    const copy = this.storeCopy();
    const isKept = copy?.["namespaceUid"] === uid && JSON.stringify(set).includes(`${copy?.["storeUid"]}`);
    if (storage?.["retain"] !== false && this.copiesRecords && !isKept)
      this.violations.push("a pod before the copy of the store record");
  }

  #watchWitness(was: Json, is: Json): void {
    const holder = is["holder"];
    if ((is["epoch"] as number) < (was["epoch"] as number)) this.violations.push("the epoch fell");
    if (holder === undefined && was["holder"] !== undefined) {
      const returned = this.engines[was["holder"] as string]?.["returned"] as number;
      if (returned < (was["epoch"] as number)) this.violations.push("cleared without the holder's word");
    }
    if (holder === undefined || (holder === was["holder"] && is["epoch"] === was["epoch"])) return;
    this.grants += 1;
    if (was["holder"] !== undefined && is["transferredFrom"] !== was["holder"]) {
      this.violations.push("granted over a holder");
    }
    const effective = this.status("FailoverRelationship", "campus")["effective"] as Json;
    const uncapped = Object.values(this.engines).some(({ fencing }) => fencing !== effective["fencing"]);
    if (effective["fencing"] === "Witness" && uncapped)
      this.violations.push("granted before both are capped");
    if (is["epoch"] !== (was["epoch"] as number) + 1) this.violations.push("a grant with a wrong epoch");
  }

  #list(kind: WatchedKind): readonly KubeObject[] {
    return this.objects.store.list(this.#kind(TYPES[kind]));
  }

  #kind({ plural, group }: Pick<ResourceType, "plural" | "group">) {
    return KINDS.find((kind) => kind.plural === plural && kind.group === group)!;
  }

  #target(type: ResourceType, namespace: string | null, name: string) {
    return {
      kind: this.#kind(type),
      namespace: type.namespaced ? namespace : null,
      name,
      subresource: "" as const,
    };
  }

  /** The store as it is, or as it was at a revision. */
  cache(revision: () => number = () => this.objects.store.revision): Cache {
    const list = (kind: WatchedKind, namespace: string | null) =>
      this.objects.store.list(this.#kind(TYPES[kind]), revision()).filter(({ metadata }) => {
        if (LABELLED_KINDS.has(kind) && metadata.labels?.["app.kubernetes.io/name"] !== "leasepair")
          return false;
        return namespace === null || metadata.namespace === namespace;
      });
    const get = (kind: WatchedKind, namespace: string, name: string) =>
      list(kind, TYPES[kind].namespaced ? namespace : null).find(({ metadata }) => metadata.name === name);
    return { list, get, refusal: () => null, undefinedKinds: () => this.undefinedKinds };
  }

  /** The API without a network: the same checks, the same conflicts. */
  /** Whether it is a claim that exists, of another size. */
  #grows({ kind, metadata, spec }: KubeObject): boolean {
    if (kind !== "PersistentVolumeClaim" || !this.names(kind).includes(metadata.name ?? "")) return false;
    const before = this.get("PersistentVolumeClaim", metadata.name ?? "")["spec"];
    return JSON.stringify((before as Json)["resources"]) !== JSON.stringify((spec as Json)["resources"]);
  }

  client(): Client {
    const { objects } = this;
    const call = <T>(work: () => T): Promise<T> => {
      try {
        return Promise.resolve(structuredClone(work()));
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        const { code, reason, message } = error as StatusError & { code: number; reason: string };
        return Promise.reject(new KubeError({ status: code, reason, message }));
      }
    };
    const find: Client["find"] = (type, namespace, name) =>
      call(() => {
        if (type === CONFIG_MAP && !this.copiesRecords)
          throw new StatusError(403, "configmaps is forbidden", {}, "Forbidden");
        return objects.get(this.#target(type, namespace, name));
      }).catch((error: KubeError) => {
        if (error.status === 404) return null;
        throw error;
      });
    const target = (type: ResourceType, { metadata }: KubeObject) =>
      this.#target(type, metadata.namespace ?? null, metadata.name ?? "");
    return {
      find,
      create: (type, object) =>
        call(() => objects.create(this.#kind(type), object.metadata.namespace ?? null, object)),
      replace: (type, object) => call(() => objects.update(target(type, object), object)),
      list: (type, namespace, { fieldSelector = "" } = {}) => {
        const selects = selectorOf({ namespace, name: "", query: { fieldSelector } });
        const items = objects.store.list(this.#kind(type)).filter(selects);
        return call(() => ({ items, resourceVersion: String(objects.store.revision) }));
      },
      getQuorum: (type, namespace, name) => call(() => objects.get(this.#target(type, namespace, name))),
      apply: (type, object, { fieldManager }) => {
        const { namespace = null, name = "" } = object.metadata;
        if (!this.allowsExpansion && this.#grows(object)) {
          const message = `persistentvolumeclaims "${name}" is forbidden: only dynamically provisioned pvc can be resized`;
          return Promise.reject(new KubeError({ status: 403, reason: "Forbidden", message }));
        }
        const admitted = this.admit(object);
        return call(() => objects.apply(this.#target(type, namespace, name), admitted, { fieldManager }));
      },
      patchMerge: (type, { namespace, name }, patch) =>
        call(() => objects.mergePatch(this.#target(type, namespace, name), patch)),
      patchStatus: (type, { namespace, name }, patch) =>
        call(() => {
          const status = { ...(patch["status"] as Json) };
          const unknown = this.unknownStatusFields[type.kind as WatchedKind];
          if (unknown !== undefined) delete status[unknown];
          const target: Target = { ...this.#target(type, namespace, name), subresource: "status" };
          return objects.mergePatch(target, { ...patch, status });
        }),
      delete: (type, namespace, name, { uid, resourceVersion } = {}) => {
        const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
        return call(() =>
          objects.delete(this.#target(type, namespace, name), { preconditions, gracePeriodSeconds: 0 }),
        ).then(
          () => true,
          (error: KubeError) => {
            if (error.status === 404) return false;
            throw error;
          },
        );
      },
    };
  }
}

export interface TestControllerOptions {
  /** What its engine pods are made of, where that matters. */
  readonly render?: RenderOptions;
  /** The store's revision that its caches show. */
  readonly revision?: () => number;
  /** The fault that strikes the nth write (from 1) counted over the controller's lives. */
  readonly fault?: { readonly nth: number; readonly kind: Fault };
  /** A kind of which its caches show nothing. */
  readonly hides?: WatchedKind;
  /** What the API answers to every creation. */
  readonly refusesToCreate?: KubeError;
  /** What it answers to every write of a witness that grants. */
  readonly refusesToGrant?: KubeError;
  /** Objects that it forbids to be applied. */
  readonly refusesToApply?: (object: KubeObject) => boolean;
}

/** One controller process: it may die at a write, and comes back without its memory. */
export class TestController {
  readonly #world: PairWorld;
  readonly #options: TestControllerOptions;
  #memory = newMemory();
  writes = 0;
  /** Reasons of the events that it recorded. */
  readonly events: string[] = [];
  struck = false;

  constructor(world: PairWorld, options: TestControllerOptions = {}) {
    this.#world = world;
    this.#options = options;
  }

  /** Grants that count against the limit. */
  get countedGrants(): number {
    return this.#memory.automaticGrants.length;
  }

  /** Its watch brings the members' reports. */
  hear(): void {
    const now = unixSeconds(Math.floor(this.#world.nowMs / 1000));
    for (const member of this.#cache().list("FailoverMember", null)) noteReport(this.#memory, member, now);
  }

  /** One look at one key; gives how many writes were tried. */
  async look(key = KEY): Promise<number> {
    const before = this.writes;
    const timing = {
      nowMs: () => this.#world.nowMs,
      wallMs: () => this.#world.nowMs,
      after: () => () => {},
      random: () => 0.5,
    };
    try {
      await reconcileKey(key, new AbortController().signal, {
        cache: this.#cache(),
        memory: this.#memory,
        render: this.#options.render ?? OPTIONS,
        apply: {
          client: this.#client(),
          recorder: { record: ({ reason }) => this.events.push(reason) },
          copiesIn: OPERATOR_NAMESPACE,
          now: () => new Date(this.#world.nowMs),
          mayWrite: () => true,
          noteApplied: (applied, kept) => noteApplied(this.#memory, applied, kept),
          noteStatus: (patch, kept) =>
            noteStatus(this.#memory.unkept, patch, kept, unixSeconds(Math.floor(this.#world.nowMs / 1000))),
        },
        timing,
        log: () => {},
        reconcileID: "look",
      });
    } catch (error) {
      if (error instanceof Crash) this.#memory = newMemory();
      else if (!(error instanceof KubeError)) throw error;
    }
    return this.writes - before;
  }

  #cache(): Cache {
    const { hides, revision } = this.#options;
    const cache = this.#world.cache(revision);
    const list: Cache["list"] = (kind, namespace) => (kind === hides ? [] : cache.list(kind, namespace));
    const get: Cache["get"] = (kind, namespace, name) =>
      kind === hides ? undefined : cache.get(kind, namespace, name);
    return { ...cache, list, get };
  }

  #client(): Client {
    const real = this.#world.client();
    return {
      find: real.find,
      list: real.list,
      getQuorum: real.getQuorum,
      create: (type, object, options) =>
        this.#write(() => {
          const { refusesToCreate } = this.#options;
          return refusesToCreate === undefined
            ? real.create(type, object, options)
            : Promise.reject(refusesToCreate);
        }),
      replace: (type, object, options) => this.#write(() => real.replace(type, object, options)),
      apply: (type, object, options) =>
        this.#write(() =>
          this.#options.refusesToApply?.(object) === true
            ? Promise.reject(new KubeError({ status: 403, reason: "Forbidden", message: "not this one" }))
            : real.apply(type, object, options),
        ),
      patchMerge: (type, key, patch, options) =>
        this.#write(() => real.patchMerge(type, key, patch, options)),
      patchStatus: (type, key, patch, options) =>
        this.#write(() => {
          const { refusesToGrant } = this.#options;
          const { witness } = patch["status"] as { witness?: { holder?: unknown } };
          return refusesToGrant === undefined || typeof witness?.holder !== "string"
            ? real.patchStatus(type, key, patch, options)
            : Promise.reject(refusesToGrant);
        }),
      delete: (type, namespace, name, options) =>
        this.#write(() => real.delete(type, namespace, name, options)),
    };
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    this.writes += 1;
    const { fault } = this.#options;
    if (fault?.nth !== this.writes) return work();
    this.struck = true;
    if (fault.kind === "crash-before") throw new Crash();
    if (fault.kind === "conflict")
      throw new KubeError({ status: 409, reason: "Conflict", message: "changed" });
    if (fault.kind === "refused")
      throw new KubeError({ status: 500, reason: "InternalError", message: "no" });
    const answer = await work();
    if (fault.kind === "crash-after") throw new Crash();
    if (fault.kind === "lost-answer")
      throw new KubeError({ status: 0, reason: "Unreachable", message: "lost" });
    return answer;
  }
}
