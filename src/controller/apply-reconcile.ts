// One turn of the loop for one key: observe, decide, apply. All judgement is in decide; this file only says what the
// queue should do next and keeps the little that is remembered between two turns.

import { type UnixSeconds, unixSeconds } from "../base/units.ts";
import type { WorkResult } from "../kube/queue.ts";
import type { KubeObject } from "../kube/resource.ts";
import type { KubeLog, Timing } from "../kube/timing.ts";
import {
  type ApplyContext,
  type ApplyResult,
  failureText,
  mayBeWritten,
  performEffects,
  refusalText,
} from "./apply.ts";
import { readLink } from "./apply-link.ts";
import { readNodeLeases } from "./apply-node-leases.ts";
import { readRefusals } from "./apply-refusals.ts";
import { readStoreRecord } from "./apply-store-record.ts";
import { readVolumes } from "./apply-volumes.ts";
import type { Cache } from "./caches.ts";
import { readConditions } from "./decide/condition.ts";
import { decide } from "./decide/decide.ts";
import { CONFLICT_RETRY_SECONDS } from "./decide/next-look.ts";
import { decideOrphans } from "./decide/orphans.ts";
import { removalEffects, removalRetryAt } from "./decide/removal.ts";
import type { RenderOptions } from "./desired/render-options.ts";
import type { Effect } from "./effect.ts";
import { map } from "./json.ts";
import { nameFields, readKey, referenceName } from "./keys.ts";
import { type Memory, noteClock } from "./memory.ts";
import { observe, observedOperation, observedScope, observedSet } from "./observe.ts";
import { observeRemovals } from "./observe-removals.ts";
import type { Observed } from "./observed.ts";

export interface ReconcileContext {
  readonly cache: Cache;
  readonly memory: Memory;
  readonly render: RenderOptions;
  readonly apply: Omit<ApplyContext, "signal">;
  readonly timing: Timing;
  readonly log: KubeLog;
  /** This turn in the log. */
  readonly reconcileID: string;
  /** Told of every look at a relationship, for metrics. `null`: it is gone. */
  readonly onObserved?: (key: string, observed: Observed | null) => void;
}

/** Works on one key of the queue. */
export async function reconcileKey(
  key: string,
  signal: AbortSignal,
  context: ReconcileContext,
): Promise<WorkResult> {
  const now = unixSeconds(Math.floor(context.timing.wallMs() / 1000));
  noteClock(context.memory, now);
  const { kind, namespace, name } = readKey(key);
  if (kind === "set")
    return finishOrphans(orphanSet(context.cache, { namespace, name, now }), signal, context);
  await refreshSecrets(context, namespace, name, now);
  await readVolumes(context.apply.client, context.memory, context.cache, { namespace, name, now });
  const removals = observeRemovals(context.cache, { namespace, name });
  const removing = removalEffects(removals, context.render, now);
  const removalDue = secondsUntil(removalRetryAt(removals), now);
  const observed = observe(context.cache, context.memory, { namespace, name, now });
  context.onObserved?.(key, observed);
  if (observed === null) {
    context.memory.failures.delete(key);
    context.memory.rolling.delete(key);
    context.memory.survey?.unseen.delete(key);
    context.memory.compilations.delete(key);
    const orphans = orphansOf(context.cache, { namespace, name, now });
    return finishOrphans([...orphans, ...removing], signal, context, removalDue);
  }
  const decision = decide(observed, context.render);
  if (decision.rollout === "settled") context.memory.rolling.delete(key);
  if (decision.rollout === "under-way") context.memory.rolling.add(key);
  context.memory.survey?.unseen.delete(key);
  await readNodeLeases(context.apply.client, context.memory, decision.watchedNodes, now);
  await readRefusals(context.apply.client, context.memory, decision.unexplained);
  const result = await performEffects([...decision.effects, ...removing], { ...context.apply, signal });
  // Unless it is certain that nothing was written, it counts. One that the API refuses again and again must not use up the others'.
  if (decision.step === "automatic-grant" && mayBeWritten(result)) {
    context.memory.automaticGrants = [...context.memory.automaticGrants, now];
  }
  for (const { kind } of decision.effects) {
    if (kind === "link") context.memory.links.delete(observed.relationship.uid);
    if (kind === "store-record" || kind === "store-copy")
      context.memory.stores.delete(observed.relationship.uid);
  }
  logResult(context, key, decision.step, result);
  return next(key, result, earliest(decision.requeueAfterSeconds, removalDue), context.memory);
}

/** Not below a second; null when there is nothing to wait for. */
function secondsUntil(at: UnixSeconds | null, now: UnixSeconds): number | null {
  return at === null ? null : Math.max(1, at - now);
}

