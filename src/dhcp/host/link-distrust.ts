// Why the other end of the failover link is not believed to be the partner: from what TLS says to a reason that the API
// knows, and words that say whom and what it concerns. Source: RFC 8446 4.4.2; docs/adr/0008-link-identity.md.

import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { LinkDistrust, LinkRefusal } from "../../base/link-refusal.ts";
import { type LinkCertificates, speaksFor } from "./link-certificates.ts";

export type Distrust = LinkRefusal & { readonly reason: LinkDistrust };

/** Whom a peer has to prove to be, and by whose word. */
export interface Proof {
  readonly certificates: LinkCertificates;
  readonly partnerIdentity: string;
}

/** Judges a peer after the handshake; null when it is the partner. */
export function distrustOf(socket: TLSSocket, { certificates, partnerIdentity }: Proof): Distrust | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { reason: "NoCertificate", message: "it shows no certificate" };
  if (!socket.authorized) return unproven(certificate, String(socket.authorizationError), certificates);
  if (speaksFor(certificate, partnerIdentity)) return null;
  const speaks = certificate.subjectAltName ?? "nobody";
  const message = `its certificate speaks for ${speaks}, not for URI:${partnerIdentity}`;
  return { reason: "WrongIdentity", message };
}

/** `problem`: OpenSSL's word, such as CERT_HAS_EXPIRED. */
function unproven(
  certificate: X509Certificate,
  problem: string,
  { files }: Pick<LinkCertificates, "files">,
): Distrust {
  const day = (date: Date) => date.toISOString().slice(0, 10);
  if (problem === "CERT_HAS_EXPIRED") {
    const message = `its certificate, or the authority that signed it, has expired (the certificate on ${day(certificate.validToDate)})`;
    return { reason: "CertificateExpired", message };
  }
  if (problem === "CERT_NOT_YET_VALID") {
    const message = `its certificate begins on ${day(certificate.validFromDate)}: one of the two clocks is wrong`;
    return { reason: "CertificateNotYetValid", message };
  }
  const issuer = certificate.issuer.replaceAll("\n", ", ");
  // An authority that is followed by another keeps its name; who signed with the old key was trusted once.
  if (authorities(files.ca).some(({ subject }) => subject === certificate.issuer)) {
    const message = `its certificate is signed by an earlier authority ${issuer}, which is not trusted any more`;
    return { reason: "CertificateRevoked", message };
  }
  const message = `its certificate is signed by ${issuer}, which is not among the trusted authorities (${problem})`;
  return { reason: "UnknownAuthority", message };
}

function authorities(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** What the other end sent was no TLS at all. */
const NO_TLS = [
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_SSL_HTTP_REQUEST",
  "ERR_SSL_HTTPS_PROXY_REQUEST",
  "ERR_SSL_PACKET_LENGTH_TOO_LONG",
];

/** Judges a handshake that failed; null when nothing says that the other end is to blame, as when it did not answer. */
export function brokenHandshake(error: NodeJS.ErrnoException): Distrust | null {
  const code = error.code ?? "";
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") {
    return {
      reason: "HandshakeBroken",
      message: "it connected and did not finish the TLS handshake in time",
    };
  }
  if (NO_TLS.includes(code)) return { reason: "ClearText", message: "it speaks in clear, without TLS" };
  if (!code.startsWith("ERR_SSL") && code !== "ECONNRESET") return null;
  // OpenSSL's whole sentence holds an address of memory: another text each time.
  const why = code === "ECONNRESET" ? "the connection was closed" : code;
  const message = `the TLS handshake with it broke (${why}): it may speak in clear, or not believe this end`;
  return { reason: "HandshakeBroken", message };
}
