// What becomes of scopes and reservation sets: Accepted by compile()'s word, Programmed once both members run a
// configuration that has them, and counts at most once a minute. With a thousand scopes a change of one must not write
// the others: what was programmed in this generation stays so.

import type { DHCPReservationSetStatus } from "../../api/dhcp-reservation-set.ts";
import type { DHCPScopeStatus } from "../../api/dhcp-scope.ts";
import { formatTime } from "../../base/time.ts";
import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import { sameJson } from "../merge-patch.ts";
import type { ObservedReservationSet, ObservedScope, Rejected } from "../observed.ts";
import { conditionsOf, readConditions, type Verdict } from "./condition.ts";
import { heldBy } from "./deletion.ts";
import type { Pair } from "./pair.ts";

/** Counts are for people; metrics are exact. */
const COUNTS_EVERY_SECONDS = 60;
const MESSAGE_LENGTH_MAX = 2048;

export interface ScopeVerdict {
  readonly status: DHCPScopeStatus;
  /** When newer counts may be written; null when there are none. */
  readonly until: UnixSeconds | null;
}

/** `revision`: of the configuration compiled now, null when the relationship itself is refused. */
export function scopeStatus(pair: Pair, scope: ObservedScope, revision: string | null): ScopeVerdict {
  const conditions = programConditions(pair, { kind: "DHCPScope", ...scope }, revision);
  const status: DHCPScopeStatus = { observedGeneration: scope.generation, conditions: [...conditions] };
  const before = scope.status as DHCPScopeStatus;
  const counts = countsOf(pair, scope.name) ?? before.addresses;
  const changed = counts !== undefined && !sameJson(counts, before.addresses);
  const due = unixSeconds(scope.countsWrittenAt + COUNTS_EVERY_SECONDS);
  if (changed && pair.now >= due) {
    status.addresses = counts;
    status.updatedAt = formatTime(pair.now);
    return { status, until: null };
  }
  if (before.addresses !== undefined) status.addresses = before.addresses;
  if (before.updatedAt !== undefined) status.updatedAt = before.updatedAt;
  return { status, until: changed ? due : null };
}

export function reservationSetStatus(
  pair: Pair,
  set: ObservedReservationSet,
  revision: string | null,
): DHCPReservationSetStatus {
  const conditions = programConditions(pair, { kind: "DHCPReservationSet", ...set }, revision);
  return { observedGeneration: set.generation, entries: set.entries, conditions: [...conditions] };
}

interface Programmable {
  readonly kind: string;
  readonly name: string;
  readonly generation: number;
  readonly status: Readonly<Record<string, unknown>>;
  readonly heldBy?: readonly string[];
}

function programConditions(pair: Pair, object: Programmable, revision: string | null) {
  const rejections = pair.observed.compiled.rejected.filter(
    (rejected) => rejected.kind === object.kind && rejected.name === object.name,
  );
  const accepted = acceptedOf(rejections, revision);
  const programmed = programmedOf(pair, object, accepted, revision);
  return conditionsOf([accepted, programmed], object.status["conditions"], object.generation, pair.now);
}

function acceptedOf(rejections: readonly Rejected[], revision: string | null): Verdict {
  const [first] = rejections;
  if (first !== undefined) {
    const message = rejections
      .map((rejected) => `${rejected.field}: ${rejected.message}`)
      .join(" ")
      .slice(0, MESSAGE_LENGTH_MAX);
    return { type: "Accepted", status: "False", reason: first.reason, message };
  }
  if (revision === null) {
    const message = "The relationship itself is refused; its condition Accepted says why.";
    return { type: "Accepted", status: "False", reason: "RelationshipNotAccepted", message };
  }
  return { type: "Accepted", status: "True", reason: "Accepted", message: "It fits its neighbours." };
}

function programmedOf(pair: Pair, object: Programmable, accepted: Verdict, revision: string | null): Verdict {
  const verdict = (status: Verdict["status"], reason: string, message: string): Verdict => ({
    type: "Programmed",
    status,
    reason,
    message,
  });
  if (accepted.status !== "True") return verdict("False", "NotAccepted", "It is not accepted as it stands.");
  const going = object.heldBy === undefined ? "" : ` It was deleted, and goes once ${heldBy(object.heldBy)}.`;
  const done = verdict("True", "Programmed", `Both members serve it.${going}`);
  const before = readConditions(object.status["conditions"]).find(({ type }) => type === "Programmed");
  const isOfNow = before?.observedGeneration === object.generation;
  if (isOfNow && before.status === "True") return done;
  const behind = pair.members
    .filter(({ member, report }) => !member.isExternal && report?.activeRevision !== revision)
    .map(({ name }) => name);
  if (behind.length === 0) return done;
  // Said once: a hundred sets must not be written again for each of the members that follows.
  const said = isOfNow && before.reason === "Propagating" ? before.message : null;
  const news = `${behind.join(" and ")} ${behind.length > 1 ? "have" : "has"} not loaded it yet.`;
  return verdict("False", "Propagating", said ?? news);
}

/** The primary's count when it may be believed, else the other's; null when nobody counts. */
function countsOf(pair: Pair, scope: string): DHCPScopeStatus["addresses"] | null {
  const [primary, secondary] = pair.members;
  for (const { report } of pair.members) {
    const counts = report?.scopes[scope];
    if (counts === undefined || primary === undefined || secondary === undefined) continue;
    return {
      total: counts.total,
      used: counts.used,
      free: [
        { member: primary.name, count: counts.free },
        { member: secondary.name, count: counts.backup },
      ],
    };
  }
  return null;
}
