// Gathers what one reconcile needs into plain data: from the caches, the clock's reading and the little the process
// remembers. It judges nothing (but asks how
// PARTNER-DOWN is decided, which the configuration contains); an object that is not ours, or belongs to an earlier relationship of the same name, is
// left out here, so that nothing later can mistake it.

import { digestOf } from "../api/digest.ts";
import { type EffectiveStatus, EXCLUDED_ADDRESSES_MAX } from "../api/failover-relationship-status.ts";
import { allowsMassDeletion, judgeDeletion, massDeletionHeld } from "../api/mass-deletion.ts";
import { AFTER_SECONDS_DEFAULT } from "../api/partner-down.ts";
import { CLAIM_SIZE_DEFAULT } from "../api/storage.ts";
import { formatIpv4, type Ipv4, parseIpv4Prefix, prefixContains } from "../base/ipv4.ts";
import { canonicalQuantity } from "../base/quantity.ts";
import { parseTime } from "../base/time.ts";
import { type UnixSeconds, unixSeconds } from "../base/units.ts";
import { type KubeObject, type ObjectMeta, objectKey } from "../kube/resource.ts";
import type { Cache } from "./caches.ts";
import { compileOnce } from "./compile-once.ts";
import { contestOver } from "./contest.ts";
import { chooseFencing } from "./decide/fencing.ts";
import { servedByOperation, stoppedByOperation } from "./decide/operation-outcome.ts";
import { storeUidOf } from "./decide/stores.ts";
import { readWitness } from "./decide/witness.ts";
import {
  ANNOTATION_PAUSED,
  type ClaimSpec,
  claimName,
  memberObjectName,
  memberPodName,
} from "./desired/names.ts";
import { type Json, map, maps, text } from "./json.ts";
import { referenceName } from "./keys.ts";
import { linkPlaceOf, unreadableAuthority } from "./link-place.ts";
import {
  alteredRendering,
  apartSince,
  heardAt,
  linkInMemory,
  type Memory,
  nodeLeaseRenewedAt,
  notYetLookedAt,
  recentGrants,
  watchedSince,
} from "./memory.ts";
import { admitsNode } from "./node-affinity.ts";
import { nodeAddresses, observedNode, observedPod } from "./observe-machines.ts";
import {
  childKey,
  type FencingChoice,
  type Observed,
  type ObservedChild,
  type ObservedClaim,
  type ObservedConfig,
  type ObservedMember,
  type ObservedNode,
  type ObservedOperation,
  type ObservedRelationship,
  type StoreUser,
} from "./observed.ts";
import { type NamespaceObjects, readNamespace } from "./read-objects.ts";
import { readReport } from "./read-report.ts";
import { CHILD_KINDS } from "./resource-types.ts";
import { unkeptOf } from "./unkept.ts";

interface At {
  readonly namespace: string;
  readonly name: string;
  readonly now: UnixSeconds;
}

/** Everything about the relationship `namespace/name`; null when it does not exist. Updates `memory`. */
export function observe(cache: Cache, memory: Memory, at: At): Observed | null {
  const { namespace, name, now } = at;
  const object = cache.get("FailoverRelationship", namespace, name);
  if (object === undefined) return null;
  const objects = readNamespace(cache, at);
  const key = `${namespace}/${name}`;
  const nodes = observedNodes(cache, memory, now);
  const listed = operations(cache, memory, at);
  const servedBy = servedByOperation(listed, now);
  const members = observedMembers(cache, memory, object, { nodes, now });
  const fencing = fencingOf(object, objects, { nodes, members });
  const effective = effectiveOf(fencing, servedBy, nodeAddressesIn(cache, objects, name));
  const compiled = compiledConfig(memory, objects, at, effective);
  const existing = children(cache, memory, object);
  return {
    now,
    relationship: { ...observedRelationship(object), ...unkeptOf(memory.unkept, object, now) },
    stores: memory.stores.get(object.metadata.uid ?? "") ?? null,
    storeUsers: storeUsers(cache, object),
    link: linkInMemory(memory, object.metadata.uid ?? ""),
    fencing,
    compiled: holdMassDeletion(memory, object, compiled, now),
    members,
    nodes,
    afterSeconds: afterSecondsOf(object),
    automaticGrants: recentGrants(memory, now),
    servedBy,
    stopped: stoppedByOperation(listed, membersOf(object), now),
    operations: listed,
    ...scopesOf(cache, memory, at),
    children: existing,
    contest: contestOver(
      memory.renderings,
      [...existing.values()].map((child) => child.object),
      now,
    ),
    undefinedKinds: cache.undefinedKinds(),
    claimsRefusal: cache.refusal("PersistentVolumeClaim", namespace),
    lastFailure: memory.failures.get(key) ?? null,
    rollingElsewhere: [...memory.rolling].find((other) => other !== key) ?? null,
    notYetLookedAt: notYetLookedAt(memory, () => relationshipKeys(cache), { key, now }),
  };
}

