// What the process remembers between two looks, beyond what the API holds. All of it may be lost: then time is counted
// anew from the first look, and nothing is granted earlier for it.

import type { ScopeHistory } from "../api/mass-deletion.ts";
import { type UnixSeconds, unixSeconds } from "../base/units.ts";
import { isInForce } from "../kube/apply.ts";
import type { KubeObject } from "../kube/resource.ts";
import type { Compilations } from "./compile-once.ts";
import { noteOwn, type Renderings, specVersion } from "./contest.ts";
import { GRANT_WINDOW_SECONDS, GRANTS_PER_WINDOW, WATCH_SECONDS } from "./decide/automatic.ts";
import { SILENCE_SECONDS } from "./decide/liveness.ts";
import { ANNOTATION_RENDERED } from "./desired/names.ts";
import { type Json, map, text } from "./json.ts";
import type { MemberReportView, ObservedLink, ObservedStores } from "./observed.ts";
import { reportedAt } from "./read-report.ts";
import type { UnkeptByKind } from "./unkept.ts";

export interface Memory {
  /** The wall clock at the last look. */
  clock: UnixSeconds;
  /** When each FailoverMember's report was last seen to change, and since when it is looked at, by UID. */
  readonly heard: Map<
    string,
    { readonly report: string; readonly at: UnixSeconds; readonly since: UnixSeconds }
  >;
  /** Since when each FailoverMember reports, without a gap, that it has lost its partner, by UID. */
  readonly apart: Map<string, { readonly since: UnixSeconds; readonly heardAt: UnixSeconds }>;
  /** When each node's Lease was last seen to be renewed, and last read, by the node's name. */
  readonly nodeLeases: Map<
    string,
    { readonly renewTime: string; readonly at: UnixSeconds; readonly readAt: UnixSeconds }
  >;
  /** What the API server did not keep as it was applied: the rendering's digest, and the object's version that it made of it, by UID. */
  readonly altered: Map<string, { readonly rendering: string; readonly version: string }>;
  /** What the API server left out of the statuses that were written. */
  readonly unkept: UnkeptByKind;
  /** What this process has rendered, by the object's UID. */
  readonly renderings: Map<string, Renderings>;
  /** Why a StatefulSet makes no pod, or a claim is not bound, in Kubernetes' words, by the object's UID. */
  readonly refusals: Map<string, string>;
  /** Which nodes can use a claim's volume, by the claim's UID: the volume's spec.nodeAffinity, null when all can; and of which version
   *  of the claim, and when, it was read. */
  readonly volumes: Map<
    string,
    { readonly nodeAffinity: Json | null; readonly of: string; readonly readAt: UnixSeconds }
  >;
  /** When grants were made without a human's word, the oldest first. */
  automaticGrants: readonly UnixSeconds[];
  /** Where the stores lie, as read, by the relationship's UID. */
  readonly stores: Map<string, ObservedStores>;
  /** The links' certificates as last read, by the relationship's UID. */
  readonly links: Map<
    string,
    { readonly link: ObservedLink; readonly of: string; readonly readAt: UnixSeconds }
  >;
  /** What each relationship was last compiled to. */
  readonly compilations: Compilations;
  /** How many scopes each relationship had lately, by its UID. */
  readonly scopes: Map<string, ScopeHistory<null>>;
  /** Why the last look at a relationship could not be finished, by key. */
  readonly failures: Map<string, string>;
  /** Relationships in the middle of a rollout. */
  readonly rolling: Set<string>;
  /** Which relationships of those that were there at the first look have not been looked at yet; null before that. */
  survey: { readonly since: UnixSeconds; readonly unseen: Set<string> } | null;
}

export function newMemory(): Memory {
  return {
    clock: unixSeconds(0),
    heard: new Map(),
    apart: new Map(),
    nodeLeases: new Map(),
    altered: new Map(),
    unkept: new Map(),
    renderings: new Map(),
    refusals: new Map(),
    volumes: new Map(),
    automaticGrants: [],
    stores: new Map(),
    links: new Map(),
    compilations: new Map(),
    scopes: new Map(),
    failures: new Map(),
    rolling: new Set(),
    survey: null,
  };
}

/** Beyond what a time service corrects now and then without anybody noticing. */
const SET_BACK_SECONDS = 10;

/** Takes the time of a look. After a clock that was set back everything is counted anew, as in a new process: what was noted by
 *  the old one lies ahead, and would hold every grant up until the clock has got there again. */
export function noteClock(memory: Memory, now: UnixSeconds): void {
  if (now < memory.clock - SET_BACK_SECONDS) {
    const { apart, heard, links, nodeLeases, unkept, volumes } = memory;
    for (const noted of [apart, heard, links, nodeLeases, unkept, volumes]) noted.clear();
    memory.automaticGrants = memory.automaticGrants.map(() => now);
    memory.survey = null;
  }
  memory.clock = now;
}

/** Ample for one look at each of thousands. */
const SURVEY_SECONDS = 300;

/** A relationship but `key` of which this process cannot know yet whether an earlier one left it in the middle of a rollout; null when it
 *  has looked at each of `relationships`, which are those of its first look. One that cannot be looked at is waited for no longer
 *  than SURVEY_SECONDS: it would keep all others from ever being rolled out. */
