// The sentences of the Ready condition: who is unreachable since when, who answers whom, what happens next and when.
// Every number and time in them is either fixed or moves in steps, so that time alone makes no writes at rest.

import { type LinkRefusal, REFUSED_BY_PARTNER, TERMS_DIFFER } from "../../base/link-refusal.ts";
import { type UnixSeconds, unixSeconds } from "../../base/units.ts";
import { memberObjectName } from "../desired/names.ts";
import type { ObservedPod } from "../observed.ts";
import { automaticStep } from "./automatic.ts";
import { claimProblemOf } from "./claims.ts";
import { holdSentences } from "./hold.ts";
import { linkProblem } from "./link.ts";
import { type Pair, type PairMember, partnerOf } from "./pair.ts";
import { podRefusalOf } from "./pod-refusal.ts";
import { CAUSE_WORDS, clockTime, draftState, roughCount } from "./words.ts";

/** When the member in PARTNER-DOWN may give out its partner's free addresses: entry + MCLT, the one that the member waits with,
 *  which a lowered one does not shorten; as configured where it does not say. Null when not known. */
export function takeoverAt({ observed: { compiled } }: Pair, { report }: PairMember): UnixSeconds | null {
  const configured = compiled.kind === "compiled" ? compiled.config.mcltSeconds : null;
  const lead = report?.waitLeadSeconds ?? configured;
  return report?.entry == null || lead === null ? null : unixSeconds(report.entry + lead);
}

/** The whole message of Ready for a pair that is not simply NORMAL. */
export function story(pair: Pair): string {
  const members = pair.members.map((member) => memberSentence(pair, member));
  return [...members, ...nextSentences(pair), ...holdSentences(pair)].join(" ");
}

function memberSentence(pair: Pair, member: PairMember): string {
  const { life, name } = member;
  if (life.kind === "unknown") return unknownSentence(pair, member);
  if (life.kind === "external") {
    const state = life.state === null ? "is not heard" : `was last heard in ${draftState(life.state)}`;
    return `${name} runs elsewhere and ${state}.`;
  }
  const since = clockTime(life.report.since, pair.now);
  return `${name} is in ${draftState(life.report.state)} since ${since} and ${serves(pair, member)}.`;
}

function unknownSentence(pair: Pair, of: PairMember): string {
  const { life, name, member } = of;
  if (life.kind !== "unknown") return "";
  const { stopped } = pair.observed;
  if (stopped?.member === name) {
    return `${name} is stopped by operation ${stopped.operation} until ${clockTime(stopped.until, pair.now)}.`;
  }
  const refusal = podRefusalOf(pair, of);
  const claim = claimProblemOf(pair, of);
  const more = [refusal, claim].flatMap((each) => (each === null ? [] : [sentence(each.message)]));
  if (life.why === "NeverReported") {
    if (member.pod === null) {
      const certificates = linkProblem(pair.observed);
      const why = certificates === null ? noPodRemedy(pair, name) : `: ${certificates.message}`;
      return more.length > 0 ? more.join(" ") : sentence(`${name} has no pod yet${why}`);
    }
    const state = member.pod.running ? "" : `; ${notRunning(member.pod)}`;
    return [sentence(`${name} has not reported yet${state}`), ...more].join(" ");
  }
  const { pod } = member;
  const cause = life.why === "NotRunning" && pod !== null ? notRunning(pod) : CAUSE_WORDS[life.why];
  const since = sentence(`${name} is unreachable since ${clockTime(life.since, pair.now)}: ${cause}`);
  return [since, ...more].join(" ");
}

/** While nothing is known: only the StatefulSet's events tell. */
function noPodRemedy({ observed: { relationship } }: Pair, member: string): string {
  const { namespace, name } = relationship;
  const set = `kubectl -n ${namespace} describe statefulset ${memberObjectName(name, member)}`;
  const label = `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`;
  return ` (if that lasts, "${set}" says why; Pod Security is answered by "${label}")`;
}

function notRunning({ failure }: ObservedPod): string {
  return failure === null ? CAUSE_WORDS.NotRunning : `${CAUSE_WORDS.NotRunning}: ${failure}`;
}

