// The certificates of the failover link: which have to be made, and what LinkSecure says. One authority per relationship;
// a member's certificate lives 90 days and is renewed at 60. An authority is followed by another in three steps, so that at
// every moment each member trusts what the other may show: trusted first, then signing, then the old one forgotten. An authority
// that somebody deleted is replaced at once: that is how everything it signed is revoked.
// Source: docs/adr/0008-link-identity.md.

import { linkIdentity } from "../../base/link-identity.ts";
import {
  LINK_DISTRUSTS,
  type LinkDistrust,
  type LinkRefusal,
  REFUSED_BY_PARTNER,
  TERMS_DIFFER,
} from "../../base/link-refusal.ts";
import { seconds, type UnixSeconds } from "../../base/units.ts";
import type {
  CertificateView,
  LinkView,
  MemberCertificateView,
  Observed,
  ObservedLink,
} from "../observed.ts";
import type { Verdict } from "./condition.ts";
import { type Pair, partnerOf } from "./pair.ts";

const DAY = 86_400;
export const LEAF_DAYS = 90;
export const AUTHORITY_DAYS = 5 * 365;
const LEAF_RENEWED_AFTER = seconds(60 * DAY);
/** Ample for two lives of a member's certificate. */
const AUTHORITY_RENEWED_BEFORE = seconds(2 * LEAF_DAYS * DAY);
/** Made by a clock that was so far ahead, a certificate is not valid yet (it is dated back by as much), and it may be years until it is. */
const AHEAD = seconds(3600);
/** Kubelets bring a changed Secret into a pod within two minutes, engines take it up within seconds. */
const PROPAGATION = seconds(900);

export type LinkStep =
  | { readonly kind: "create-authority" }
  /** A second authority that is trusted but does not sign yet. */
  | { readonly kind: "prepare-authority" }
  /** From here on the second one signs; the first is trusted still. */
  | { readonly kind: "promote-authority" }
  | { readonly kind: "retire-authority" }
  | { readonly kind: "issue"; readonly member: string };

/** What is to be made now; nothing while the Secrets were not read, or when somebody else brings them. */
export function linkSteps({ link, now, relationship }: Observed): readonly LinkStep[] {
  if (link.kind !== "read" || link.view.source === "brought") return [];
  const { authority, members } = link.view;
  if (authority === null || authority.current.notAfter <= now) return [{ kind: "create-authority" }];
  const { current, next, previous } = authority;
  const trusted = trustedBy(link.view);
  const due = [...members].filter(([name, certificate]) => {
    const identity = linkIdentity(`${relationship.namespace}/${relationship.name}`, name);
    return (
      certificate === null || isDue(certificate, { identity, signer: current.fingerprint, trusted, now })
    );
  });
  if (due.length > 0) return due.map(([member]) => ({ kind: "issue", member }));
  const everywhere = [...members.values()].every(
    (certificate) => certificate !== null && certificate.issuedAt + PROPAGATION <= now,
  );
  if (next !== null) return everywhere ? [{ kind: "promote-authority" }] : [];
  if (previous !== null) return everywhere ? [{ kind: "retire-authority" }] : [];
  const isAuthorityDue = isAhead(current, now) || current.notAfter - now < AUTHORITY_RENEWED_BEFORE;
  return isAuthorityDue ? [{ kind: "prepare-authority" }] : [];
}

/** What is done of `steps` for a relationship that is refused as it stands: no new trust and nothing that was not there, but the
 *  certificates of the pair that runs as it was accepted before must not run out. */
export function renewals(steps: readonly LinkStep[], view: LinkView): readonly LinkStep[] {
  const trusted = trustedBy(view);
  return steps.filter((step) => {
    const certificate = step.kind === "issue" ? view.members.get(step.member) : null;
    return certificate != null && isSameTrust(certificate, trusted);
  });
}

function isAhead({ issuedAt }: CertificateView, now: UnixSeconds): boolean {
  return issuedAt > now + AHEAD;
}

interface Wanted {
  readonly identity: string;
  readonly signer: string;
  readonly trusted: readonly string[];
  readonly now: UnixSeconds;
}