export function notYetLookedAt(
  memory: Memory,
  relationships: () => Iterable<string>,
  { key, now }: { readonly key: string; readonly now: UnixSeconds },
): string | null {
  memory.survey ??= { since: now, unseen: new Set(relationships()) };
  const { since, unseen } = memory.survey;
  if (now - since >= SURVEY_SECONDS) return null;
  return [...unseen].find((other) => other !== key) ?? null;
}

/** Takes a FailoverMember the moment it comes: the next look may be late, because one worker looks at all relationships, and
 *  reports that came in time would look like a silence then. */
export function noteReport(memory: Memory, object: KubeObject, now: UnixSeconds): void {
  noteClock(memory, now);
  const state = text(map(object["status"])["state"]);
  apartSince(memory, object.metadata.uid ?? "", { state }, { heard: heardAt(memory, object, now), now });
}

/** Forgets what is known of objects by their UID, but of those in `uids`. */
export function forgetGone(memory: Memory, uids: ReadonlySet<string>): void {
  const { altered, apart, heard, links, refusals, renderings, scopes, stores, volumes } = memory;
  const unkept = [...memory.unkept.values()].map(({ byUid }) => byUid);
  const byUid = [altered, apart, heard, links, refusals, renderings, scopes, stores, volumes, ...unkept];
  for (const known of byUid) {
    for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
  }
}

/** Takes what the API server made of `applied`. True when it keeps it in another way. */
export function noteApplied(memory: Memory, applied: KubeObject, kept: KubeObject): boolean {
  const { uid = "" } = kept.metadata;
  noteOwn(memory.renderings, applied, uid);
  memory.altered.delete(uid);
  if (isInForce(applied, kept)) return false;
  const rendering = applied.metadata.annotations?.[ANNOTATION_RENDERED] ?? "";
  memory.altered.set(uid, { rendering, version: specVersion(kept) });
  return true;
}

/** See ObservedChild. */
export function alteredRendering({ altered }: Memory, object: KubeObject): string | null {
  const known = altered.get(object.metadata.uid ?? "");
  return known?.version === specVersion(object) ? known.rendering : null;
}

/** By this process's own observation: what counts is that the report changed, not what its clock says. Only at first
 *  sight is the report's own time taken, so that a restarted controller does not find a long silent member fresh. */
export function heardAt(memory: Memory, object: KubeObject, now: UnixSeconds): UnixSeconds {
  const uid = object.metadata.uid ?? "";
  const report = JSON.stringify(object["status"] ?? null);
  const known = memory.heard.get(uid);
  if (known !== undefined && known.report === report) return known.at;
  const said = known === undefined ? reportedAt(object) : null;
  const at = said === null ? now : unixSeconds(Math.min(said, now));
  memory.heard.set(uid, { report, at, since: known?.since ?? now });
  return at;
}

/** Since when this process looks at the member's reports. */
export function watchedSince({ heard }: Memory, uid: string, now: UnixSeconds): UnixSeconds {
  return heard.get(uid)?.since ?? now;
}

/** Since when this process has seen the member say, without falling silent in between, that it has lost its partner;
 *  null when it does not say so. What was said before this process first looked does not count. */
export function apartSince(
  memory: Memory,
  uid: string,
  report: Pick<MemberReportView, "state"> | null,
  { heard, now }: { readonly heard: UnixSeconds; readonly now: UnixSeconds },
): UnixSeconds | null {
  if (report?.state !== "CommunicationsInterrupted" || now - heard > SILENCE_SECONDS) {
    memory.apart.delete(uid);
    return null;
  }
  const known = memory.apart.get(uid);
  const since = known !== undefined && heard - known.heardAt <= SILENCE_SECONDS ? known.since : now;
  memory.apart.set(uid, { since, heardAt: heard });
  return since;
}

export function linkInMemory(memory: Memory, uid: string): ObservedLink {
  const known = memory.links.get(uid);
  return known?.link ?? { kind: "unread", message: "The Secrets were not read yet." };
}

/** Takes a node's Lease as just read; null: there is none, or it may not be read. */
export function noteNodeLease(
  memory: Memory,
  node: string,
  renewTime: string | null,
  now: UnixSeconds,
): void {
  if (renewTime === null) {
    memory.nodeLeases.delete(node);
    return;
  }
  const known = memory.nodeLeases.get(node);
  const at = known?.renewTime === renewTime ? known.at : now;
  memory.nodeLeases.set(node, { renewTime, at, readAt: now });
}

/** When the node's Lease was last seen to be renewed; null when nobody has looked lately. */
export function nodeLeaseRenewedAt(memory: Memory, node: string, now: UnixSeconds): UnixSeconds | null {
  const known = memory.nodeLeases.get(node);
  return known === undefined || now - known.readAt > 3 * WATCH_SECONDS ? null : known.at;
}

/** Takes over from an earlier leader: which of the grants that stand it made within the last minute is written nowhere, so each of
 *  them counts. */
export function takeOverGrants(memory: Memory, relationships: readonly KubeObject[], now: UnixSeconds): void {
  const standing = relationships.filter(({ status }) => text(map(map(status)["witness"])["holder"]) !== "");
  memory.automaticGrants = [
    ...recentGrants(memory, now),
    ...standing.slice(0, GRANTS_PER_WINDOW).map(() => now),
  ];
}

/** The grants that still count against the limit of automatic ones. */
export function recentGrants(memory: Memory, now: UnixSeconds): readonly UnixSeconds[] {
  memory.automaticGrants = memory.automaticGrants.filter((at) => now - at < GRANT_WINDOW_SECONDS);
  return memory.automaticGrants;
}