function earliest(...waits: readonly (number | null)[]): number | null {
  const known = waits.filter((wait) => wait !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Secrets are not watched: they are read again after a while, after each step with them, and when the spec changed; at
 *  each next look while the link is not secured, because somebody may be bringing them, or taking away a predecessor's. */
const LINK_READ_SECONDS = 240;

async function refreshSecrets(
  { apply, cache, memory }: ReconcileContext,
  namespace: string,
  name: string,
  now: UnixSeconds,
): Promise<void> {
  const object = cache.get("FailoverRelationship", namespace, name);
  if (object === undefined) return;
  const { generation, uid = "" } = object.metadata;
  // Once it is its own, nothing but our own writes changes it; before, somebody may take it away.
  if (memory.stores.get(uid)?.relationshipUid !== uid) {
    const record = await readStoreRecord(apply, { namespace, name, uid });
    if (record !== null) memory.stores.set(uid, record);
  }
  const known = memory.links.get(uid);
  const of = String(generation);
  const lifetime = isLinkSecured(object) ? LINK_READ_SECONDS : CONFLICT_RETRY_SECONDS;
  if (known !== undefined && known.of === of && now - known.readAt < lifetime) return;
  memory.links.set(uid, { link: await readLink(apply.client, object), of, readAt: now });
}

/** As the last look at the relationship found. */
function isLinkSecured({ status }: KubeObject): boolean {
  const conditions = readConditions(map(status)["conditions"]);
  return conditions.some((condition) => condition.type === "LinkSecure" && condition.status === "True");
}

/** A class that allows expansion by now tells nobody. Not the queue's growing pause: everything else goes on meanwhile. */
const REFUSED_AGAIN_SECONDS = 60;

/** What the queue does after `result`. A failure is remembered, so that the next look can tell people about it. */
function next(key: string, result: ApplyResult, requeueAfter: number | null, memory: Memory): WorkResult {
  switch (result.kind) {
    case "outdated":
      return { kind: "retry", reason: `outdated at: ${result.effect}` };
    case "not-leader":
      return { kind: "done" };
    case "failed":
      memory.failures.set(key, failureText(result.effect, result.error));
      // The error itself, so that the queue honours what the server asked for.
      throw result.error;
    case "done":
      if (result.refused !== null) {
        const told = refusalText(result.refused);
        const isNews = memory.failures.get(key) !== told;
        memory.failures.set(key, told);
        return lookAgain(isNews ? 0 : earliest(requeueAfter, REFUSED_AGAIN_SECONDS));
      }
      // The condition that told of the failure has to be taken back.
      if (memory.failures.delete(key)) return { kind: "requeue-after", seconds: 0 };
      return lookAgain(requeueAfter);
    default:
      return result satisfies never;
  }
}

async function finishOrphans(
  effects: readonly Effect[],
  signal: AbortSignal,
  context: ReconcileContext,
  requeueAfter: number | null = null,
): Promise<WorkResult> {
  const result = await performEffects(effects, { ...context.apply, signal });
  if (result.kind === "failed") throw result.error;
  return result.kind === "outdated" ? { kind: "retry", reason: result.effect } : lookAgain(requeueAfter);
}

function lookAgain(seconds: number | null): WorkResult {
  return seconds === null ? { kind: "done" } : { kind: "requeue-after", seconds };
}

interface At {
  readonly namespace: string;
  readonly name: string;
  readonly now: UnixSeconds;
}

/** What names a relationship that does not exist. */
function orphansOf(cache: Cache, { namespace, name, now }: At): readonly Effect[] {
  const named = (kind: "DHCPScope" | "FailoverOperation") =>
    cache.list(kind, namespace).filter((object) => referenceName(object, "relationshipRef") === name);
  const scopes = named("DHCPScope");
  const names = new Set(scopes.map(({ metadata }) => metadata.name));
  const sets = cache
    .list("DHCPReservationSet", namespace)
    .filter((object) => names.has(referenceName(object, "scopeRef") ?? ""));
  return decideOrphans({
    now,
    namespace,
    missing: `FailoverRelationship ${name}`,
    reason: "RelationshipNotFound",
    scopes: scopes.map(observedScope),
    reservationSets: sets.map(observedSet),
    operations: named("FailoverOperation").map(observedOperation),
  });
}

/** A reservation set whose scope does not exist; nothing when it does by now. */
function orphanSet(cache: Cache, { namespace, name, now }: At): readonly Effect[] {
  const set = cache.get("DHCPReservationSet", namespace, name);
  if (set === undefined) return [];
  const scope = referenceName(set, "scopeRef") ?? "";
  if (cache.get("DHCPScope", namespace, scope) !== undefined) return [];
  return decideOrphans({
    now,
    namespace,
    missing: `DHCPScope ${scope}`,
    reason: "ScopeNotFound",
    scopes: [],
    reservationSets: [observedSet(set)],
    operations: [],
  });
}

function logResult(
  { log, reconcileID }: ReconcileContext,
  key: string,
  step: string,
  result: ApplyResult,
): void {
  if (result.kind === "done" && result.writes === 0) return;
  const level = result.kind === "failed" ? "warn" : result.kind === "done" ? "info" : "debug";
  const of = { relationship: key, ...nameFields(key), reconcileID };
  const fields = { ...of, step, result: result.kind, writes: result.writes };
  const detail = "effect" in result ? { effect: result.effect } : {};
  log({
    level,
    event: "controller-reconciled",
    message: "looked at a relationship",
    fields: { ...fields, ...detail },
  });
}
