// Gathers what one reconcile needs into plain data: from the caches, the clock's reading and the little the process
// remembers. It judges nothing; an object that is not ours, or belongs to an earlier relationship of the same name, is
// left out here, so that nothing later can mistake it.

import { compile } from "../api/compile.ts";
import { type UnixSeconds, unixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import type { Cache } from "./caches.ts";
import {
  ANNOTATION_PAUSED,
  ANNOTATION_TEMPLATE_HASH,
  memberObjectName,
  memberPodName,
} from "./desired/names.ts";
import { ENGINE_CONTAINER } from "./desired/stateful-set.ts";
import { referenceName } from "./keys.ts";
import {
  childKey,
  type Observed,
  type ObservedChild,
  type ObservedConfig,
  type ObservedMember,
  type ObservedOperation,
  type ObservedPod,
  type ObservedRelationship,
} from "./observed.ts";
import { type NamespaceObjects, readNamespace } from "./read-objects.ts";
import { readReport, reportedAt } from "./read-report.ts";
import { CHILD_KINDS } from "./resource-types.ts";
import { parseTime } from "./time.ts";

type Json = Readonly<Record<string, unknown>>;

/** What the process remembers between two looks, beyond what the API holds. */
export interface Memory {
  /** When each FailoverMember's report was last seen to change, by UID. */
  readonly heard: Map<string, { readonly report: string; readonly at: UnixSeconds }>;
  /** Why the last look at a relationship could not be finished, by key. */
  readonly failures: Map<string, string>;
  /** Relationships in the middle of a rollout. */
  readonly rolling: Set<string>;
}

export function newMemory(): Memory {
  return { heard: new Map(), failures: new Map(), rolling: new Set() };
}

/** Everything about the relationship `namespace/name`; null when it does not exist. Updates `memory.heard`. */
export function observe(
  cache: Cache,
  memory: Memory,
  at: { readonly namespace: string; readonly name: string; readonly now: UnixSeconds },
): Observed | null {
  const { namespace, name, now } = at;
  const object = cache.get("FailoverRelationship", namespace, name);
  if (object === undefined) return null;
  const objects = readNamespace(cache, namespace);
  const key = `${namespace}/${name}`;
  return {
    now,
    relationship: observedRelationship(object),
    compiled: compiledConfig(objects, namespace, name),
    members: observedMembers(cache, memory, object, now),
    nodes: new Set(cache.list("Node", null).map((node) => node.metadata.name ?? "")),
    operations: operations(cache, namespace, name),
    ...scopesOf(cache, namespace, name),
    children: children(cache, object),
    lastFailure: memory.failures.get(key) ?? null,
    rollingElsewhere: [...memory.rolling].find((other) => other !== key) ?? null,
  };
}

function observedRelationship(object: KubeObject): ObservedRelationship {
  const spec = map(object["spec"]);
  const { metadata } = object;
  return {
    apiVersion: object.apiVersion ?? "leasepair.io/v1alpha1",
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    generation: metadata.generation ?? 0,
    createdAt: parseTime(metadata.creationTimestamp) ?? unixSeconds(0),
    deleting: metadata.deletionTimestamp !== undefined,
    paused: metadata.annotations?.[ANNOTATION_PAUSED] === "true",
    mode: text(spec["mode"]),
    primary: text(spec["primary"]),
    status: map(object["status"]),
  };
}

function compiledConfig(objects: NamespaceObjects, namespace: string, name: string): ObservedConfig {
  const own = objects.unreadable.filter(
    (rejected) =>
      rejected.kind === "FailoverRelationship" && rejected.namespace === namespace && rejected.name === name,
  );
  if (own.length > 0) return { kind: "rejected", rejected: own };
  const result = compile(objects.set, namespace, name);
  if (result.kind === "rejected") {
    return { kind: "rejected", rejected: [...result.rejections, ...objects.unreadable] };
  }
  return { kind: "compiled", config: result.config, rejected: [...result.rejected, ...objects.unreadable] };
}

function observedMembers(
  cache: Cache,
  memory: Memory,
  relationship: KubeObject,
  now: UnixSeconds,
): readonly ObservedMember[] {
  const { namespace = "", name = "", uid } = relationship.metadata;
  const spec = map(relationship["spec"]);
  const members = Array.isArray(spec["members"]) ? spec["members"].map(map) : [];
  return members.map((member): ObservedMember => {
    const memberName = text(member["name"]);
    const found = cache.get("FailoverMember", namespace, memberObjectName(name, memberName));
    const object = found !== undefined && ownerUid(found) === uid ? found : null;
    const role = memberName === spec["primary"] ? "Primary" : "Secondary";
    const pod = cache.get("Pod", namespace, memberPodName(name, memberName));
    return {
      name: memberName,
      nodeName: text(member["nodeName"]),
      address: text(member["address"]),
      report: object === null ? null : readReport(object, role),
      reportVersion: object?.metadata.resourceVersion ?? "",
      heardAt: object === null ? unixSeconds(0) : heardAt(memory, object, now),
      pod: pod === undefined ? null : observedPod(pod),
    };
  });
}

/** By this process's own observation: what counts is that the report changed, not what its clock says. Only at first
 *  sight is the report's own time taken, so that a restarted controller does not find a long silent member fresh. */
function heardAt(memory: Memory, object: KubeObject, now: UnixSeconds): UnixSeconds {
  const uid = object.metadata.uid ?? "";
  const report = JSON.stringify(object["status"] ?? null);
  const known = memory.heard.get(uid);
  if (known !== undefined && known.report === report) return known.at;
  const said = known === undefined ? reportedAt(object) : null;
  const at = said === null ? now : unixSeconds(Math.min(said, now));
  memory.heard.set(uid, { report, at });
  return at;
}

function observedPod(pod: KubeObject): ObservedPod {
  const status = map(pod["status"]);
  const containers = Array.isArray(status["containerStatuses"]) ? status["containerStatuses"].map(map) : [];
  const engine = containers.find((container) => container["name"] === ENGINE_CONTAINER);
  const conditions = Array.isArray(status["conditions"]) ? status["conditions"].map(map) : [];
  const ready = conditions.find((condition) => condition["type"] === "Ready");
  return {
    name: pod.metadata.name ?? "",
    uid: pod.metadata.uid ?? "",
    resourceVersion: pod.metadata.resourceVersion ?? "",
    deleting: pod.metadata.deletionTimestamp !== undefined,
    running: map(engine?.["state"])["running"] !== undefined,
    ready: ready?.["status"] === "True",
    readySince: parseTime(ready?.["lastTransitionTime"]) ?? unixSeconds(0),
    templateHash: pod.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH] ?? "",
  };
}

