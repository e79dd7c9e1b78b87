// How states and times are said to people: the draft's words in upper case in sentences, CamelCase in columns, times in
// UTC to the minute. Durations are rounded in growing steps, because each new text is a write to the API.

import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import type { Rejected } from "../observed.ts";
import type { UnknownCause } from "./liveness.ts";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
/** Ages that are told apart: dense while somebody is looking, sparse after days. */
const AGE_STEPS = [
  ...[1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 45].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 4, 6, 8, 12, 18].map((hours) => hours * HOUR),
  ...[1, 2, 3, 5, 7, 14, 30, 60, 90, 180, 365].map((days) => days * DAY),
];

/** `6m`, `2h`, `3d`: the largest step that has passed; "" under a minute. */
export function roughAge(since: UnixSeconds, now: UnixSeconds): string {
  const age = AGE_STEPS.findLast((step) => step <= now - since);
  if (age === undefined) return "";
  if (age < HOUR) return `${age / MINUTE}m`;
  return age < DAY ? `${age / HOUR}h` : `${age / DAY}d`;
}

/** When roughAge will say something else; null when it never will. */
export function nextAgeChange(since: UnixSeconds, now: UnixSeconds): UnixSeconds | null {
  const next = AGE_STEPS.find((step) => step > now - since);
  return next === undefined ? null : unixSeconds(since + next);
}

/** `02:14Z` on the day of `now`, otherwise `2026-03-01 02:14Z`: the same hour of another day must not look like this one's. */
export function clockTime(at: UnixSeconds, now: UnixSeconds): string {
  const text = new Date(at * 1000).toISOString();
  const time = `${text.slice(11, 16)}Z`;
  return Math.floor(at / DAY) === Math.floor(now / DAY) ? time : `${text.slice(0, 10)} ${time}`;
}

/** Rounded down to 1, 2 or 5 times a power of ten, so that a count that creeps is not a new text each time. */
export function roughCount(count: number): string {
  if (count <= 0) return "no";
  if (count < 10) return String(count);
  const power = 10 ** Math.floor(Math.log10(count));
  const lead = count / power;
  return `more than ${(lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power - 1}`;
}

/** Why a member is not heard, to follow its name. */
export const CAUSE_WORDS: Readonly<Record<UnknownCause, string>> = {
  NeverReported: "it has not reported yet",
  PodGone: "its pod is gone",
  NotRunning: "its engine is not running",
  NotAnswering: "its pod no longer answers",
  Silent: "it no longer reports",
  Unheard: "its partner no longer hears it",
  NodeGone: "its node was deleted",
  NodeOutOfService: "its node is out of service",
  NodeSilent: "its node no longer answers",
  NodeCordoned: "its node is cordoned and its pod gone",
};

const DRAFT_STATES: Readonly<Record<string, string>> = {
  Startup: "STARTUP",
  Normal: "NORMAL",
  CommunicationsInterrupted: "COMMUNICATIONS-INTERRUPTED",
  PartnerDown: "PARTNER-DOWN",
  Recover: "RECOVER",
  RecoverWait: "RECOVER-WAIT",
  RecoverDone: "RECOVER-DONE",
  PotentialConflict: "POTENTIAL-CONFLICT",
  ConflictDone: "CONFLICT-DONE",
  ResolutionInterrupted: "RESOLUTION-INTERRUPTED",
  Paused: "PAUSED",
  Shutdown: "SHUTDOWN",
};

/** A state as sentences and logs spell it. */
export function draftState(state: string): string {
  return DRAFT_STATES[state] ?? state;
}

/** Which field of which object is refused, why, and what to do. */
export function rejectedText({ field, kind, message, name, namespace }: Rejected): string {
  return `${kind} ${namespace}/${name}${field === "" ? "" : ` ${field}`}: ${message}`;
}
