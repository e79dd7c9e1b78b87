// Reads what an engine wrote into its FailoverMember. The API server has checked it against the schema; an engine of
// another version may leave fields out, which then count as their smallest meaning, never as an error.

import { SERVING } from "../api/failover-state.ts";
import { LINK_DISTRUSTS, type LinkRefusal, REFUSED_BY_PARTNER, TERMS_DIFFER } from "../base/link-refusal.ts";
import { parseTime } from "../base/time.ts";
import { unixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import { map, maps, text } from "./json.ts";
import type { MemberReportView, ScopeCounts } from "./observed.ts";

/** Null when the engine has said nothing yet: a report without a state is none.
 *  `role` says whose free addresses are the member's own: `free` is the primary's, `backup` the secondary's. */
export function readReport(object: KubeObject, role: "Primary" | "Secondary"): MemberReportView | null {
  const status = map(object["status"]);
  const state = status["state"];
  if (typeof state !== "string" || state === "") return null;
  const revisions = map(status["revisions"]);
  const scopes = readScopes(status["addresses"]);
  const counted = Object.values(scopes);
  const own = counted.reduce((sum, counts) => sum + (role === "Primary" ? counts.free : counts.backup), 0);
  return {
    state,
    since: parseTime(status["since"]) ?? unixSeconds(0),
    partnerState: typeof status["partnerState"] === "string" ? status["partnerState"] : null,
    serving: SERVING.find((word) => word === status["serving"]) ?? "None",
    heldUntil: parseTime(status["heldUntil"]),
    waitLeadSeconds: typeof status["waitLeadSeconds"] === "number" ? count(status["waitLeadSeconds"]) : null,
    store: text(status["store"]),
    complete: status["complete"] === true,
    entered: count(status["entered"]),
    entry: parseTime(status["entry"]),
    returned: count(status["returned"]),
    seen: count(status["seen"]),
    fencing: status["fencing"] === "Witness" ? "Witness" : "None",
    linkSecurity: (["TLS", "Clear"] as const).find((word) => word === status["linkSecurity"]) ?? null,
    linkRefusal: readRefusal(status["conditions"]),
    clockProblem: readClockProblem(status["conditions"]),
    carrierProblem: readCarrierProblem(status["conditions"]),
    activeRevision: text(revisions["active"]),
    pendingRevision: text(revisions["pending"]),
    freeAddresses: counted.length === 0 ? null : own,
    scopes,
  };
}

/** Of an engine that knows a reason more than this controller, the words count. */
function readRefusal(conditions: unknown): LinkRefusal | null {
  const refused = maps(conditions).find(({ type }) => type === "LinkRefused");
  if (refused?.["status"] !== "True") return null;
  const known = [...LINK_DISTRUSTS, REFUSED_BY_PARTNER] as const;
  const reason = known.find((word) => word === refused["reason"]) ?? TERMS_DIFFER;
  return { reason, message: text(refused["message"]) };
}

function readClockProblem(conditions: unknown): MemberReportView["clockProblem"] {
  const sound = maps(conditions).find(({ type }) => type === "ClockSound");
  if (sound?.["status"] !== "False") return null;
  return { reason: text(sound["reason"]), message: text(sound["message"]) };
}

function readCarrierProblem(conditions: unknown): string | null {
  const present = maps(conditions).find(({ type }) => type === "CarrierPresent");
  return present?.["status"] === "False" ? text(present["message"]) : null;
}

/** When the engine says it wrote its report; null when it does not say. */
export function reportedAt(object: KubeObject) {
  return parseTime(map(object["status"])["reportedAt"]);
}

function readScopes(value: unknown): Record<string, ScopeCounts> {
  const scopes: Record<string, ScopeCounts> = {};
  if (!Array.isArray(value)) return scopes;
  for (const entry of value) {
    const counts = map(entry);
    const name = text(counts["scope"]);
    if (name === "") continue;
    scopes[name] = {
      total: count(counts["total"]),
      used: count(counts["active"]),
      free: count(counts["free"]),
      backup: count(counts["backup"]),
    };
  }
  return scopes;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : 0;
}
