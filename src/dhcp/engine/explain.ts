// Why an address is what it is: who owns it, what the two servers have promised each other about it, how long a lease of it
// may be now and when each side may give it to somebody else, in words, each with the rule it follows. For
// `leasepair explain`. Changes nothing. Source: docs/protocol/witness.md; invariants S3, S6.

import { toHex } from "../../base/bytes.ts";
import { formatIpv4, type Ipv4 } from "../../base/ipv4.ts";
import { formatTime } from "../../base/time.ts";
import { after, type Instant, seconds, type UnixSeconds } from "../../base/units.ts";
import { bucketOf } from "../failover/load-balance.ts";
import { takeoverDueAt } from "../failover/waits.ts";
import { type Binding, type ClientIdentity, freshBinding, latestPossibleEnd } from "../lease/binding.ts";
import { graceSeconds } from "../lease/lead-time.ts";
import { type ServerScope, scopeOfAddress } from "../server/prepare-config.ts";
import { isOwnClient, ownFreeStatus, presentService, presentState } from "./authority.ts";
import { allowedLease, isCapped } from "./cap.ts";
import type { Engine } from "./engine-state.ts";
import {
  clockUncertainty,
  isHeld,
  isPartnerRecovering,
  leadSeconds,
  marginSeconds,
  partnerName,
  waitLeadSeconds,
} from "./takeover.ts";
import { momentsAt } from "./timeline.ts";

/** One thing to know, and the rule it follows from. */
export interface Explained {
  readonly about: string;
  readonly text: string;
  readonly rule: string;
}

export interface Explanation {
  readonly member: string;
  readonly state: string;
  /** Null: the client holds no address, and held none. */
  readonly address: string | null;
  readonly facts: readonly Explained[];
}

/** Explains one address as this member sees it. */
export function explainAddress(engine: Engine, address: Ipv4, now: Instant): Explanation {
  const scope = scopeOfAddress(engine.serverConfig, address);
  const facts =
    scope === null
      ? [{ about: "address", text: "is in no scope of this relationship", rule: "design 2" }]
      : factsOf(engine, scope, address, now);
  return { ...about(engine), address: formatIpv4(address), facts };
}

function factsOf(engine: Engine, scope: ServerScope, address: Ipv4, now: Instant): readonly Explained[] {
  const limits = configuredLimits(engine, scope, address);
  const record = engine.leases.get(address);
  // Nobody owns what nobody may be given.
  if (record === null && engine.leases.poolOf(address) === null) return limits;
  const binding = record ?? freshBinding(address);
  const known = [
    owner(engine, binding),
    ...limits,
    ...clientFacts(engine, binding.client),
    ...promises(binding),
    leaseNow(engine, binding, now),
  ];
  return limits.length > 0 ? known : [...known, reuseHere(engine, binding, now), reuseThere(engine, binding)];
}

/** What the configuration says against giving the address to any new client; empty when nothing. */
function configuredLimits(engine: Engine, scope: ServerScope, address: Ipv4): readonly Explained[] {
  const { name } = scope.config;
  if (engine.serverConfig.excludedAddresses.has(address)) {
    return [{ about: "excluded", text: "a node's own address: nobody is given it", rule: "design 2" }];
  }
  const reservation = scope.reservations.at(address);
  if (reservation !== null) {
    const { client } = reservation;
    const whom = client === null ? "whom the relay names by option 82" : clientText(client);
    const text = `for ${whom} alone, in scope ${name}; while it is free, its owner answers that client`;
    return [{ about: "reserved", text, rule: "RFC 2131 4.3.1" }];
  }
  if (engine.leases.poolOf(address) !== null) return [];
  return [
    { about: "address", text: `is in no range of scope ${name}: nobody new is given it`, rule: "design 2" },
  ];
}

/** Explains every address that the client holds or last held, else those reserved for it; else who would answer it. */
export function explainClient(engine: Engine, client: ClientIdentity, now: Instant): readonly Explanation[] {
  const bindings = engine.leases.byClient(client);
  if (bindings.length > 0) return bindings.map(({ address }) => explainAddress(engine, address, now));
  const reserved = engine.serverConfig.scopes.flatMap(
    ({ reservations }) => reservations.forClient(client) ?? [],
  );
  if (reserved.length > 0) return reserved.map(({ address }) => explainAddress(engine, address, now));
  const none = { about: "address", text: "the client holds none and is not known here", rule: "S6" };
  return [{ ...about(engine), address: null, facts: [none, ...clientFacts(engine, client)] }];
}