function isDue(certificate: MemberCertificateView, { identity, signer, trusted, now }: Wanted): boolean {
  const { identities, issuedAt, signedBy } = certificate;
  if (signedBy !== signer || now >= issuedAt + LEAF_RENEWED_AFTER || isAhead(certificate, now)) return true;
  if (identities.length !== 1 || identities[0] !== identity) return true;
  return !isSameTrust(certificate, trusted);
}

function isSameTrust({ trusts }: MemberCertificateView, trusted: readonly string[]): boolean {
  return trusted.length === trusts.length && trusted.every((fingerprint) => trusts.includes(fingerprint));
}

/** Fingerprints of every authority that a member's certificate of the partner may come from. */
export function trustedBy({ authority, extra }: LinkView): readonly string[] {
  const own = [authority?.current, authority?.next, authority?.previous];
  return [...own.flatMap((one) => (one == null ? [] : [one.fingerprint])), ...extra];
}

export interface LinkProblem {
  readonly reason: "CertificateMissing" | "WrongIdentity" | "CertificateExpired" | "NotTrusted";
  readonly message: string;
}

/** Why the certificates in the Secrets do not secure the link; null when they do, were not read, or are not needed. */
export function linkProblem({ link, now, relationship }: Observed): LinkProblem | null {
  if (link.kind !== "read") return null;
  for (const [name, certificate] of link.view.members) {
    const identity = linkIdentity(`${relationship.namespace}/${relationship.name}`, name);
    const problem = problemOf({ name, certificate, identity }, link, now);
    if (problem !== null) return problem;
  }
  return null;
}

export function linkVerdict(pair: Pair): Verdict {
  const verdict = (status: Verdict["status"], reason: string, message: string): Verdict => ({
    type: "LinkSecure",
    status,
    reason,
    message,
  });
  const { link, now } = pair.observed;
  if (link.kind === "clear") return verdict("False", "ClearText", CLEAR_PARTNER);
  if (link.kind === "unread") return verdict("Unknown", "SecretsUnreadable", link.message);
  const { members, source } = link.view;
  const problem = linkProblem(pair.observed);
  if (problem !== null) {
    if (source === "own" && [...members.values()].every((certificate) => certificate === null))
      return verdict("Unknown", "CertificatesPending", "The first certificates are being made.");
    return verdict("False", problem.reason, problem.message);
  }
  const inClear = pair.members.filter(({ report }) => report?.linkSecurity === "Clear");
  if (inClear.length > 0) {
    const names = inClear.map(({ name }) => name).join(" and ");
    return verdict("False", "ClearText", `${names} runs the link in clear until it is restarted.`);
  }
  const refusal = refusalOf(pair);
  if (refusal !== null) return verdict("False", refusal.reason, refusal.message);
  const secured = pair.members.filter(({ report }) => report?.linkSecurity === "TLS");
  if (secured.length < members.size) {
    return verdict(
      "Unknown",
      "NotReported",
      "Not every member has reported how its end of the link is secured.",
    );
  }
  const ends = Math.min(...[...members.values()].map((certificate) => certificate?.notAfter ?? now));
  const day = new Date(ends * 1000).toISOString().slice(0, 10);
  return verdict("True", "MutualTLS", `TLS 1.3 with a certificate on both sides, good until ${day}.`);
}

/** What an engine met on the link; the Secrets may be in order all the same: a pod has older files, or the partner is elsewhere. */
function refusalOf(pair: Pair): { readonly reason: string; readonly message: string } | null {
  const refused = pair.members.map((member) => ({
    own: member.name,
    partner: partnerOf(pair, member)?.name ?? "its partner",
    refusal: member.report?.linkRefusal ?? null,
  }));
  for (const { own, partner, refusal } of refused) {
    if (refusal === null || !isDistrust(refusal.reason)) continue;
    const { reason, message } = refusal;
    return { reason, message: `${own} refuses ${partner}: ${message}. ${REFUSAL_REMEDY[reason](partner)}` };
  }
  // Of two that run here the one that refuses has just said so itself; an external one is heard through ours alone.
  for (const { own, partner, refusal } of refused) {
    if (refusal?.reason !== REFUSED_BY_PARTNER) continue;
    const cause = LINK_DISTRUSTS.find((word) => refusal.message.startsWith(`${word}:`)) ?? null;
    const remedy = cause === null ? HEARD_REMEDY.NoCertificate : HEARD_REMEDY[cause];
    const message = `${partner} refuses ${own}, and says of it: ${refusal.message}. ${remedy(own, partner)}`;
    return { reason: REFUSED_BY_PARTNER, message };
  }
  return null;
}

