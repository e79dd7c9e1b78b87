// Performs a decision's effects, in order, and stops at the first that fails; but for a claim that may not change, on which nothing
// rests. Each write carries the version it was
// decided on, and what else it rests on is read again past all caches: a stale decision fails, changes nothing,
// and is made anew (reliability rule K4). Never retries by itself: the queue does, after a fresh look.

import { assert } from "../base/assert.ts";
import type { KubeClient } from "../kube/client.ts";
import type { EventRecorder } from "../kube/events.ts";
import { isConflict, isNotFound, KubeError } from "../kube/kube-error.ts";
import { type KubeObject, type ResourceType, SECRET } from "../kube/resource.ts";
import { describe } from "../kube/timing.ts";
import { performLinkStep } from "./apply-link.ts";
import { performRelease, performRemoval } from "./apply-removal.ts";
import { copyStoreRecord, writeStoreRecord } from "./apply-store-record.ts";
import { APPLY_DEFINITIONS } from "./decide/definitions.ts";
import type { DesiredObject } from "./desired/desired.ts";
import { FIELD_MANAGER, storeCopyName, storeRecordName } from "./desired/names.ts";
import type { BasisVersion, Effect, EventWish, StatusTarget } from "./effect.ts";
import { outdated } from "./outdated.ts";
import { TYPES, type WatchedKind } from "./resource-types.ts";

export interface ApplyContext {
  readonly client: Pick<
    KubeClient,
    "apply" | "create" | "delete" | "find" | "getQuorum" | "list" | "patchMerge" | "patchStatus" | "replace"
  >;
  readonly recorder: Pick<EventRecorder, "record">;
  /** The controller's namespace, where the copies of the store records lie; null: it keeps none. */
  readonly copiesIn: string | null;
  /** Of certificates, by the wall clock. */
  readonly now: () => Date;
  /** Asked before every write: only a leader writes. */
  readonly mayWrite: () => boolean;
  /** Told what the API server made of each object that is applied; gives whether it keeps it in another way. */
  readonly noteApplied: (applied: KubeObject, kept: KubeObject) => boolean;
  /** Told what the API server made of each status that `patch` was written into. */
  readonly noteStatus: (patch: Readonly<Record<string, unknown>>, kept: KubeObject) => void;
  readonly signal?: AbortSignal;
}

export interface Refused {
  readonly effect: string;
  readonly error: unknown;
}

export type ApplyResult =
  /** `refused`: a claim that stays as it is. */
  | { readonly kind: "done"; readonly writes: number; readonly refused: Refused | null }
  /** What was decided on has changed meanwhile: look again. */
  | { readonly kind: "outdated"; readonly writes: number; readonly effect: string }
  | { readonly kind: "not-leader"; readonly writes: number }
  | { readonly kind: "failed"; readonly writes: number; readonly effect: string; readonly error: unknown };

const FORBIDDEN = 403;
const INVALID = 422;

/** Whether the last effect may be in force: it is, or no answer told that it is not. */
export function mayBeWritten(result: ApplyResult): boolean {
  if (result.kind !== "failed") return result.kind === "done";
  const { error } = result;
  const isRefused =
    error instanceof KubeError && (!error.sent || (error.status >= 400 && error.status < 500));
  return !isRefused;
}

/** Performs `effects`; never throws for what the API says or does not say. */
export async function performEffects(
  effects: readonly Effect[],
  context: ApplyContext,
): Promise<ApplyResult> {
  let writes = 0;
  let refused: Refused | null = null;
  for (const group of groupsOf(effects)) {
    if (group.some(({ kind }) => kind !== "event") && !context.mayWrite())
      return { kind: "not-leader", writes };
    const results = await Promise.allSettled(group.map((effect) => perform(effect, context)));
    writes += group.filter(({ kind }, i) => kind !== "event" && results[i]?.status === "fulfilled").length;
    for (const [i, effect] of group.entries()) {
      const result = results[i];
      if (result?.status !== "rejected") continue;
      const named = nameOfEffect(effect);
      const error: unknown = result.reason;
      if (isConflict(error)) return { kind: "outdated", writes, effect: named };
      if (mayWaitBeside(effect) && isNotFound(error)) continue;
      if (keepsItsClaim(effect, error)) {
        refused ??= { effect: named, error };
        continue;
      }
      return { kind: "failed", writes, effect: named, error };
    }
  }
  return { kind: "done", writes, refused };
}

/** Whether the API forbids a change of a claim that exists: its pod runs on with the volume that it has, and whatever else is to be
 *  written, a member to be started again among it, must not wait for a StorageClass. */