/** What a program said may end with its own full stop. */
function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}

function serves(pair: Pair, member: PairMember): string {
  const report = member.report;
  if (report === null) return "";
  switch (report.serving) {
    case "All":
      return pair.observed.relationship.mode === "HotStandby" && report.state === "Normal"
        ? member.role === "Primary"
          ? "answers all clients"
          : "stands by"
        : "answers all clients";
    case "OwnAddresses":
      return "renews all clients and serves new ones from its own addresses";
    case "RenewOnly":
      return "renews clients but serves no new ones";
    case "None":
      return "serves nobody";
    default:
      return report.serving satisfies never;
  }
}

function nextSentences(pair: Pair): readonly string[] {
  const sentences: string[] = [];
  for (const member of pair.members) {
    const partner = partnerOf(pair, member)?.name ?? "its partner";
    const { report, name } = member;
    if (report === null) continue;
    if (report.linkRefusal !== null) sentences.push(refusalSentence(report.linkRefusal, name, partner));
    if (report.state === "PartnerDown") sentences.push(...takeoverSentences(pair, member, partner));
    if (report.state === "CommunicationsInterrupted") {
      if (report.freeAddresses !== null) {
        sentences.push(`${name} has ${roughCount(report.freeAddresses)} free addresses of its own.`);
      }
      sentences.push(interruptedSentence(pair, name, partner));
    }
    if (report.state === "PotentialConflict" || report.state === "ResolutionInterrupted") {
      sentences.push("Both compare their leases, record by record; renewals go on, new clients wait.");
    }
    if (report.state === "RecoverWait") {
      sentences.push(`${name} waits out the lead time before it serves again.`);
    }
  }
  return [...new Set(sentences)];
}

/** What the certificates are to blame for stands in LinkSecure. */
function refusalSentence({ reason, message }: LinkRefusal, name: string, partner: string): string {
  if (reason === TERMS_DIFFER) return sentence(`${name} and ${partner} do not meet: ${message}`);
  if (reason === REFUSED_BY_PARTNER)
    return `${partner} does not believe that it speaks with ${name}: see LinkSecure.`;
  return `${name} does not believe that it speaks with ${partner} (${reason}): see LinkSecure.`;
}

function takeoverSentences(pair: Pair, member: PairMember, partner: string): readonly string[] {
  const at = takeoverAt(pair, member);
  const free = member.report?.freeAddresses;
  const stock = free == null ? [] : [`${member.name} has ${roughCount(free)} free addresses.`];
  if (at === null) return stock;
  return [
    ...stock,
    at > pair.now
      ? `${member.name} takes ${partner}'s addresses at ${clockTime(at, pair.now)}.`
      : `${member.name} has taken ${partner}'s addresses as their leases ended.`,
  ];
}

function interruptedSentence(pair: Pair, name: string, partner: string): string {
  if (pair.witness?.holder === name) {
    return `The witness grants ${name} epoch ${pair.witness.epoch}: it enters PARTNER-DOWN next.`;
  }
  if (pair.witness?.holder === partner) {
    return `${partner} holds the grant of epoch ${pair.witness.epoch}; ${name} waits for it to give it back.`;
  }
  if (pair.members.every(({ report }) => report?.state === "CommunicationsInterrupted"))
    return "Both members live, and the link between them is cut: mend it; nobody is to be declared down.";
  const step = automaticStep(pair.observed, pair.witness);
  if (step.kind === "wait") {
    return `${step.survivor} is granted PARTNER-DOWN at ${clockTime(step.at, pair.now)} unless ${partner} shows a sign of life.`;
  }
  const why = step.kind === "blocked" ? `PARTNER-DOWN is not granted by itself: ${step.message}.` : "";
  const { fencing } = pair.observed.fencing;
  const certainty =
    fencing === "None" ? `if ${partner} is certainly off` : `if ${partner} is not coming back soon`;
  return (
    `${why === "" ? "Nothing more happens until contact returns" : why.replace(/\.$/, "")}; ${certainty}, create a FailoverOperation DeclarePartnerDown with ` +
    `survivor ${name} and expectedEpoch ${pair.witness?.epoch ?? 0}.`
  );
}