function about(engine: Engine): Pick<Explanation, "member" | "state"> {
  return { member: engine.member, state: presentState(engine) };
}

function memberNames(engine: Engine): { readonly own: string; readonly partner: string } {
  return { own: engine.member, partner: partnerName(engine) || "the partner" };
}

function timeText(time: UnixSeconds): string {
  return time === 0 ? "never" : formatTime(time);
}

function clientText({ clientIdentifier, hardwareAddress }: ClientIdentity): string {
  const mac = toHex(hardwareAddress).replace(/..(?=.)/g, "$&:");
  return clientIdentifier === null ? mac : `${mac} (client identifier ${toHex(clientIdentifier)})`;
}

function owner(engine: Engine, binding: Binding): Explained {
  const { own, partner } = memberNames(engine);
  const since = binding.statusSince === 0 ? "and was never used" : `since ${timeText(binding.statusSince)}`;
  const holder = binding.client === null ? "nobody" : clientText(binding.client);
  const free = binding.status === ownFreeStatus(engine) ? own : partner;
  const text = {
    FREE: `FREE: ${free}'s to give, ${since}`,
    BACKUP: `BACKUP: ${free}'s to give, ${since}`,
    ACTIVE: `ACTIVE: leased to ${holder} since ${timeText(binding.statusSince)}`,
    EXPIRED: `EXPIRED ${since}: ${holder}'s lease ended, and the two members have not settled it yet`,
    RELEASED: `RELEASED ${since}: ${holder} gave it back, and the two members have not settled it yet`,
    ABANDONED: `ABANDONED ${since}: somebody uses it without a lease`,
    RESET: `RESET ${since}: freed by hand, and the two members have not settled it yet`,
  }[binding.status];
  const owed = binding.acknowledged ? "" : `; ${partner} has not acknowledged that yet`;
  const taken = binding.taken ? `; taken from ${partner}'s part while it was down (W7)` : "";
  return { about: "owner", text: `${text}${owed}${taken}`, rule: "S6, S7" };
}

function clientFacts(engine: Engine, client: ClientIdentity | null): readonly Explained[] {
  if (client === null) return [];
  const { own, partner } = memberNames(engine);
  const answering = isOwnClient(engine, client) ? own : partner;
  const { mode, primaryPercent } = engine.config;
  const isTold = (engine.session?.hashBuckets ?? null) !== null;
  const share = isTold ? "as the primary's CONNECT assigns them" : `the primary has ${primaryPercent} %`;
  const text =
    mode === "HotStandby" && !isTold
      ? `${answering} answers every new client (HotStandby)`
      : `bucket ${bucketOf(client)} of 256: ${answering} answers it (${share})`;
  const { partnerCarrierLost = false, partnerSilent = false } = engine.session ?? {};
  const why = partnerSilent ? "is silent for its clock's sake" : "has lost carrier";
  const isMute = answering === partner && (partnerCarrierLost || partnerSilent);
  const also = isMute ? `; and ${own} too, while ${partner} ${why}` : "";
  return [{ about: "answered by", text: `${text}${also}`, rule: "RFC 3074" }];
}

function promises(binding: Binding): readonly Explained[] {
  const { expiresAt, potentialSent, potentialAcked, potentialReceived } = binding;
  const w = latestPossibleEnd(binding);
  if (w === 0) return [{ about: "promises", text: "none: W is never", rule: "S4" }];
  return [
    { about: "told to the client", text: `E = ${timeText(expiresAt)}`, rule: "W4" },
    { about: "told to the partner", text: `sent = ${timeText(potentialSent)}`, rule: "S5" },
    { about: "acknowledged by the partner", text: `acked = ${timeText(potentialAcked)}`, rule: "S5" },
    { about: "told by the partner", text: `recv = ${timeText(potentialReceived)}`, rule: "S5" },
    { about: "latest possible end", text: `W = ${timeText(w)}, the latest of the four`, rule: "S4" },
  ];
}

