// The Secrets of the failover link: reads what is public in them, and makes what decide/link.ts found due. Keys are made and
// stay here; nothing of them goes into a decision, a log, an event or a status. Secrets are read by name and never listed
// or watched, so that the controller needs no right to see all of them.

import type { X509Certificate } from "node:crypto";
import { linkIdentity } from "../base/link-identity.ts";
import { unixSeconds } from "../base/units.ts";
import type { KubeClient } from "../kube/client.ts";
import { KubeError } from "../kube/kube-error.ts";
import {
  BACKDATED_MS,
  type CertificateAndKey,
  issueLinkCertificate,
  makeLinkAuthority,
} from "../kube/link-certificates.ts";
import { type KubeObject, SECRET } from "../kube/resource.ts";
import { describe } from "../kube/timing.ts";
import { putObject, secretData, secretTexts } from "./apply-whole.ts";
import { AUTHORITY_DAYS, LEAF_DAYS, type LinkStep } from "./decide/link.ts";
import { labels, linkAuthorityName, linkSecretName, ownerReference } from "./desired/names.ts";
import type { Effect } from "./effect.ts";
import { type LinkPlace, linkPlaceOf, readCertificates } from "./link-place.ts";
import type {
  AuthorityView,
  CertificateView,
  LinkView,
  MemberCertificateView,
  ObservedLink,
} from "./observed.ts";
import { outdated } from "./outdated.ts";
import { TYPES } from "./resource-types.ts";

type Reader = Pick<KubeClient, "find">;
type Writer = Reader & Pick<KubeClient, "create" | "replace">;

/** Everything about the link's certificates that is public. Never throws: what cannot be read says why. */
export async function readLink(client: Reader, relationship: KubeObject): Promise<ObservedLink> {
  const place = linkPlaceOf(relationship);
  if (place.isClear) return { kind: "clear" };
  try {
    return { kind: "read", view: (await fetchSecrets(client, place)).view };
  } catch (error) {
    const message = `The Secrets of the link cannot be read: ${describe(error)}.`;
    return { kind: "unread", message };
  }
}

interface Secrets {
  readonly view: LinkView;
  readonly authority: KubeObject | null;
  readonly members: ReadonlyMap<string, KubeObject | null>;
}

async function fetchSecrets(client: Reader, place: LinkPlace): Promise<Secrets> {
  const { namespace, name, members, secretBase, trustedAuthorities } = place;
  const find = async (secret: string, isOurs: boolean) => {
    const found = await client.find(SECRET, namespace, secret);
    if (found !== null && isOurs) assertOwned(found, place);
    return found;
  };
  const authority = secretBase === null ? await find(linkAuthorityName(name), true) : null;
  const secretNames = new Map(members.map((member) => [member, linkSecretName(name, member, secretBase)]));
  const found = await Promise.all(
    [...secretNames].map(
      async ([member, secret]) => [member, await find(secret, secretBase === null)] as const,
    ),
  );
  const authorities =
    authority === null ? [] : certificatesIn(authority, "ca.crt", "next.crt", "previous.crt");
  const view: LinkView = {
    source: secretBase === null ? "own" : "brought",
    authority: authority === null ? null : authorityView(authority),
    members: new Map(found.map(([member, secret]) => [member, memberView(secret, authorities)])),
    secretNames,
    extra: trustedAuthorities.flatMap(readCertificates).map(({ fingerprint256 }) => fingerprint256),
  };
  return { view, authority, members: new Map(found) };
}

/** Somebody else's Secret is neither used nor written. */
function assertOwned({ metadata }: KubeObject, { uid }: LinkPlace): void {
  if (metadata.ownerReferences?.some((owner) => owner.controller === true && owner.uid === uid)) return;
  const message = `Secret ${metadata.name} exists and does not belong to this relationship: delete it, or name the relationship differently`;
  throw new KubeError({ status: 0, reason: "ObjectConflict", message });
}

/** Performs one step. Rejects with a Conflict when the Secrets are not as they were when it was decided. */
export async function performLinkStep(
  effect: Extract<Effect, { kind: "link" }>,
  context: { readonly client: Writer; readonly now: () => Date; readonly signal?: AbortSignal },
): Promise<void> {
  const { namespace, name, step, basis } = effect;
  const relationship = await context.client.find(TYPES.FailoverRelationship, namespace, name);
  if (relationship === null) throw outdated("the relationship is gone");
  const place = linkPlaceOf(relationship);
  const secrets = await fetchSecrets(context.client, place);
  if (basisOf(step, secrets.view) !== basisOf(step, basis)) throw outdated("the link's Secrets have changed");
  const { authority } = secrets;
  const validity = { now: context.now(), days: AUTHORITY_DAYS };
  const put = (data: Readonly<Record<string, string>>) =>
    write(context.client, place, authority, {
      name: linkAuthorityName(place.name),
      member: null,
      type: "Opaque",
      data,
    });
  const held = secretTexts(authority);
  switch (step.kind) {
    case "create-authority": {
      const made = await makeLinkAuthority(`${namespace}/${name}`, validity);
      return put({ "ca.crt": made.certificate, "ca.key": made.key });
    }
    case "prepare-authority": {
      const made = await makeLinkAuthority(`${namespace}/${name}`, validity);
      return put({ ...held, "next.crt": made.certificate, "next.key": made.key });
    }
    case "promote-authority":
      return put({
        "ca.crt": held["next.crt"] ?? "",
        "ca.key": held["next.key"] ?? "",
        "previous.crt": held["ca.crt"] ?? "",
      });
    case "retire-authority":
      return put({ "ca.crt": held["ca.crt"] ?? "", "ca.key": held["ca.key"] ?? "" });
    case "issue":
      return issue(context, place, secrets, step.member);
    default:
      return step satisfies never;
  }
}