function isDistrust(reason: LinkRefusal["reason"]): reason is LinkDistrust {
  return reason !== TERMS_DIFFER && reason !== REFUSED_BY_PARTNER;
}

/** What to do about a partner that refuses our end, by its reason. */
const LOOK_THERE = (_: string, partner: string) => `The log of ${partner} says more.`;
const HEARD_REMEDY: Readonly<Record<LinkDistrust, (own: string, partner: string) => string>> = {
  WrongIdentity: () =>
    "Relationship and members must have the same names on both sides, or external.relationshipName must name one for both.",
  CertificateExpired: (own) =>
    `Renew the certificate of ${own}, and restart its pod if that has an older one.`,
  CertificateNotYetValid: () => "Set the clocks.",
  CertificateRevoked: (own, partner) =>
    `Bring the present authority of ${own} to ${partner}: spec.link.tls.trustedAuthorities there.`,
  UnknownAuthority: (own, partner) =>
    `Bring the authority of ${own} to ${partner}: spec.link.tls.trustedAuthorities there, or with secretRef its ca.crt.`,
  NoCertificate: LOOK_THERE,
  ClearText: LOOK_THERE,
  HandshakeBroken: LOOK_THERE,
};

const RENEW = (partner: string) =>
  `Compare the Secret of ${partner} with what its pod has mounted; of an external partner, renew it there.`;
const REFUSAL_REMEDY: Readonly<Record<LinkDistrust, (partner: string) => string>> = {
  WrongIdentity: (partner) => `Give ${partner} its own certificate, and look who else uses its address.`,
  CertificateExpired: RENEW,
  CertificateNotYetValid: () => "Set the clocks.",
  CertificateRevoked: RENEW,
  UnknownAuthority: () =>
    "Add that authority to spec.link.tls.trustedAuthorities, or with secretRef to ca.crt, if it is the partner's.",
  NoCertificate: (partner) => `Give ${partner} its certificate.`,
  ClearText: (partner) => `Start ${partner} with --link-certificates.`,
  HandshakeBroken: (partner) => `The log of ${partner} may say more.`,
};

const CLEAR_PARTNER =
  "The partner is a dhcpd, which speaks in clear only: keep the link on a network of its own, and its port shut to others.";

interface End {
  readonly name: string;
  readonly certificate: MemberCertificateView | null;
  readonly identity: string;
}

/** What keeps this member's certificate from being believed by its partner. */
function problemOf(
  { name, certificate, identity }: End,
  { view }: Extract<ObservedLink, { kind: "read" }>,
  now: UnixSeconds,
): LinkProblem | null {
  const secret = view.secretNames.get(name) ?? "";
  const remedy =
    view.source === "brought"
      ? `Whoever fills Secret ${secret} must renew it (cert-manager: a Certificate with uris: ["${identity}"]).`
      : "It is made anew at the next look.";
  if (certificate === null) {
    const missing = `Secret ${secret} with tls.crt, tls.key and ca.crt for ${name} does not exist or cannot be read.`;
    return { reason: "CertificateMissing", message: `${missing} ${remedy}` };
  }
  if (!certificate.identities.includes(identity)) {
    const speaks = certificate.identities.join(", ") || "nobody";
    const message = `The certificate of ${name} speaks for ${speaks}, not for ${identity}: its partner refuses it. ${remedy}`;
    return { reason: "WrongIdentity", message };
  }
  if (certificate.notAfter <= now) {
    return { reason: "CertificateExpired", message: `The certificate of ${name} has expired. ${remedy}` };
  }
  const distrusting = [...view.members].find(
    ([other, theirs]) => other !== name && theirs !== null && !isTrustedBy(certificate, theirs),
  );
  if (distrusting === undefined) return null;
  const message =
    `The certificate of ${name} is signed by an authority that ${distrusting[0]} does not trust (any more). ` +
    remedy;
  return { reason: "NotTrusted", message };
}

function isTrustedBy({ signedBy }: MemberCertificateView, { trusts }: MemberCertificateView): boolean {
  return signedBy !== null && trusts.includes(signedBy);
}