function leaseNow(engine: Engine, binding: Binding, now: Instant): Explained {
  const moments = momentsAt(engine.endpoint, now);
  const scope = scopeOfAddress(engine.serverConfig, binding.address);
  const desired = scope?.config.lease.defaultSeconds ?? seconds(0);
  const continued = binding.status === "ACTIVE" ? binding : null;
  const allowed = allowedLease(engine, moments, { binding: continued, desired });
  const lead = leadSeconds(engine);
  const capped = isCapped(engine);
  const base = continued === null ? "" : ", acked, recv";
  const bound = capped
    ? `max(proof${base}) + MCLT (${lead} s) less a margin`
    : `max(now${base}) + MCLT (${lead} s)`;
  const proof =
    engine.proofAt === null
      ? "no proof yet"
      : `latest proof ${Math.round((now.boot - engine.proofAt) / 1000)} s ago`;
  const why = allowed === desired ? "what the scope wants" : `ends at ${bound} at the latest`;
  const service = presentService(engine);
  const silent = service === "All" ? "" : `; but in this state the member serves ${service}`;
  const text = `${allowed} s of ${desired} s: ${why}${capped ? `; ${proof}` : ""}${silent}`;
  return { about: "a lease now", text, rule: capped ? "W3" : "S3" };
}

/** When this member may give the address to another client. */
function reuseHere(engine: Engine, binding: Binding, now: Instant): Explained {
  const { early } = momentsAt(engine.endpoint, now);
  const { own, partner } = memberNames(engine);
  const about = `${own} may give it to another client`;
  const { hold, state, entry } = engine.endpoint;
  if (binding.taken && state !== "PARTNER-DOWN") {
    const text = `once ${partner} has acknowledged it: it was taken from ${partner}'s part while that was down`;
    return { about, text, rule: "S6, W7" };
  }
  const dueFrom = (stamp: NonNullable<typeof entry>) =>
    timeText(
      takeoverDueAt(latestPossibleEnd(binding), stamp, waitLeadSeconds(engine), marginSeconds(engine, early)),
    );
  if (hold !== null && isHeld(engine, binding, early)) {
    const text = `after ${dueFrom(hold)} = max(W, hold) + M* + eps: ${partner} may have given it unheard of`;
    return { about, text, rule: "W9" };
  }
  if (binding.status === ownFreeStatus(engine)) return { about, text: "now", rule: "S6 i" };
  const mayTakeOver = state === "PARTNER-DOWN" && entry !== null && binding.status !== "ABANDONED";
  if (mayTakeOver && isPartnerRecovering(engine)) {
    const text = `not while ${partner} recovers: it may be told this very moment that the address is free`;
    return { about, text, rule: "W6" };
  }
  if (mayTakeOver) {
    return { about, text: `after ${dueFrom(entry)} = max(W, entry) + M* + eps`, rule: "W6" };
  }
  if (binding.status === "ACTIVE") {
    const ends = timeText(after(binding.expiresAt, graceSeconds(binding, clockUncertainty(engine))));
    return { about, text: `when it has ended, not before ${ends}, and ${partner} agrees`, rule: "W15, S6" };
  }
  if (binding.status === "ABANDONED")
    return { about, text: "when it has rested long enough", rule: "RFC 2131 4.3.3" };
  if (binding.status === "FREE" || binding.status === "BACKUP") {
    const text = `when ${partner} gives it, or after a grant at max(W, entry) + M* + eps`;
    return { about, text, rule: "S6, W6" };
  }
  return { about, text: `when ${partner} has agreed that the lease is over`, rule: "S6" };
}

/** When the partner may, as far as this member knows. */
function reuseThere(engine: Engine, binding: Binding): Explained {
  const { own, partner } = memberNames(engine);
  const about = `${partner} may give it to another client`;
  const isFree = binding.status === "FREE" || binding.status === "BACKUP";
  if (isFree && binding.status !== ownFreeStatus(engine)) return { about, text: "now", rule: "S6 i" };
  const agreed = isFree ? `when ${own} gives it` : `when ${own} agrees that the lease is over`;
  return {
    about,
    text: `${agreed}; alone only after a grant, at max(its W, entry) + M* + eps`,
    rule: "S6, W6",
  };
}