async function issue(
  { client, now }: { readonly client: Writer; readonly now: () => Date },
  place: LinkPlace,
  { authority, members }: Secrets,
  member: string,
): Promise<void> {
  const held = secretTexts(authority);
  const signer: CertificateAndKey = { certificate: held["ca.crt"] ?? "", key: held["ca.key"] ?? "" };
  const identity = linkIdentity(`${place.namespace}/${place.name}`, member);
  const made = await issueLinkCertificate(signer, identity, { now: now(), days: LEAF_DAYS });
  // Only what can be read back: what cannot would look as if it were still to be written, look after look.
  const extra = place.trustedAuthorities.flatMap(readCertificates).map(String);
  const trusted = [held["ca.crt"], held["next.crt"], held["previous.crt"], ...extra];
  const data = {
    "tls.crt": made.certificate,
    "tls.key": made.key,
    "ca.crt": trusted
      .flatMap((pem) => (pem === undefined ? [] : [pem.trim()]))
      .join("\n")
      .concat("\n"),
  };
  const name = linkSecretName(place.name, member, null);
  await write(client, place, members.get(member) ?? null, { name, member, type: "kubernetes.io/tls", data });
}

interface SecretWish {
  readonly name: string;
  readonly member: string | null;
  readonly type: string;
  /** As text. */
  readonly data: Readonly<Record<string, string>>;
}

/** Creates, or replaces exactly the version that was read. */
async function write(
  client: Writer,
  place: LinkPlace,
  found: KubeObject | null,
  { name, member, type, data }: SecretWish,
): Promise<void> {
  const secret: KubeObject = {
    metadata: {
      name,
      namespace: place.namespace,
      labels: { ...labels(place.name, member), "app.kubernetes.io/component": "link" },
      ownerReferences: [ownerReference({ ...place, kind: "FailoverRelationship" })],
    },
    type,
    data: secretData(data),
  };
  await putObject(client, SECRET, secret, found);
}

function authorityView(secret: KubeObject): AuthorityView | null {
  const [current] = certificatesIn(secret, "ca.crt");
  const [next] = certificatesIn(secret, "next.crt");
  const [previous] = certificatesIn(secret, "previous.crt");
  const { "ca.key": key } = secretTexts(secret);
  if (current === undefined || key === undefined) return null;
  return {
    current: certificateView(current),
    next: next === undefined ? null : certificateView(next),
    previous: previous === undefined ? null : certificateView(previous),
  };
}

function memberView(
  secret: KubeObject | null,
  authorities: readonly X509Certificate[],
): MemberCertificateView | null {
  const [certificate] = secret === null ? [] : certificatesIn(secret, "tls.crt");
  if (secret === null || certificate === undefined || secretTexts(secret)["tls.key"] === undefined)
    return null;
  const trusted = certificatesIn(secret, "ca.crt");
  const signer = [...authorities, ...trusted].find((authority) => certificate.verify(authority.publicKey));
  return {
    ...certificateView(certificate),
    identities: [...(certificate.subjectAltName ?? "").matchAll(/URI:([^,\s]+)/g)].map(([, uri = ""]) => uri),
    signedBy: signer?.fingerprint256 ?? null,
    trusts: trusted.map(({ fingerprint256 }) => fingerprint256),
  };
}

function certificateView({ fingerprint256, validFrom, validTo }: X509Certificate): CertificateView {
  const seconds = (text: string, plusMs = 0) => unixSeconds(Math.floor((Date.parse(text) + plusMs) / 1000));
  return {
    fingerprint: fingerprint256,
    issuedAt: seconds(validFrom, BACKDATED_MS),
    notAfter: seconds(validTo),
  };
}

function certificatesIn(secret: KubeObject, ...keys: readonly string[]): readonly X509Certificate[] {
  const data = secretTexts(secret);
  return keys.flatMap((key) => readCertificates(data[key] ?? ""));
}

/** What a step was decided on, as a text. A certificate has nothing to do with the other member's, made a moment before. */
function basisOf(step: LinkStep, { members, secretNames, ...rest }: LinkView): string {
  const concerned = [...members].filter(([member]) => step.kind !== "issue" || member === step.member);
  return JSON.stringify({ ...rest, members: concerned, secretNames: [...secretNames] });
}
