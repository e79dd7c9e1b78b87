// This member's certificate, its key and the authority it trusts, from one directory, as a mounted Secret or as written
// by `leasepair certs`. Files that change are taken up for the next connection; files that are no use, or half written,
// change nothing: what was loaded before stays.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { FaultError } from "../../base/fault.ts";

export const CERTIFICATE_FILES = { cert: "tls.crt", key: "tls.key", ca: "ca.crt" } as const;

type Files = Readonly<Record<keyof typeof CERTIFICATE_FILES, string>>;

const REMEDY =
  "make them with `leasepair certs`, or mount the Secret that the controller keeps for this member";

export class LinkCertificates {
  readonly #directory: string;
  readonly #identity: string;
  #files: Files;
  #expiresAtMs: number;

  /** Loads the files. `identity` is this member's own. Throws FaultError LINK_CERTIFICATE_UNUSABLE. */
  constructor(directory: string, identity: string) {
    this.#directory = directory;
    this.#identity = identity;
    this.#files = this.#read();
    this.#expiresAtMs = this.#check(this.#files);
  }

  /** PEM texts. */
  get files(): Files {
    return this.#files;
  }

  /** When the member's own certificate ends, milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** Looks at the files again; true when other ones are in use now. Throws FaultError LINK_CERTIFICATE_UNUSABLE when they
   *  changed and are no use; what was loaded stays. */
  reload(): boolean {
    const files = this.#read();
    if (JSON.stringify(files) === JSON.stringify(this.#files)) return false;
    this.#expiresAtMs = this.#check(files);
    this.#files = files;
    return true;
  }

  #read(): Files {
    const read = (name: string) => {
      try {
        return readFileSync(join(this.#directory, name), "utf8");
      } catch (error) {
        throw this.#fault(name, `cannot be read (${(error as NodeJS.ErrnoException).code}); ${REMEDY}`);
      }
    };
    const { cert, key, ca } = CERTIFICATE_FILES;
    return { cert: read(cert), key: read(key), ca: read(ca) };
  }

  /** When the certificate ends; throws when the files are no use. */
  #check(files: Files): number {
    let own: X509Certificate;
    try {
      own = new X509Certificate(files.cert);
      createSecureContext(files);
    } catch (error) {
      const problem = `certificate, key and authority do not fit together (${(error as Error).message})`;
      throw this.#fault(CERTIFICATE_FILES.cert, `${problem}; ${REMEDY}`);
    }
    if (!speaksFor(own, this.#identity)) {
      const names = own.subjectAltName ?? "nobody";
      const problem = `speaks for ${names}, not for this member, URI:${this.#identity}`;
      throw this.#fault(CERTIFICATE_FILES.cert, `${problem}; ${REMEDY}`);
    }
    return own.validToDate.getTime();
  }

  #fault(name: string, problem: string): FaultError {
    return new FaultError("LINK_CERTIFICATE_UNUSABLE", `${join(this.#directory, name)}: ${problem}`);
  }
}

/** Whether a certificate names `identity` among its URIs. */
export function speaksFor(certificate: X509Certificate, identity: string): boolean {
  return (certificate.subjectAltName ?? "").split(", ").includes(`URI:${identity}`);
}
