// The cluster's certificates: one authority, one certificate for each component and node, and kubeconfigs that use them.
// Kubernetes reads who somebody is from the certificate: common name = user, organisation = group.

import { generateKeyPairSync, webcrypto } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import "reflect-metadata"; // @peculiar/x509 does not load without it
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAYS = 7;

interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly name: string;
  readonly user: string;
  readonly group?: string;
  /** IPv4 addresses and DNS names it serves under. */
  readonly hosts?: readonly string[];
}

export class Pki {
  readonly authority: string;
  /** For service account tokens: private and public key, PEM. */
  readonly tokens: { readonly privateKey: string; readonly publicKey: string };
  readonly #identities: ReadonlyMap<string, Identity>;
  readonly #server: string;

  private constructor(authority: string, identities: ReadonlyMap<string, Identity>, server: string) {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.authority = authority;
    this.#identities = identities;
    this.#server = server;
    this.tokens = {
      privateKey: pair.privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
      publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
    };
  }

  /** Certificates for all subjects; `server` is the API's URL in the kubeconfigs. */
  static async make(subjects: readonly Subject[], server: string): Promise<Pki> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const root = await x509.X509CertificateGenerator.createSelfSigned(
      {
        name: "CN=leasepair-test",
        signingAlgorithm: ALGORITHM,
        keys,
        ...validity(),
        extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
      },
      webcrypto as Crypto,
    );
    const identities = new Map<string, Identity>();
    for (const subject of subjects) identities.set(subject.name, await issue(subject, root, keys.privateKey));
    return new Pki(root.toString("pem"), identities, server);
  }

  identity(name: string): Identity {
    const identity = this.#identities.get(name);
    if (identity === undefined) throw new Error(`no certificate for ${name}`);
    return identity;
  }

  /** A kubeconfig for `name`; `server` when it reaches the API another way. */
  kubeConfig(name: string, server: string = this.#server): string {
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const { certificate, key } = this.identity(name);
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        { name: "leasepair-test", cluster: { server, "certificate-authority-data": base64(this.authority) } },
      ],
      users: [
        { name, user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) } },
      ],
      contexts: [{ name: "leasepair-test", context: { cluster: "leasepair-test", user: name } }],
      "current-context": "leasepair-test",
    });
  }

  /** ca.crt, tls.crt, tls.key and kubeconfig of `name` in a directory. */
  write(directory: string, name: string): void {
    const { certificate, key } = this.identity(name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "ca.crt"), this.authority);
    writeFileSync(join(directory, "tls.crt"), certificate);
    writeFileSync(join(directory, "tls.key"), key, { mode: 0o600 });
    writeFileSync(join(directory, "kubeconfig"), this.kubeConfig(name), { mode: 0o600 });
  }
}

/** Certificates of this lab are good from yesterday on, so that no clock is too slow for them. */
function validity(): { notBefore: Date; notAfter: Date } {
  const day = 86_400_000;
  return { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + DAYS * day) };
}

async function issue(subject: Subject, root: x509.X509Certificate, signingKey: CryptoKey): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const group = subject.group === undefined ? [] : [{ O: [subject.group] }];
  const hosts = (subject.hosts ?? []).map((value) => ({
    type: /^[\d.]+$/.test(value) ? ("ip" as const) : ("dns" as const),
    value,
  }));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: new x509.Name([...group, { CN: [subject.user] }]).toString(),
      issuer: root.subject,
      signingAlgorithm: ALGORITHM,
      signingKey,
      publicKey: keys.publicKey,
      ...validity(),
      extensions: [
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        ...(hosts.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(hosts)]),
      ],
    },
    webcrypto as Crypto,
  );
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { certificate: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}
