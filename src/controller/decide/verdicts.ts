// The relationship's conditions, each from what is known alone. A reason is stable and for scripts, a message is for
// people. Unknown stays Unknown: a silent member never makes a condition False by itself (reliability rule K2).
// Source: Kubernetes API conventions; kstatus for Reconciling and Stalled.

import type { Fencing } from "../../api/partner-down.ts";
import type { MemberReportView, Rejected } from "../observed.ts";
import { carrierSentences } from "./carriers.ts";
import { pairClaimProblem } from "./claims.ts";
import { readConditions, type Verdict } from "./condition.ts";
import { holdSentences } from "./hold.ts";
import { bothNormal, memberIn, type Pair, type PairMember, partnerOf } from "./pair.ts";
import { pairRefusal } from "./pod-refusal.ts";
import { story } from "./story.ts";
import { UNKNOWN_STORE, unlistedStores, type Witness } from "./witness.ts";
import { rejectedText } from "./words.ts";

const RECOVERING = ["Recover", "RecoverWait", "RecoverDone"];
const CONFLICT = ["PotentialConflict", "ResolutionInterrupted", "ConflictDone"];
const READY_STATES_REASONS: readonly (readonly [readonly string[], string])[] = [
  [CONFLICT, "PotentialConflict"],
  [["PartnerDown"], "PartnerDown"],
  [RECOVERING, "Recovering"],
  [["CommunicationsInterrupted"], "CommunicationsInterrupted"],
  [["Startup"], "Starting"],
  [["Paused", "Shutdown"], "MemberStopping"],
];

export function acceptedVerdict(problem: Rejected | null): Verdict {
  if (problem === null) {
    return { type: "Accepted", status: "True", reason: "Accepted", message: "The configuration is usable." };
  }
  const message = `${rejectedText(problem)} The last good configuration stays in force.`;
  return { type: "Accepted", status: "False", reason: problem.reason, message };
}

/** `held`: why a member stays as it is, though the spec says otherwise. */
export function readyVerdict(
  pair: Pair,
  problem: Rejected | null,
  held: { readonly message: string } | null,
): Verdict {
  const refused =
    problem === null ? null : `What the spec says now is not in force: see Accepted (${problem.reason}).`;
  const also = held?.message ?? refused;
  const verdict = (status: "True" | "False", reason: string, message: string): Verdict => ({
    type: "Ready",
    status,
    reason,
    message: also === null || reason === "NotAccepted" ? message : `${message} ${also}`,
  });
  const never = pair.members.every(({ life }) => life.kind === "unknown" && life.why === "NeverReported");
  if (problem !== null && never) return verdict("False", "NotAccepted", `Not started: ${problem.message}`);
  if (bothNormal(pair)) {
    const waiting = pair.members
      .filter(({ member }) => !member.isExternal && member.pod?.ready !== true)
      .map(({ name }) => name);
    if (waiting.length > 0) {
      const message = `Both members are NORMAL, but the pod of ${waiting.join(" and of ")} is not ready.`;
      return verdict("False", "PodNotReady", message);
    }
    // Two that are NORMAL and wait for what a lost store had promised give no new client an address.
    const available = availableVerdict(pair);
    if (available.status === "False")
      return verdict("False", available.reason, `Both members are NORMAL. ${available.message}`);
    const message = [normalSentence(pair), ...carrierSentences(pair), ...holdSentences(pair)].join(" ");
    return verdict("True", "Normal", message);
  }
  for (const [states, reason] of READY_STATES_REASONS) {
    if (memberIn(pair, ...states) !== null) return verdict("False", reason, story(pair));
  }
  const refusal = pairRefusal(pair);
  const unmet = refusal ?? pairClaimProblem(pair);
  if (unmet !== null) return verdict("False", unmet.reason, story(pair));
  const silent = pair.members.some(({ life }) => life.kind === "unknown" && life.why !== "NeverReported");
  return verdict("False", silent ? "MemberUnknown" : "MemberMissing", story(pair));
}