function operations(cache: Cache, namespace: string, relationship: string): readonly ObservedOperation[] {
  return cache
    .list("FailoverOperation", namespace)
    .filter((object) => referenceName(object, "relationshipRef") === relationship)
    .map(observedOperation);
}

export function observedOperation(object: KubeObject): ObservedOperation {
  const spec = map(object["spec"]);
  const { metadata } = object;
  const survivor = map(spec["declarePartnerDown"])["survivor"];
  const epoch = spec["expectedEpoch"];
  return {
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    generation: metadata.generation ?? 0,
    createdAt: parseTime(metadata.creationTimestamp) ?? unixSeconds(0),
    type: text(spec["type"]),
    survivor: typeof survivor === "string" ? survivor : null,
    reason: text(spec["reason"]),
    notAfter: parseTime(spec["notAfter"]),
    expectedEpoch: typeof epoch === "number" ? epoch : null,
    status: map(object["status"]),
  };
}

function scopesOf(
  cache: Cache,
  namespace: string,
  relationship: string,
): Pick<Observed, "scopes" | "reservationSets"> {
  const scopes = cache
    .list("DHCPScope", namespace)
    .filter((object) => referenceName(object, "relationshipRef") === relationship);
  const names = new Set(scopes.map(({ metadata }) => metadata.name));
  const sets = cache
    .list("DHCPReservationSet", namespace)
    .filter((object) => names.has(referenceName(object, "scopeRef") ?? ""));
  return { scopes: scopes.map(observedScope), reservationSets: sets.map(observedSet) };
}

export function observedScope(object: KubeObject): Observed["scopes"][number] {
  const status = map(object["status"]);
  return { ...versionOf(object), status, countsWrittenAt: parseTime(status["updatedAt"]) ?? unixSeconds(0) };
}

export function observedSet(object: KubeObject): Observed["reservationSets"][number] {
  const { entries } = map(object["spec"]);
  return {
    ...versionOf(object),
    status: map(object["status"]),
    entries: Array.isArray(entries) ? entries.length : 0,
  };
}

function versionOf({ metadata }: KubeObject) {
  const { name = "", resourceVersion = "", generation = 0 } = metadata;
  return { name, resourceVersion, generation };
}

/** By name, not by label or owner: what stands where ours should stand is a finding, whoever made it. */
function children(cache: Cache, relationship: KubeObject): ReadonlyMap<string, ObservedChild> {
  const { namespace = "", name = "" } = relationship.metadata;
  const spec = map(relationship["spec"]);
  const members = Array.isArray(spec["members"]) ? spec["members"].map(map) : [];
  const names = [name, ...members.map((member) => memberObjectName(name, text(member["name"])))];
  const found = new Map<string, ObservedChild>();
  for (const kind of CHILD_KINDS) {
    for (const childName of names) {
      const object = cache.get(kind, namespace, childName);
      if (object === undefined) continue;
      found.set(childKey(kind, childName), {
        resourceVersion: object.metadata.resourceVersion ?? "",
        ownerUid: ownerUid(object),
        deleting: object.metadata.deletionTimestamp !== undefined,
        object,
      });
    }
  }
  return found;
}

function ownerUid(object: KubeObject): string | null {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid ?? null;
}

function map(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