function keepsItsClaim(effect: Effect, error: unknown): boolean {
  const isClaim =
    effect.kind === "apply" &&
    effect.object.kind === "PersistentVolumeClaim" &&
    effect.resourceVersion !== null;
  return isClaim && error instanceof KubeError && (error.status === FORBIDDEN || error.status === INVALID);
}

/** With a hundred scopes to tell and an API that takes 100 ms a write, one after another would keep the only worker, and with it
 *  every other relationship's grant, for ten seconds. */
const SIDE_BY_SIDE_MAX = 10;

/** One effect each, but statuses that nobody waits for, which are written side by side. */
function groupsOf(effects: readonly Effect[]): readonly (readonly Effect[])[] {
  const groups: Effect[][] = [];
  for (const effect of effects) {
    const last = groups.at(-1);
    const first = last?.[0];
    const joins =
      first !== undefined && mayWaitBeside(first) && mayWaitBeside(effect) && last!.length < SIDE_BY_SIDE_MAX;
    if (joins) last!.push(effect);
    else groups.push([effect]);
  }
  return groups;
}

/** Each such object is written once a look, and nothing rests on it: nor does it matter when it is gone, as with its definition. */
function mayWaitBeside(effect: Effect): boolean {
  return effect.kind === "write-status" && TOLD_KINDS.includes(effect.target.kind);
}
const TOLD_KINDS: readonly StatusTarget["kind"][] = ["DHCPScope", "DHCPReservationSet"];

async function perform(effect: Effect, context: ApplyContext): Promise<void> {
  switch (effect.kind) {
    case "apply":
      return performApply(effect, context);
    case "start-again":
      return performStart(effect, context);
    case "delete-pod":
      await verifyBasis(effect.verify, context);
      return deleteAsFound(TYPES.Pod, effect, context);
    case "delete-operation":
      return deleteAsFound(TYPES.FailoverOperation, effect, context);
    case "prune":
      return performPrune(effect, context);
    case "remove-store":
      return performRemoval(effect, context);
    case "release-member":
      return performRelease(effect, context);
    case "write-status":
      return performStatus(effect, context);
    case "link":
      return performLinkStep(effect, context);
    case "store-record":
      return writeStoreRecord(effect, context.client);
    case "store-copy":
      return copyStoreRecord(effect, context);
    case "event":
      context.recorder.record(effect.event);
      return;
    default:
      return effect satisfies never;
  }
}

/** The first that is not as it was ends the effect; one that is gone has changed too. */
async function verifyBasis(basis: readonly BasisVersion[], context: ApplyContext): Promise<void> {
  for (const { of, namespace, name, resourceVersion } of basis) {
    const fresh = await context.client
      .getQuorum(TYPES[of], namespace, name, callOptions(context))
      .catch((error: unknown) => {
        if (isNotFound(error)) return null;
        throw error;
      });
    if (fresh?.metadata.resourceVersion !== resourceVersion) throw outdated(`${of} ${name} has changed`);
  }
}

async function deleteAsFound(
  type: ResourceType,
  { namespace, name, uid, resourceVersion }: Extract<Effect, { kind: "delete-pod" | "delete-operation" }>,
  context: ApplyContext,
): Promise<void> {
  await context.client.delete(type, namespace, name, { uid, resourceVersion, ...callOptions(context) });
}

/** Somebody else's object of that name stays. */
async function performPrune(
  { of, namespace, name, owner, found }: Extract<Effect, { kind: "prune" }>,
  context: ApplyContext,
): Promise<void> {
  const type = of === "Secret" ? SECRET : TYPES[of];
  let version = found;
  if (version === null) {
    const object = await context.client.find(type, namespace, name, callOptions(context));
    const { ownerReferences = [], uid = "", resourceVersion = "" } = object?.metadata ?? {};
    if (!ownerReferences.some((reference) => reference.controller === true && reference.uid === owner))
      return;
    version = { uid, resourceVersion };
  }
  await context.client.delete(type, namespace, name, { ...version, ...callOptions(context) });
}

async function performApply(
  effect: Extract<Effect, { kind: "apply" }>,
  context: ApplyContext,
): Promise<void> {
  const { object } = effect;
  await verifyBasis(effect.verify, context);
  const type = TYPES[object.kind as WatchedKind];
  let { resourceVersion } = effect;
  if (resourceVersion === null) {
    // Not in the cache, which holds only what carries our labels: look whether somebody else's stands there.
    const found = await context.client.find(type, object.namespace, object.name, callOptions(context));
    if (found !== null) {
      assertOurs(found, object.body);
      resourceVersion = found.metadata.resourceVersion ?? null;
    }
  }
  const { metadata } = object.body;
  const body =
    resourceVersion === null ? object.body : { ...object.body, metadata: { ...metadata, resourceVersion } };
  const kept = await context.client.apply(type, body, {
    fieldManager: FIELD_MANAGER,
    force: true,
    ...callOptions(context),
  });
  if (context.noteApplied(object.body, kept)) context.recorder.record(alteredEvent(object));
}