function normalSentence({ members, observed }: Pair): string {
  const [primary, secondary] = members;
  if (observed.relationship.mode === "HotStandby") {
    return `Both members are NORMAL; ${primary?.name} serves, ${secondary?.name} stands by.`;
  }
  const percent = observed.compiled.kind === "compiled" ? observed.compiled.config.primaryPercent : 50;
  return `Both members are NORMAL; ${primary?.name} serves ${percent} % of the clients, ${secondary?.name} the rest.`;
}

export function availableVerdict(pair: Pair): Verdict {
  const verdict = (status: Verdict["status"], reason: string, message: string): Verdict => ({
    type: "Available",
    status,
    reason,
    message,
  });
  const answering = pair.members.filter(
    ({ report }) => report?.serving === "All" || report?.serving === "OwnAddresses",
  );
  const names = answering.map(({ name }) => name).join(" and ");
  const none = hasScopes(pair) ? "" : " There is no DHCPScope, so no client is given an address.";
  if (answering.length === 2) return verdict("True", "BothMembers", `${names} answer clients.${none}`);
  if (answering.length === 1) return verdict("True", "OneMember", `${names} answers clients.${none}`);
  const renewing = pair.members
    .filter(({ report }) => report?.serving === "RenewOnly")
    .map(({ name }) => name);
  if (renewing.length > 0) {
    const renew = `${renewing.join(" and ")} ${renewing.length > 1 ? "renew" : "renews"} clients; nobody serves new ones.`;
    return verdict("False", "RenewalsOnly", [renew, ...holdSentences(pair)].join(" "));
  }
  const unknown = pair.members.filter(({ life }) => life.kind === "unknown" && life.why !== "NeverReported");
  if (unknown.length > 0) {
    const silent = unknown.map(({ name }) => name).join(" and ");
    return verdict("Unknown", "MemberUnknown", `Whether ${silent} answers clients is not known.`);
  }
  return verdict("False", "NoneServing", "No member answers clients.");
}

/** While the spec is refused it is the last good configuration that is served, which is not judged here. */
function hasScopes({ observed: { compiled } }: Pair): boolean {
  return compiled.kind !== "compiled" || compiled.config.scopes.length > 0;
}

export function partnerDownVerdict(pair: Pair): Verdict {
  const verdict = (status: Verdict["status"], reason: string, message: string): Verdict => ({
    type: "PartnerDown",
    status,
    reason,
    message,
  });
  const alone = memberIn(pair, "PartnerDown");
  if (alone !== null) {
    const partner = partnerOf(pair, alone)?.name ?? "its partner";
    const epoch = alone.report?.entered ?? 0;
    return verdict(
      "True",
      "Declared",
      `${alone.name} goes on without ${partner}, by the grant of epoch ${epoch}.${transferWarning(pair)}`,
    );
  }
  const holder = pair.members.find(({ name }) => name === pair.witness?.holder);
  if (holder?.life.kind === "unknown") {
    const message = `${holder.name} holds the grant of epoch ${pair.witness?.epoch} and does not report.`;
    return verdict("Unknown", "HolderUnknown", message);
  }
  if (holder !== undefined) {
    const message = `${holder.name} holds the grant of epoch ${pair.witness?.epoch} and is not in PARTNER-DOWN.`;
    return verdict("False", "GrantPending", message);
  }
  return verdict("False", "NotDeclared", "No member was told that its partner is down.");
}

/** A human's word that nothing can check is repeated for as long as it counts. */
function transferWarning({ witness }: Pair): string {
  const from = witness?.transferredFrom ?? null;
  if (from === null) return "";
  return ` It was taken from ${from}, which was declared dead: if ${from} still runs anywhere, addresses are given twice.`;
}