function relationshipKeys(cache: Cache): readonly string[] {
  return cache.list("FailoverRelationship", null).map(({ metadata }) => objectKey(metadata));
}

function observedRelationship(object: KubeObject): ObservedRelationship {
  const spec = map(object["spec"]);
  const { metadata } = object;
  const place = linkPlaceOf(object);
  const storage = map(spec["storage"]);
  const adoptFrom = text(storage["adoptFrom"]);
  return {
    apiVersion: object.apiVersion ?? "leasepair.io/v1alpha1",
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    generation: metadata.generation ?? 0,
    createdAt: parseTime(metadata.creationTimestamp) ?? unixSeconds(0),
    deleting: metadata.deletionTimestamp !== undefined,
    finalizers: metadata.finalizers ?? [],
    paused: metadata.annotations?.[ANNOTATION_PAUSED] === "true",
    mode: text(spec["mode"]),
    primary: text(spec["primary"]),
    retainsStores: storage["retain"] !== false,
    claim: claimOf(storage),
    adoptFrom: adoptFrom === "" ? null : adoptFrom,
    linkSecretBase: place.secretBase,
    unreadableAuthority: unreadableAuthority(place),
    status: map(object["status"]),
  };
}

function claimOf({ type, persistentVolumeClaim }: Json): ClaimSpec | null {
  if (type !== "PersistentVolumeClaim") return null;
  const { accessMode, size, storageClassName } = map(persistentVolumeClaim);
  return {
    storageClassName: typeof storageClassName === "string" ? storageClassName : null,
    size: canonicalQuantity(text(size)) ?? CLAIM_SIZE_DEFAULT,
    accessMode: text(accessMode) || "ReadWriteOncePod",
  };
}

/** Which stores the relationships but that of `uid` use, or ask for where `asks` says so. */
export function storeUsersOf(
  cache: Cache,
  uid: string,
  asks: (other: ObjectMeta) => boolean = () => true,
): readonly StoreUser[] {
  return cache.list("FailoverRelationship", null).flatMap((other): StoreUser[] => {
    if (other.metadata.uid === uid) return [];
    const wanted = asks(other.metadata) ? [text(map(map(other["spec"])["storage"])["adoptFrom"])] : [];
    return [{ relationship: objectKey(other.metadata), storeUids: [...usedStores(other), ...wanted] }];
  });
}

/** The same as seen by one of them: what only stands in another's adoptFrom is taken by the one that asked first. */
function storeUsers(cache: Cache, { metadata }: KubeObject): readonly StoreUser[] {
  const age = ({ creationTimestamp = "", namespace, name }: ObjectMeta) =>
    `${creationTimestamp} ${namespace}/${name}`;
  return storeUsersOf(cache, metadata.uid ?? "", (other) => age(other) <= age(metadata));
}

/** UIDs under which its stores lie, as far as it is settled. */
function usedStores({ metadata, status }: KubeObject): readonly string[] {
  const { storagePath, storeUid } = map(map(status)["effective"]);
  const path = text(storagePath);
  // An earlier version wrote the path alone.
  return [metadata.uid ?? "", text(storeUid), path.slice(path.lastIndexOf("/") + 1)].filter(Boolean);
}

function observedNodes(cache: Cache, memory: Memory, now: UnixSeconds): ReadonlyMap<string, ObservedNode> {
  return new Map(
    cache.list("Node", null).map((node) => {
      const { name = "" } = node.metadata;
      return [name, observedNode(node, nodeLeaseRenewedAt(memory, name, now))];
    }),
  );
}