function alteredEvent({ body, kind, name, namespace }: DesiredObject): EventWish {
  const [owner] = body.metadata.ownerReferences ?? [];
  assert(owner !== undefined, "what is rendered has an owner");
  const { apiVersion, kind: ownerKind, name: ownerName, uid } = owner;
  return {
    regarding: { apiVersion, kind: ownerKind, namespace, name: ownerName, uid },
    type: "Warning",
    reason: "AlteredByPolicy",
    action: "Apply",
    note:
      `An admission policy or webhook of the cluster changes what the controller writes into ${kind} ${name}. It is used as it is kept: ` +
      `look whether the servers can run like that (kubectl get ${kind.toLowerCase()} -n ${namespace} ${name} -o yaml), else exempt it.`,
  };
}

/** By a merge patch: to apply the number alone would take back all the rest. */
async function performStart(
  { namespace, name, resourceVersion }: Extract<Effect, { kind: "start-again" }>,
  context: ApplyContext,
): Promise<void> {
  const patch = { metadata: { resourceVersion }, spec: { replicas: 1 } };
  await context.client.patchMerge(TYPES.StatefulSet, { namespace, name }, patch, {
    fieldManager: FIELD_MANAGER,
    ...callOptions(context),
  });
}

/** Objects of other owners are never taken over. */
function assertOurs(found: KubeObject, body: KubeObject): void {
  const owner = found.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
  const own = body.metadata.ownerReferences?.[0]?.uid;
  if (owner === own) return;
  throw new KubeError({
    status: 0,
    reason: "ObjectConflict",
    message:
      `${body.kind} ${body.metadata.name} exists and does not belong to this relationship: delete it, or name the ` +
      "relationship differently",
  });
}

async function performStatus(
  effect: Extract<Effect, { kind: "write-status" }>,
  context: ApplyContext,
): Promise<void> {
  await verifyBasis(effect.verify, context);
  const { target, resourceVersion, patch } = effect;
  const { namespace, name } = target;
  const body = { metadata: { resourceVersion }, status: patch };
  const kept = await context.client.patchStatus(TYPES[target.kind], { namespace, name }, body, {
    fieldManager: FIELD_MANAGER,
    ...callOptions(context),
  });
  context.noteStatus(patch, kept);
}

function callOptions({ signal }: ApplyContext): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** For logs and the Reconciling condition. */
export function nameOfEffect(effect: Effect): string {
  switch (effect.kind) {
    case "apply":
      return `apply ${effect.object.kind} ${effect.object.name}`;
    case "start-again":
      return `scale StatefulSet ${effect.name}`;
    case "delete-pod":
      return `delete Pod ${effect.name}`;
    case "remove-store":
      return `create Pod ${effect.pod.metadata.name}`;
    case "release-member":
      return `release FailoverMember ${effect.name}`;
    case "prune":
      return `delete ${effect.of} ${effect.name}`;
    case "delete-operation":
      return `delete FailoverOperation ${effect.name}`;
    case "write-status":
      return `write status of ${effect.target.kind} ${effect.target.name}`;
    case "link":
      return `link ${effect.step.kind}${effect.step.kind === "issue" ? ` for ${effect.step.member}` : ""}`;
    case "store-record":
      return `write Secret ${storeRecordName(effect.name)}`;
    case "store-copy":
      return `write ConfigMap ${storeCopyName(effect.namespace, effect.name)}`;
    case "event":
      return `event ${effect.event.reason}`;
    default:
      return effect satisfies never;
  }
}

/** Server-side apply refuses what the definition does not know. */
const UNKNOWN_FIELD = /field not declared in schema/;

/** A failure as one sentence for people; what changes from try to try is left out, or each try would be a write. */
export function failureText(effect: string, error: unknown): string {
  if (!(error instanceof KubeError)) return `${effect}: ${describe(error)}`;
  const told = `${effect}: ${error.reason}: ${error.message}`;
  if (!UNKNOWN_FIELD.test(error.message)) return told;
  return `${told}. The definitions in the cluster are older than this controller: ${APPLY_DEFINITIONS} -f crds/`;
}

/** The same of a claim that stays as it is, with what to do about it. */
export function refusalText({ effect, error }: Refused): string {
  const remedy =
    "The pair goes on with the volume that it has; a claim grows once its StorageClass allows it";
  const how = `kubectl patch storageclass NAME --patch '{"allowVolumeExpansion": true}'`;
  return `${failureText(effect, error).replace(/\.$/, "")}. ${remedy}, if its driver can: ${how}`;
}