/** `revision`: of the last configuration accepted, "" when none ever was. */
export function configVerdict(pair: Pair, revision: string): Verdict {
  const verdict = (status: Verdict["status"], reason: string, message: string): Verdict => ({
    type: "ConfigInSync",
    status,
    reason,
    message,
  });
  if (revision === "") return verdict("False", "NoConfiguration", "No configuration was ever accepted.");
  const behind = pair.members.filter(({ report }) => report !== null && report.activeRevision !== revision);
  const short = revision.slice(0, 12);
  if (behind.length > 0) {
    const names = behind.map(({ name }) => name).join(" and ");
    const run = behind.length > 1 ? "do not run" : "does not run";
    return verdict("False", "Propagating", `${names} ${run} revision ${short} yet.`);
  }
  const unknown = pair.members
    .filter(({ member, report }) => !member.isExternal && report === null)
    .map(({ name }) => name);
  if (unknown.length > 0) {
    return verdict(
      "Unknown",
      "MemberUnknown",
      `Whether ${unknown.join(" and ")} runs revision ${short} is not known.`,
    );
  }
  const who = pair.members.some(({ member }) => member.isExternal) ? "Our member runs" : "Both members run";
  return verdict("True", "InSync", `${who} revision ${short}.`);
}

export function witnessVerdict(pair: Pair): Verdict {
  const verdict = (status: Verdict["status"], reason: string, message: string): Verdict => ({
    type: "WitnessHealthy",
    status,
    reason,
    message,
  });
  const { witness } = pair;
  if (witness === null) return verdict("Unknown", "NoRecord", "The witness record was not written yet.");
  const reports = pair.members.flatMap(({ member, name }) =>
    member.report === null ? [] : [{ name, report: member.report }],
  );
  const ahead = reports.find(({ report }) => report.seen > witness.epoch || report.entered > witness.epoch);
  if (ahead !== undefined) {
    const epoch = Math.max(ahead.report.seen, ahead.report.entered);
    const message =
      `${ahead.name} remembers epoch ${epoch}, the witness has ${witness.epoch}: the record was restored from an older ` +
      "state. No operation is carried out; check both members for doubly given addresses.";
    return verdict("False", "EpochBehind", message);
  }
  const replaced = reports.find(
    ({ name, report }) =>
      witness.holder === name && report.store !== "" && report.store !== witness.holderStore,
  );
  if (replaced !== undefined) {
    const other = reports.find(({ name }) => name !== replaced.name);
    const lost =
      other?.report.complete === false
        ? `${other.name} does not hold all leases either. ${beginAnew(pair)}.`
        : "If it is lost for good, create a FailoverOperation DeclarePartnerDown for the other member with partnerIs Destroyed.";
    const message =
      `${replaced.name} has a new, empty store, while the grant of epoch ${witness.epoch} was given to its old one. ` +
      `Bring the old store back, so that the grant can be given back. ${lost}`;
    return verdict("False", "HolderStoreReplaced", message);
  }
  const lost = unlistedStores(
    witness,
    pair.members.map(({ member }) => member),
  );
  if (lost.length > 0) {
    return verdict("False", "StoresLost", storesLostText(pair, lost));
  }
  if (pair.members.every(({ report }) => report !== null && waitsForHuman(report))) {
    return verdict("False", "StoresLost", BOTH_RESTORED);
  }
  if (pair.members.filter(({ report }) => report?.state === "PartnerDown").length === 2) {
    return verdict(
      "False",
      "BothPartnerDown",
      "Both members are in PARTNER-DOWN: addresses may be given twice.",
    );
  }
  if (isRecreated(pair, witness)) {
    const message =
      `The record was lost or set back, and written anew with epoch ${witness.epoch}. If the members were out of contact ` +
      "meanwhile, both may have given the same address: compare their leases. This goes once both are NORMAL and have read it.";
    return verdict("False", "Recreated", message);
  }
  const { sharedWith, fencing } = pair.observed.fencing;
  if (sharedWith !== null) return verdict("False", "SharesNodeWithMember", sharedText(sharedWith, fencing));
  const holds = witness.holder === null ? "nobody holds a grant" : `${witness.holder} holds the grant`;
  return verdict("True", "Reading", `Epoch ${witness.epoch}, ${holds}.`);
}

