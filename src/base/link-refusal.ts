// Why a member does not speak with its partner: the reasons of the condition LinkRefused of a FailoverMember, which the
// engine writes and the controller reads.

/** The other end could not prove who it is. The failover link is not to be had without one of these being mended. */
export const LINK_DISTRUSTS = [
  /** Its certificate speaks for another member or relationship. */
  "WrongIdentity",
  "CertificateExpired",
  "CertificateNotYetValid",
  /** Signed by an authority of the relationship's name that is not trusted any more. */
  "CertificateRevoked",
  /** Signed by somebody who was never trusted here. */
  "UnknownAuthority",
  "NoCertificate",
  /** It speaks without TLS. */
  "ClearText",
  /** The handshake broke, and the other end alone knows why. */
  "HandshakeBroken",
] as const;

export type LinkDistrust = (typeof LINK_DISTRUSTS)[number];

/** The other end does not believe that this one is its partner; the message begins with its reason, mostly a LinkDistrust. */
export const REFUSED_BY_PARTNER = "RefusedByPartner";

/** The handshake of the failover protocol was refused, by either end: clocks apart, other relationship, other terms. */
export const TERMS_DIFFER = "TermsDiffer";

export interface LinkRefusal {
  readonly reason: LinkDistrust | typeof REFUSED_BY_PARTNER | typeof TERMS_DIFFER;
  /** What is wrong, without a full stop; a clause that has the partner for subject, or a sentence of its own. */
  readonly message: string;
}
