// A certificate for one address, signed by itself, so that the embedded API speaks TLS as a real one does.

import { webcrypto } from "node:crypto";
import "reflect-metadata"; // @peculiar/x509 does not load without it
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Certificate and key in PEM, for `address` (an IPv4 or IPv6 address), good for a year. */
export async function makeCertificate(address: string): Promise<{ certificate: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const extensions = [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.SubjectAlternativeNameExtension([{ type: "ip", value: address }]),
  ];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { name: "CN=embedded-api", signingAlgorithm: ALGORITHM, keys, extensions },
    webcrypto as Crypto,
  );
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}
