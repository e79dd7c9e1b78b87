// What one reconcile knows: plain data, gathered once from the caches by observe.ts. Decisions read nothing else, so
// that the same Observed always gives the same Decision. Absent things are null, never a made-up default.

import type { CompiledRelationship } from "../api/compiled.ts";
import type { Automatic, Fencing } from "../api/partner-down.ts";
import type { LinkRefusal } from "../base/link-refusal.ts";
import type { UnixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import type { ClaimSpec } from "./desired/names.ts";
import type { Unkept } from "./unkept.ts";

type Json = Record<string, unknown>;

export interface Observed {
  readonly now: UnixSeconds;
  readonly relationship: ObservedRelationship;
  readonly compiled: ObservedConfig;
  /** In the order of spec.members; two, or fewer when the spec is not valid. */
  readonly members: readonly ObservedMember[];
  readonly link: ObservedLink;
  /** What was kept in mind of the stores of this name; null while it could not be read. */
  readonly stores: ObservedStores | null;
  /** The other relationships of all watched namespaces, which keep their stores on the same nodes. */
  readonly storeUsers: readonly StoreUser[];
  /** How PARTNER-DOWN is decided, as it is to stand in status.effective; `compiled` was made with it. */
  readonly fencing: FencingChoice;
  /** The nodes of this cluster by name. */
  readonly nodes: ReadonlyMap<string, ObservedNode>;
  /** spec.partnerDown.afterSeconds. */
  readonly afterSeconds: number;
  /** When this process lately granted PARTNER-DOWN without a human's word, over all relationships; oldest first. */
  readonly automaticGrants: readonly UnixSeconds[];
  /** The member that an operation lets serve all clients; `compiled` was made with it. Null: as the spec says. */
  readonly servedBy: string | null;
  /** The member that an operation has stopped. */
  readonly stopped: StoppedMember | null;
  /** FailoverOperations that name this relationship. */
  readonly operations: readonly ObservedOperation[];
  readonly scopes: readonly ObservedScope[];
  readonly reservationSets: readonly ObservedReservationSet[];
  /** Existing objects that desired.ts may render, by childKey(). */
  readonly children: ReadonlyMap<string, ObservedChild>;
  /** Whether another controller writes the same objects in another way: this look was the first to find so, or an earlier one. */
  readonly contest: "none" | "begins" | "goes-on";
  /** What kept the last reconcile from finishing, null when it finished. */
  readonly lastFailure: string | null;
  /** Kinds of ours whose definition is gone from the cluster. */
  readonly undefinedKinds: readonly string[];
  /** Why nothing is known of claims, in the API's words; null when they are known. */
  readonly claimsRefusal: string | null;
  /** Another relationship (namespace/name) that is restarting a member right now, or null. */
  readonly rollingElsewhere: string | null;
  /** Another relationship that this process has not looked at yet, so that one may be; null: none, or it was waited for long enough. */
  readonly notYetLookedAt: string | null;
}

export interface ObservedRelationship {
  readonly apiVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdAt: UnixSeconds;
  readonly deleting: boolean;
  /** What holds it while it is being deleted. */
  readonly finalizers: readonly string[];
  readonly paused: boolean;
  readonly mode: string;
  readonly primary: string;
  /** spec.storage.retain. */
  readonly retainsStores: boolean;
  /** spec.storage.persistentVolumeClaim; null: the stores lie on the nodes. */
  readonly claim: ClaimSpec | null;
  /** spec.storage.adoptFrom. */
  readonly adoptFrom: string | null;
  /** spec.link.tls.secretRef: the first part of the names of Secrets that others fill; null: the controller makes its own. */
  readonly linkSecretBase: string | null;
  /** Which of spec.link.tls.trustedAuthorities is no certificate, counted from 0; null: none of them. */
  readonly unreadableAuthority: number | null;
  /** The status as it stands, {} when none was ever written. */
  readonly status: Json;
  /** What was written into it and did not come back. */
  readonly unkept?: Unkept;
}

/** compile()'s verdict. On "rejected" nothing is rendered anew: what runs is the last good configuration. */
export type ObservedConfig =
  | {
      readonly kind: "compiled";
      readonly config: CompiledRelationship;
      readonly rejected: readonly Rejected[];
    }
  | { readonly kind: "rejected"; readonly rejected: readonly Rejected[] };

/** One refusal: which object, which field, why, what to do. */
export interface Rejected {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

export interface ObservedMember {
  readonly name: string;
  /** Where the spec wants it. */
  readonly nodeName: string;
  /** Where it runs or, while it has no pod, was last seen to run; null: nowhere yet, as far as is known. */
  readonly lastNode: string | null;
  readonly address: string;
  /** It runs elsewhere and reports nothing to this API. */
  readonly isExternal: boolean;
  /** What the engine last wrote into its FailoverMember; null when there is no object or it says nothing yet. */
  readonly report: MemberReportView | null;
  /** Version of the FailoverMember the report was read from, "" when there is none. */
  readonly reportVersion: string;
  /** When this controller last saw the report change (first sight: the report's own word for it). */
  readonly heardAt: UnixSeconds;
  /** Since when this controller looks at the reports; 0 when there is no object. */
  readonly watchedSince: UnixSeconds;
  readonly pod: ObservedPod | null;
  /** Why its StatefulSet makes no pod, in Kubernetes' words; null when that is not known, or has not been looked at. */
  readonly podRefusal: string | null;
  /** `lastNode`, before it ran anywhere `nodeName`; null when the cluster has none of that name. What the spec names today may never have
   *  seen the member, and says nothing about whether it lives. */
  readonly node: ObservedNode | null;
  /** The claim that holds its store; null when there is none, or the store lies on the node. */
  readonly claim: ObservedClaim | null;
  /** Since when this process has seen it say, without falling silent, that it has lost its partner; null: it does not. */
  readonly apartSince: UnixSeconds | null;
}

/** FailoverMember.status, checked and with times parsed. */
export interface MemberReportView {
  /** CamelCase endpoint state, e.g. `CommunicationsInterrupted`. */
  readonly state: string;
  readonly since: UnixSeconds;
  readonly partnerState: string | null;
  readonly serving: "All" | "OwnAddresses" | "RenewOnly" | "None";
  /** After a store was lost: when new clients are served again; null when they are. */
  readonly heldUntil: UnixSeconds | null;
  /** The MCLT that it reckons its waits with; null when it does not say. */
  readonly waitLeadSeconds: number | null;
  readonly store: string;
  readonly complete: boolean;
  readonly entered: number;
  /** When it entered PARTNER-DOWN, null when it is not in it. */
  readonly entry: UnixSeconds | null;
  readonly returned: number;
  readonly seen: number;
  /** Witness: it caps every lease, durably. */
  readonly fencing: Fencing;
  /** How its end of the link is secured; null: the link is not open. */
  readonly linkSecurity: "TLS" | "Clear" | null;
  /** Why it refused its partner, or was refused, when they last met; null: they meet, or cannot be reached. */
  readonly linkRefusal: LinkRefusal | null;
  /** What it finds wrong with its node's clock; null: nothing, or it does not say. */
  readonly clockProblem: { readonly reason: string; readonly message: string } | null;
  /** What it says of an interface that clients reach it by and that has no carrier; null: all have, or it does not say. */
  readonly carrierProblem: string | null;
  readonly activeRevision: string;
  /** Refused or held revision, "" when none. */
  readonly pendingRevision: string;
  /** Free addresses this member may hand out at once. */
  readonly freeAddresses: number | null;
  /** Per scope name. */
  readonly scopes: Readonly<Record<string, ScopeCounts>>;
}

export interface ScopeCounts {
  readonly total: number;
  readonly used: number;
  /** Free addresses of the primary's and of the secondary's share. */
  readonly free: number;
  readonly backup: number;
}

export interface ObservedPod {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly deleting: boolean;
  /** Where it runs, "" before it was scheduled. */
  readonly nodeName: string;
  /** The engine's container is running. */
  readonly running: boolean;
  /** Why the engine is not running, in its own last words, the kubelet's or the scheduler's; null while it runs or nobody says. */
  readonly failure: string | null;
  readonly ready: boolean;
  /** When `ready` last changed, 0 when unknown. */
  readonly readySince: UnixSeconds;
  /** Digest of the template it was made from, "" when it carries none. */
  readonly templateHash: string;
  /** Its ServiceAccount was deleted and made anew since it began: the API refuses the token that it has, for as long as an hour, so that
   *  it neither reports nor hears of changes. */
  readonly isAccountReplaced: boolean;
  /** How its link is secured, "" when it does not say: two pods that differ in this cannot meet. */
  readonly linkKind: string;
  /** Where its store lies, by storePlace(). */
  readonly storePlace: string;
}

export interface ObservedClaim {
  readonly name: string;
  /** Kubernetes' words: Pending, Bound or Lost. */
  readonly phase: string;
  /** It goes as soon as no pod uses it. */
  readonly deleting: boolean;
  /** Why it is Pending, in Kubernetes' words; null when it is not, or nobody says. */
  readonly note: string | null;
  /** Its volume; null before it is bound. */
  readonly volumeName: string | null;
  /** Whether the member's node can use the volume; null when that is not known. */
  readonly isUsableOnNode: boolean | null;
}

export interface ObservedNode {
  readonly name: string;
  /** The node's condition Ready; "Unknown": its kubelet no longer speaks. */
  readonly ready: "True" | "False" | "Unknown";
  /** When `ready` last changed, 0 when unknown. */
  readonly readySince: UnixSeconds;
  /** An API server and its store run here. */
  readonly isControlPlane: boolean;
  /** spec.unschedulable: nothing new starts here. */
  readonly isCordoned: boolean;
  /** When this process last saw its kubelet renew the node's Lease; null when that was not looked at. */
  readonly leaseRenewedAt: UnixSeconds | null;
  /** Carries the taint node.kubernetes.io/out-of-service: a human's word that the machine is off. */
  readonly isOutOfService: boolean;
}

/** What is in force, and why it is not what one might expect. */
export interface FencingChoice {
  readonly fencing: Fencing;
  readonly automatic: Automatic;
  /** The only control plane sits on this member's node: with it goes the witness. Null: the API can outlive each member. */
  readonly sharedWith: string | null;
  /** Fencing was switched off in the spec, and waits until nobody holds a grant; or on, and waits for a member to say that it has
   *  heard that it was off. */
  readonly isSwitchHeld: boolean;
}

/** Where the stores of a relationship's name lie. It outlives the relationship, so that the next one goes on with them. */
export interface StoreRecord {
  /** UID of the relationship that wrote it; null: there was none of this name. */
  readonly relationshipUid: string | null;
  /** UID under which its stores lie on the nodes. */
  readonly storeUid: string | null;
  /** Ids of the stores that the witness listed last, by member: whoever follows must find one of them. */
  readonly stores: Readonly<Record<string, string>>;
  /** Whether they stay when that relationship is deleted; who follows does not go on with those that do not. */
  readonly areRetained: boolean;
}

/** The record, and what is known of its copy in the controller's namespace, which outlives the relationship's namespace. */
export interface ObservedStores extends StoreRecord {
  /** `only`: what the record says stands in the copy alone, because its namespace was deleted. `outdated`: it says something else, or nobody
   *  could read it. */
  readonly copy: "current" | "outdated" | "only";
}

/** Another relationship, and the UIDs under which its stores lie, or will. */
export interface StoreUser {
  /** namespace/name */
  readonly relationship: string;
  readonly storeUids: readonly string[];
}

/** The failover link's certificates, as last read from their Secrets; no key is ever in here. */
export type ObservedLink =
  /** The partner is a dhcpd: there is nothing to secure with. */
  | { readonly kind: "clear" }
  | { readonly kind: "unread"; readonly message: string }
  | { readonly kind: "read"; readonly view: LinkView };

export interface LinkView {
  /** own: the controller makes them. brought: spec.link.tls.secretRef names Secrets that others fill. */
  readonly source: "own" | "brought";
  /** The controller's authority; null when there is none yet, or others bring the certificates. */
  readonly authority: AuthorityView | null;
  /** By member, of those that run in this cluster; null: no such Secret, or nothing usable in it. */
  readonly members: ReadonlyMap<string, MemberCertificateView | null>;
  /** The Secret's name by member. */
  readonly secretNames: ReadonlyMap<string, string>;
  /** Fingerprints of spec.link.tls.trustedAuthorities. */
  readonly extra: readonly string[];
}

export interface AuthorityView {
  readonly current: CertificateView;
  /** Trusted already, does not sign yet. */
  readonly next: CertificateView | null;
  /** Trusted still, signs no more. */
  readonly previous: CertificateView | null;
}

export interface CertificateView {
  /** SHA-256, upper-case hex with colons. */
  readonly fingerprint: string;
  readonly issuedAt: UnixSeconds;
  readonly notAfter: UnixSeconds;
}

export interface MemberCertificateView extends CertificateView {
  /** URIs of its subjectAltName. */
  readonly identities: readonly string[];
  /** Fingerprint of the authority that signed it, among those beside it and the controller's own; null: none of them. */
  readonly signedBy: string | null;
  /** Fingerprints of what stands in its ca.crt. */
  readonly trusts: readonly string[];
}

export interface ObservedOperation {
  /** Of its spec. */
  readonly digest: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdAt: UnixSeconds;
  readonly type: string;
  /** DeclarePartnerDown: the member that goes on alone. */
  readonly survivor: string | null;
  /** DeclarePartnerDown: a human's word that the partner is off for good. */
  readonly isPartnerDestroyed: boolean;
  readonly switchover: { readonly to: string; readonly style: "Soft" | "Stop" } | null;
  /** TestFailover: the member that is stopped. */
  readonly silence: string | null;
  /** Switchover, TestFailover: how long it lasts. */
  readonly forSeconds: number;
  /** Each way. */
  readonly deadlineSeconds: number;
  readonly ttlSeconds: number;
  readonly reason: string;
  readonly notAfter: UnixSeconds | null;
  readonly expectedEpoch: number | null;
  readonly status: Json;
  readonly unkept?: Unkept;
}

export interface StoppedMember {
  readonly member: string;
  /** Name of the operation. */
  readonly operation: string;
  readonly until: UnixSeconds;
}

export interface ObservedScope {
  readonly name: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly status: Json;
  readonly unkept?: Unkept;
  /** What holds it though it was deleted; absent when it was not. */
  readonly heldBy?: readonly string[];
  /** When counts of it were last written, 0 when never. */
  readonly countsWrittenAt: UnixSeconds;
}

export interface ObservedReservationSet {
  readonly heldBy?: readonly string[];
  readonly entries: number;
  readonly name: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly status: Json;
  readonly unkept?: Unkept;
}

export interface ObservedChild {
  readonly resourceVersion: string;
  /** UID of the controlling owner, null when nobody controls it. */
  readonly ownerUid: string | null;
  readonly deleting: boolean;
  /** Digest of the rendering that the API server keeps in another way, because an admission policy changes it; null: none, or somebody
   *  has changed the object since. */
  readonly alteredRendering: string | null;
  readonly object: KubeObject;
}

/** How children are found: kinds are unique among what is rendered. */
export function childKey(kind: string, name: string): string {
  return `${kind}/${name}`;
}