/** Fenced, it has all that its partner has, and the partner has not all leases either (W10). */
function waitsForHuman({ state, complete, fencing }: MemberReportView): boolean {
  return state === "RecoverWait" && !complete && fencing === "Witness";
}

const BOTH_RESTORED =
  "Neither lease store holds all leases: both were restored from backups, say. What was leased since is not known. Once no such " +
  "lease can run any more, set spec.partnerDown.fencing to None until both members are NORMAL.";

function beginAnew({ observed }: Pair): string {
  const { namespace, name } = observed.relationship;
  return (
    `Only when no client can hold a lease any more, delete the relationship, type "kubectl -n ${namespace} delete secret ` +
    `${name}-store", and apply it again`
  );
}

function storesLostText(pair: Pair, lost: readonly string[]): string {
  const { observed, witness } = pair;
  const { adoptFrom } = observed.relationship;
  const begin = beginAnew(pair);
  if (lost.some((member) => witness?.stores[member] === UNKNOWN_STORE)) {
    return (
      `No member has found the lease stores of ${adoptFrom} on its node (${lost.join(" and ")} began an empty one): what was leased ` +
      "is not known. Delete the relationship and apply it again with the UID, the names of the members and the nodes of the " +
      `one that it follows. ${begin} without storage.adoptFrom.`
    );
  }
  return (
    `The lease store of ${lost.join(" and ")} is new, and the partner does not hold all leases either: what was leased ` +
    `before is not known. Bring an old store back. ${begin}.`
  );
}

/** The record was written anew by this look or an earlier one, and not both members have moved on from it yet. */
function isRecreated(pair: Pair, { epoch }: Witness): boolean {
  if (pair.change?.kind === "recreated") return true;
  const before = readConditions(pair.observed.relationship.status["conditions"]);
  if (before.find(({ type }) => type === "WitnessHealthy")?.reason !== "Recreated") return false;
  return !bothNormal(pair) || pair.members.some(({ report }) => (report?.seen ?? 0) < epoch);
}

function sharedText(member: string, fencing: Fencing): string {
  const shared = `The only control plane runs on the node of ${member}: when that node is lost, the witness is lost with it. `;
  return (
    shared +
    (fencing === "None"
      ? "So fencing is None: PARTNER-DOWN is decided by a human. Move a member to another node, or have three control planes, " +
        "then set spec.partnerDown.fencing to Witness."
      : "With fencing Witness the other member then serves no new clients once its lead time has run out. Move a member to " +
        "another node, or have three control planes.")
  );
}

/** What is under way, or null when all is quiet; `work` is what the chain found to do. */
export function reconcilingVerdict(work: { reason: string; message: string } | null): Verdict | null {
  return work === null ? null : { type: "Reconciling", status: "True", ...work };
}

/** What only a human can end. */
export function stalledVerdict(problem: Pick<Rejected, "reason" | "message"> | null): Verdict | null {
  if (problem === null) return null;
  return { type: "Stalled", status: "True", reason: problem.reason, message: problem.message };
}

/** A member as the printer columns show it: `a Normal`, `b Unknown (6m)`. */
export function memberColumn(member: PairMember, age: string): string {
  if (member.life.kind === "known") return `${member.name} ${member.life.report.state}`;
  if (member.life.kind === "external") return `${member.name} ${member.life.state ?? "Unknown"}`;
  if (member.life.why === "NeverReported") return `${member.name} Pending`;
  return age === "" ? `${member.name} Unknown` : `${member.name} Unknown (${age})`;
}
