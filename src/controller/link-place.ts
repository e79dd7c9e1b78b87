// Where a relationship's link certificates are and who needs one, read from the object as the API has it.

import { X509Certificate } from "node:crypto";
import type { KubeObject } from "../kube/resource.ts";
import { map, maps, text } from "./json.ts";

export interface LinkPlace {
  readonly apiVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The members that run in this cluster. */
  readonly members: readonly string[];
  /** spec.link.tls.secretRef: the first part of the names of Secrets that others fill; null: the controller's own. */
  readonly secretBase: string | null;
  /** spec.link.tls.trustedAuthorities, PEM. */
  readonly trustedAuthorities: readonly string[];
  /** The partner is a dhcpd, which speaks in clear only. */
  readonly isClear: boolean;
}

export function linkPlaceOf(relationship: KubeObject): LinkPlace {
  const { namespace = "", name = "", uid = "" } = relationship.metadata;
  const spec = map(relationship["spec"]);
  const tls = map(map(spec["link"])["tls"]);
  const { trustedAuthorities } = tls;
  const secret = text(map(tls["secretRef"])["name"]);
  const members = maps(spec["members"]);
  return {
    apiVersion: relationship.apiVersion ?? "leasepair.io/v1alpha1",
    namespace,
    name,
    uid,
    members: members.filter(({ external }) => external === undefined).map((member) => text(member["name"])),
    secretBase: secret === "" ? null : secret,
    trustedAuthorities: Array.isArray(trustedAuthorities) ? trustedAuthorities.map(text) : [],
    isClear: members.some(({ external }) => map(external)["dialect"] === "ISC"),
  };
}

/** The first of trustedAuthorities in which there is no certificate, counted from 0; null when there is one in each. Its schema
 *  sees only that each looks like PEM. */
export function unreadableAuthority({ trustedAuthorities }: LinkPlace): number | null {
  const index = trustedAuthorities.findIndex((pem) => readCertificates(pem).length === 0);
  return index < 0 ? null : index;
}

/** The certificates of a PEM text; none when one of them cannot be read. */
export function readCertificates(pem: string): readonly X509Certificate[] {
  try {
    return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(
      ([one]) => new X509Certificate(one),
    );
  } catch {
    return [];
  }
}