function afterSecondsOf(relationship: KubeObject): number {
  return numberOr(map(map(relationship["spec"])["partnerDown"])["afterSeconds"], AFTER_SECONDS_DEFAULT);
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

/** What the relationship is to be compiled with: chosen here, because the revision covers it. */
function fencingOf(
  object: KubeObject,
  { set }: NamespaceObjects,
  { nodes, members }: Pick<Observed, "nodes" | "members">,
): FencingChoice {
  const status = map(object["status"]);
  const parsed = set.relationships.find(({ metadata }) => metadata.uid === object.metadata.uid);
  return chooseFencing({
    wanted: parsed?.spec.partnerDown ?? null,
    pinned: map(status["effective"]),
    isGranted: readWitness(status)?.holder != null,
    members: members.map((member) => ({ ...member, reportsCap: member.report?.fencing === "Witness" })),
    nodes,
  });
}

/** What nodes have in the subnets that the relationship serves. */
function nodeAddressesIn(cache: Cache, { set }: NamespaceObjects, name: string): readonly Ipv4[] {
  const subnets = set.scopes
    .filter(({ spec }) => spec.relationshipRef.name === name)
    .flatMap(({ spec }) => parseIpv4Prefix(spec.subnet) ?? []);
  const found = cache
    .list("Node", null)
    .flatMap(nodeAddresses)
    .filter((address) => subnets.some((subnet) => prefixContains(subnet, address)));
  return [...new Set(found)].sort((a, b) => a - b).slice(0, EXCLUDED_ADDRESSES_MAX);
}

/** What the configuration takes from status.effective: how PARTNER-DOWN is decided, who serves, and what is left out. */
function effectiveOf(
  { fencing, automatic }: FencingChoice,
  servedBy: string | null,
  excludedAddresses: readonly Ipv4[],
): EffectiveStatus {
  return {
    fencing,
    automatic,
    ...(servedBy === null ? {} : { servedBy }),
    excludedAddresses: excludedAddresses.map(formatIpv4),
  };
}

/** spec.members, as far as they have names. */
function membersOf(
  relationship: KubeObject,
): readonly Pick<ObservedMember, "name" | "nodeName" | "address" | "isExternal">[] {
  return maps(map(relationship["spec"])["members"]).map((member) => ({
    name: text(member["name"]),
    nodeName: text(member["nodeName"]),
    address: text(member["address"]),
    isExternal: member["external"] !== undefined,
  }));
}

/** Refuses what lost most of its scopes at once; what the status says was accepted is what a new process begins with. */
function holdMassDeletion(
  memory: Memory,
  { metadata, status }: KubeObject,
  compiled: ObservedConfig,
  now: UnixSeconds,
): ObservedConfig {
  if (compiled.kind !== "compiled") return compiled;
  const { uid = "", annotations } = metadata;
  const { revision, scopes } = compiled.config;
  const accepted = map(status)["scopes"];
  const known = memory.scopes.get(uid);
  const history =
    known ?? (typeof accepted === "number" ? [{ since: now, scopes: accepted, value: null }] : []);
  const next = { scopes: scopes.length, value: null, isAllowed: allowsMassDeletion(annotations, revision) };
  const verdict = judgeDeletion(history, next, now);
  if (verdict.kind === "held") {
    memory.scopes.set(uid, history);
    return {
      kind: "rejected",
      rejected: [massDeletionHeld(compiled.config, compiled.config, verdict.before)],
    };
  }
  memory.scopes.set(uid, verdict.history);
  return compiled;
}

/** As it will stand once the status says `effective`. */
function compiledConfig(
  { compilations }: Memory,
  objects: NamespaceObjects,
  at: At,
  effective: EffectiveStatus,
): ObservedConfig {
  const { namespace, name } = at;
  const own = objects.unreadable.filter(
    (rejected) =>
      rejected.kind === "FailoverRelationship" && rejected.namespace === namespace && rejected.name === name,
  );
  if (own.length > 0) return { kind: "rejected", rejected: own };
  const result = compileOnce(compilations, objects.set, at, effective);
  if (result.kind === "rejected") {
    return { kind: "rejected", rejected: [...result.rejections, ...objects.unreadable] };
  }
  return { kind: "compiled", config: result.config, rejected: [...result.rejected, ...objects.unreadable] };
}

function observedMembers(
  cache: Cache,
  memory: Memory,
  relationship: KubeObject,
  { nodes, now }: { readonly nodes: ReadonlyMap<string, ObservedNode>; readonly now: UnixSeconds },
): readonly ObservedMember[] {
  const { namespace = "", name = "", uid } = relationship.metadata;
  const { primary } = map(relationship["spec"]);
  const storeUid = storeUidIn(memory, relationship);
  return membersOf(relationship).map((member): ObservedMember => {
    const { name: memberName } = member;
    const own = memberObjectName(name, memberName);
    const found = cache.get("FailoverMember", namespace, own);
    const object = found !== undefined && ownerUid(found) === uid ? found : null;
    const role = memberName === primary ? "Primary" : "Secondary";
    const pod = cache.get("Pod", namespace, memberPodName(name, memberName));
    const set = cache.get("StatefulSet", namespace, own);
    const report = object === null ? null : readReport(object, role);
    const heard = object === null ? unixSeconds(0) : heardAt(memory, object, now);
    const lastNode = lastNodeOf(relationship, memberName, pod);
    return {
      ...member,
      report,
      reportVersion: object?.metadata.resourceVersion ?? "",
      heardAt: heard,
      watchedSince: object === null ? unixSeconds(0) : watchedSince(memory, object.metadata.uid ?? "", now),
      pod: pod === undefined ? null : observedPod(pod, cache.get("ServiceAccount", namespace, own)),
      podRefusal: memory.refusals.get(set?.metadata.uid ?? "") ?? null,
      lastNode,
      node: nodes.get(lastNode ?? member.nodeName) ?? null,
      claim: observedClaim(cache, memory, member, { namespace, storeUid }),
      apartSince: apartSince(memory, object?.metadata.uid ?? "", report, { heard, now }),
    };
  });
}

/** A pod that is not scheduled yet has not been anywhere; then, and without one, the status keeps where the last one was. */
function lastNodeOf({ status }: KubeObject, name: string, pod: KubeObject | undefined): string | null {
  const before = maps(map(status)["members"]).find((member) => member["name"] === name);
  const node = text(map(pod?.["spec"])["nodeName"]) || text(before?.["nodeName"]);
  return node === "" ? null : node;
}

/** Where its stores lie; null while that is not known, or when they are in no claims. */
function storeUidIn(memory: Memory, object: KubeObject): string | null {
  const relationship = observedRelationship(object);
  const stores = memory.stores.get(relationship.uid) ?? null;
  return relationship.claim === null ? null : storeUidOf({ relationship, stores });
}

function observedClaim(
  cache: Cache,
  memory: Memory,
  { name, nodeName }: Pick<ObservedMember, "name" | "nodeName">,
  { namespace, storeUid }: { readonly namespace: string; readonly storeUid: string | null },
): ObservedClaim | null {
  if (storeUid === null) return null;
  const claim = cache.get("PersistentVolumeClaim", namespace, claimName(storeUid, name));
  if (claim === undefined) return null;
  const { deletionTimestamp, name: ownName = "", uid = "" } = claim.metadata;
  const phase = text(map(claim["status"])["phase"]);
  const volumeName = text(map(claim["spec"])["volumeName"]);
  const volume = memory.volumes.get(uid);
  const node = cache.get("Node", "", nodeName);
  return {
    name: ownName,
    phase: phase === "" ? "Pending" : phase,
    deleting: deletionTimestamp !== undefined,
    note: memory.refusals.get(uid) ?? null,
    volumeName: volumeName === "" ? null : volumeName,
    isUsableOnNode: volume === undefined || node === undefined ? null : isUsable(volume.nodeAffinity, node),
  };
}

function isUsable(nodeAffinity: Json | null, node: KubeObject): boolean {
  return nodeAffinity === null || admitsNode(nodeAffinity, node);
}

function operations(
  cache: Cache,
  { unkept }: Memory,
  { namespace, name, now }: At,
): readonly ObservedOperation[] {
  return cache
    .list("FailoverOperation", namespace)
    .filter((object) => referenceName(object, "relationshipRef") === name)
    .map((object) => ({ ...observedOperation(object), ...unkeptOf(unkept, object, now) }));
}

export function observedOperation(object: KubeObject): ObservedOperation {
  const spec = map(object["spec"]);
  const { metadata } = object;
  const { partnerIs, survivor } = map(spec["declarePartnerDown"]);
  const switchover = map(spec["switchover"]);
  const { style, to } = switchover;
  const test = map(spec["testFailover"]);
  const epoch = spec["expectedEpoch"];
  return {
    digest: digestOf(spec),
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    generation: metadata.generation ?? 0,
    createdAt: parseTime(metadata.creationTimestamp) ?? unixSeconds(0),
    type: text(spec["type"]),
    survivor: typeof survivor === "string" ? survivor : null,
    isPartnerDestroyed: partnerIs === "Destroyed",
    switchover: typeof to === "string" ? { to, style: style === "Stop" ? "Stop" : "Soft" } : null,
    silence: typeof test["silence"] === "string" ? test["silence"] : null,
    forSeconds: numberOr(
      test["forSeconds"] ?? switchover["forSeconds"],
      spec["type"] === "TestFailover" ? 60 : 600,
    ),
    deadlineSeconds: numberOr(spec["deadlineSeconds"], 600),
    ttlSeconds: numberOr(spec["ttlSecondsAfterFinished"], 604_800),
    reason: text(spec["reason"]),
    notAfter: parseTime(spec["notAfter"]),
    expectedEpoch: typeof epoch === "number" ? epoch : null,
    status: map(object["status"]),
  };
}

function scopesOf(
  cache: Cache,
  { unkept }: Memory,
  { namespace, name, now }: At,
): Pick<Observed, "scopes" | "reservationSets"> {
  const scopes = cache
    .list("DHCPScope", namespace)
    .filter((object) => referenceName(object, "relationshipRef") === name);
  const names = new Set(scopes.map(({ metadata }) => metadata.name));
  const sets = cache
    .list("DHCPReservationSet", namespace)
    .filter((object) => names.has(referenceName(object, "scopeRef") ?? ""));
  return {
    scopes: scopes.map((scope) => ({ ...observedScope(scope), ...unkeptOf(unkept, scope, now) })),
    reservationSets: sets.map((set) => ({ ...observedSet(set), ...unkeptOf(unkept, set, now) })),
  };
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
  const { deletionTimestamp, finalizers, generation = 0, name = "", resourceVersion = "" } = metadata;
  const held = deletionTimestamp === undefined ? {} : { heldBy: finalizers ?? [] };
  return { name, resourceVersion, generation, ...held };
}

/** By name, not by label or owner: what stands where ours should stand is a finding, whoever made it. */
function children(
  cache: Cache,
  memory: Memory,
  relationship: KubeObject,
): ReadonlyMap<string, ObservedChild> {
  const storeUid = storeUidIn(memory, relationship);
  const { namespace = "", name = "" } = relationship.metadata;
  const members = membersOf(relationship).map((member) => member.name);
  const names = [name, ...members.map((member) => memberObjectName(name, member))];
  const claims = storeUid === null ? [] : members.map((member) => claimName(storeUid, member));
  const wanted = [
    ...CHILD_KINDS.map((kind) => [kind, names] as const),
    ["PersistentVolumeClaim", claims] as const,
  ];
  const found = new Map<string, ObservedChild>();
  for (const [kind, childNames] of wanted) {
    for (const childName of childNames) {
      const object = cache.get(kind, namespace, childName);
      if (object === undefined) continue;
      found.set(childKey(kind, childName), {
        resourceVersion: object.metadata.resourceVersion ?? "",
        ownerUid: ownerUid(object),
        deleting: object.metadata.deletionTimestamp !== undefined,
        alteredRendering: alteredRendering(memory, object),
        object,
      });
    }
  }
  return found;
}

function ownerUid(object: KubeObject): string | null {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid ?? null;
}
