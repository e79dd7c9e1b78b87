// Makes the certificates of the failover link: an authority, and one certificate per member that it signs. Used by the
// controller, which keeps them in Secrets, and by `leasepair certs` for pairs without an API. Elliptic curve P-256,
// PEM throughout. Source: RFC 5280 4.2; the identity is that of src/base/link-identity.ts.

import { randomBytes, webcrypto } from "node:crypto";
import "reflect-metadata"; // @peculiar/x509 does not load without it
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const CRYPTO = webcrypto as Crypto;
const DAY_MS = 86_400_000;
/** Clocks of two hosts differ: a new certificate is good from a little before it was made. */
export const BACKDATED_MS = 3_600_000;

export interface CertificateAndKey {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface Validity {
  readonly now: Date;
  readonly days: number;
}

/** A self-signed authority. `name` is shown to people. */
export async function makeLinkAuthority(name: string, validity: Validity): Promise<CertificateAndKey> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...common(validity),
      name: [{ CN: [name] }],
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, CRYPTO),
      ],
    },
    CRYPTO,
  );
  return pem(certificate, keys.privateKey);
}

/** A member's certificate, good as client and as server, signed by `authority`. `identity`: see linkIdentity().
 *  Throws when the authority's PEM cannot be read. */
export async function issueLinkCertificate(
  authority: CertificateAndKey,
  identity: string,
  validity: Validity,
): Promise<CertificateAndKey> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    x509.PemConverter.decodeFirst(authority.key),
    ALGORITHM,
    false,
    ["sign"],
  );
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...common(validity),
      subject: [{ CN: ["leasepair failover link"] }],
      issuer: issuer.subjectName,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: identity }]),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, CRYPTO),
      ],
    },
    CRYPTO,
  );
  return pem(certificate, keys.privateKey);
}

function common({ now, days }: Validity) {
  // Positive, as RFC 5280 4.1.2.2 wants it.
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return {
    serialNumber: serial.toString("hex"),
    notBefore: new Date(now.getTime() - BACKDATED_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  };
}

async function pem(
  certificate: x509.X509Certificate,
  privateKey: webcrypto.CryptoKey,
): Promise<CertificateAndKey> {
  const key = await webcrypto.subtle.exportKey("pkcs8", privateKey);
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n`,
  };
}
