// The relationship's status: strings for the printer columns, both members, the witness, the conditions. The same
// Observed gives the same status, and nothing in it moves with time alone while both members are in NORMAL.
// Source: the kind's status schema in src/api.

import type { FailoverRelationshipStatus } from "../../api/failover-relationship.ts";
import type {
  EffectiveStatus,
  MemberSummary,
  WitnessStatus,
} from "../../api/failover-relationship-status.ts";
import { API_STATES, type ApiState } from "../../api/failover-state.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import { formatTime } from "../../base/time.ts";
import { begunOperations } from "./begun-operations.ts";
import type { Condition } from "./condition.ts";
import { memberIn, type Pair, type PairMember, previousMember } from "./pair.ts";
import { takeoverAt } from "./story.ts";
import { memberColumn } from "./verdicts.ts";
import type { Witness } from "./witness.ts";
import { clockTime, roughAge } from "./words.ts";

const DIGEST = /^[0-9a-f]{64}$/;

export interface StatusParts {
  readonly witness: Witness | null;
  readonly conditions: readonly Condition[];
  /** Where the stores lie: the UID, and the directory on the nodes unless they are in claims. */
  readonly place: Pick<EffectiveStatus, "storagePath" | "storeUid">;
}

/** The whole status as it should be. */
export function relationshipStatus(pair: Pair, parts: StatusParts): FailoverRelationshipStatus {
  const { observed } = pair;
  const [primary, secondary] = pair.members;
  const { compiled } = observed;
  const before = observed.relationship.status as FailoverRelationshipStatus;
  const status: FailoverRelationshipStatus = {
    observedGeneration: observed.relationship.generation,
    primary: column(pair, primary),
    secondary: column(pair, secondary),
    serving: servingColumn(pair),
    takeover: takeoverColumn(pair),
    members: pair.members.map((member) => summary(pair, member)),
    effective: effective(pair, parts.place),
    conditions: [...parts.conditions],
  };
  if (parts.witness !== null) {
    status.witness = witnessStatus(parts.witness);
    const begun = begunOperations(observed, parts.witness.epoch);
    if (begun.length > 0) status.begunOperations = [...begun];
  }
  if (compiled.kind === "compiled") {
    status.scopes = compiled.config.scopes.length;
    status.reservations = compiled.config.scopes.reduce((sum, scope) => sum + scope.reservations.length, 0);
    status.maxClientLeadTimeSeconds = compiled.config.mcltSeconds;
  } else {
    // What was last accepted is still what runs.
    if (before.scopes !== undefined) status.scopes = before.scopes;
    if (before.reservations !== undefined) status.reservations = before.reservations;
    if (before.maxClientLeadTimeSeconds !== undefined) {
      status.maxClientLeadTimeSeconds = before.maxClientLeadTimeSeconds;
    }
  }
  return status;
}

/** Revision of the last accepted configuration, "" when none ever was. */
export function acceptedRevision(pair: Pair): string {
  return effective(pair, {}).revision ?? "";
}

function effective({ observed }: Pair, place: StatusParts["place"]): EffectiveStatus {
  const { compiled } = observed;
  const { fencing, automatic } = observed.fencing;
  const served = observed.servedBy === null ? {} : { servedBy: observed.servedBy };
  if (compiled.kind === "compiled") {
    const { revision, shape, excludedAddresses } = compiled.config;
    const excluded =
      excludedAddresses.length === 0 ? {} : { excludedAddresses: excludedAddresses.map(formatIpv4) };
    return { fencing, automatic, ...served, ...excluded, ...place, revision, shape };
  }
  const before = observed.relationship.status["effective"] as EffectiveStatus | undefined;
  // Without a configuration there is no pair yet whose rules could be pinned.
  return before?.revision === undefined ? (before ?? {}) : { ...before, fencing, automatic };
}

function column(pair: Pair, member: PairMember | undefined): string {
  if (member === undefined) return "";
  const age = member.life.kind === "unknown" ? roughAge(member.life.since, pair.now) : "";
  return memberColumn(member, age);
}

function servingColumn(pair: Pair): string {
  const serving = pair.members.filter(({ report }) => report !== null && report.serving !== "None");
  return serving.map(({ name }) => name).join(",");
}

/** Empty again once the time has passed: then nothing is left to be taken over. */
function takeoverColumn(pair: Pair): string {
  const alone = memberIn(pair, "PartnerDown");
  const at = alone === null ? null : takeoverAt(pair, alone);
  return at === null || at <= pair.now ? "" : clockTime(at, pair.now);
}

function summary(pair: Pair, { name, role, member, life, report }: PairMember): MemberSummary {
  const last = life.kind === "unknown" ? life.last : life.kind === "known" ? life.report : null;
  const node = member.lastNode === null ? {} : { nodeName: member.lastNode };
  const place = { ...node, ready: member.pod?.ready === true };
  const summarised: MemberSummary = { name, role, ...(member.isExternal ? {} : place) };
  if (life.kind === "known") {
    summarised.state = apiState(life.report.state);
    summarised.since = formatTime(life.report.since);
    summarised.serving = life.report.serving;
    if (life.report.partnerState !== null) summarised.partnerState = apiState(life.report.partnerState);
  } else if (life.kind === "external") {
    summarised.state = apiState(life.state ?? "Unknown");
  } else {
    summarised.state = "Unknown";
    // The last word stays, with its time: that it was said is known, only not whether it still holds.
    if (life.why !== "NeverReported") {
      summarised.since = formatTime(life.since);
      summarised.reportedAt = previousMember(pair.observed, name)?.reportedAt ?? formatTime(member.heardAt);
    }
  }
  if (report !== null && DIGEST.test(report.activeRevision)) summarised.revision = report.activeRevision;
  if (last !== null && last.store !== "") summarised.store = last.store;
  return summarised;
}

function apiState(state: string): ApiState | "Unknown" {
  return (API_STATES as readonly string[]).includes(state) ? (state as ApiState) : "Unknown";
}

function witnessStatus(witness: Witness): WitnessStatus {
  const status: WitnessStatus = { epoch: witness.epoch, stores: { ...witness.stores } };
  if (witness.holder !== null) {
    status.holder = witness.holder;
    status.holderStore = witness.holderStore;
    if (witness.transferredFrom !== null) status.transferredFrom = witness.transferredFrom;
  }
  return status;
}
