// A complete, healthy Observed, and short ways to change what one test is about.

import { type CompiledRelationship, DEFAULT_SCOPE_POLICY } from "../../src/api/compiled.ts";
import { parseIpv4Prefix } from "../../src/base/ipv4.ts";
import { formatTime } from "../../src/base/time.ts";
import { seconds, unixSeconds } from "../../src/base/units.ts";
import { decide } from "../../src/controller/decide/decide.ts";
import { renderMember, renderPair } from "../../src/controller/desired/desired.ts";
import { ANNOTATION_TEMPLATE_HASH, type Owner } from "../../src/controller/desired/names.ts";
import type { RenderOptions } from "../../src/controller/desired/render-options.ts";
import type { Effect } from "../../src/controller/effect.ts";
import {
  childKey,
  type LinkView,
  type MemberCertificateView,
  type MemberReportView,
  type Observed,
  type ObservedChild,
  type ObservedMember,
  type ObservedNode,
  type ObservedOperation,
  type ObservedRelationship,
} from "../../src/controller/observed.ts";
import { compiledMember, compiledRelationship } from "../dhcp/compiled-relationship.ts";

export const NOW = unixSeconds(Date.parse("2026-03-01T03:00:00Z") / 1000);
export const REVISION = "a".repeat(64);
export const SHAPE = "b".repeat(64);
export const OWNER_UID = "uid-of-campus";

export const OPTIONS: RenderOptions = {
  image: "example.org/leasepair:1",
  engineArgs: [],
  dataRoot: "/var/lib/leasepair",
};

const MEMBERS: CompiledRelationship["members"] = [
  { ...compiledMember("a", "192.0.2.1"), nodeName: "node-1" },
  { ...compiledMember("b", "192.0.2.2"), nodeName: "node-2" },
];

export function config(changes: Partial<CompiledRelationship> = {}): CompiledRelationship {
  return compiledRelationship({
    namespace: "dhcp",
    uid: OWNER_UID,
    members: MEMBERS,
    scopes: [
      {
        name: "office",
        subnet: parseIpv4Prefix("10.0.0.0/24")!,
        sharedNetwork: null,
        enabled: true,
        pools: [],
        lease: {
          defaultSeconds: seconds(3600),
          minSeconds: seconds(300),
          maxSeconds: seconds(86400),
          renewSeconds: null,
          rebindSeconds: null,
        },
        relayAddresses: [],
        options: [],
        boot: { nextServer: null, serverName: null, fileName: null },
        reservations: [],
        policy: DEFAULT_SCOPE_POLICY,
        allowedClasses: [],
        classPools: [],
      },
    ],
    revision: REVISION,
    shape: SHAPE,
    ...changes,
  });
}

export function report(changes: Partial<MemberReportView> = {}): MemberReportView {
  return {
    state: "Normal",
    since: unixSeconds(NOW - 3600),
    partnerState: "Normal",
    serving: "All",
    heldUntil: null,
    waitLeadSeconds: null,
    store: "store",
    complete: true,
    entered: 0,
    entry: null,
    returned: 0,
    seen: 0,
    fencing: "None",
    linkSecurity: "TLS",
    linkRefusal: null,
    clockProblem: null,
    carrierProblem: null,
    activeRevision: REVISION,
    pendingRevision: "",
    freeAddresses: 112,
    scopes: {},
    ...changes,
  };
}

export function member(
  name: "a" | "b",
  changes: Partial<ObservedMember> & { says?: Partial<MemberReportView> } = {},
): ObservedMember {
  const { says = {}, ...rest } = changes;
  return {
    name,
    nodeName: name === "a" ? "node-1" : "node-2",
    address: name === "a" ? "192.0.2.1" : "192.0.2.2",
    isExternal: false,
    report: report({ store: `store-${name}`, ...says }),
    reportVersion: `report-${name}`,
    heardAt: unixSeconds(NOW - 5),
    watchedSince: unixSeconds(NOW - 3600),
    pod: {
      name: `campus-${name}-0`,
      uid: `pod-${name}`,
      resourceVersion: `pod-version-${name}`,
      deleting: false,
      nodeName: name === "a" ? "node-1" : "node-2",
      running: true,
      ready: true,
      readySince: unixSeconds(NOW - 3600),
      templateHash: hashes(config())[name] ?? "",
      failure: null,
      isAccountReplaced: false,
      linkKind: "campus",
      storePlace: `${OPTIONS.dataRoot}/${OWNER_UID}/${name} on ${name === "a" ? "node-1" : "node-2"}`,
    },
    podRefusal: null,
    claim: null,
    lastNode: name === "a" ? "node-1" : "node-2",
    node: node(name === "a" ? "node-1" : "node-2"),
    apartSince: says.state === "CommunicationsInterrupted" ? unixSeconds(NOW - 10) : null,
    ...rest,
  };
}

export function relationship(changes: Partial<ObservedRelationship> = {}): ObservedRelationship {
  return {
    apiVersion: "leasepair.io/v1alpha1",
    namespace: "dhcp",
    name: "campus",
    uid: OWNER_UID,
    resourceVersion: "100",
    generation: 3,
    createdAt: unixSeconds(NOW - 86_400),
    deleting: false,
    finalizers: [],
    paused: false,
    mode: "LoadBalance",
    primary: "a",
    adoptFrom: null,
    claim: null,
    retainsStores: true,
    linkSecretBase: null,
    unreadableAuthority: null,
    status: { witness: witness() },
    ...changes,
  };
}

/** Both members have a certificate of the authority "CA", issued yesterday. */
export function linkView(changes: Partial<LinkView> = {}): LinkView {
  const issuedAt = unixSeconds(NOW - 86_400);
  const leaf = (name: string): MemberCertificateView => ({
    fingerprint: `leaf-${name}`,
    issuedAt,
    notAfter: unixSeconds(issuedAt + 90 * 86_400),
    identities: [`leasepair://dhcp/campus/${name}`],
    signedBy: "CA",
    trusts: ["CA"],
  });
  return {
    source: "own",
    authority: {
      current: { fingerprint: "CA", issuedAt, notAfter: unixSeconds(issuedAt + 1825 * 86_400) },
      next: null,
      previous: null,
    },
    members: new Map([
      ["a", leaf("a")],
      ["b", leaf("b")],
    ]),
    secretNames: new Map([
      ["a", "campus-a-link"],
      ["b", "campus-b-link"],
    ]),
    extra: [],
    ...changes,
  };
}

export function node(name: string, changes: Partial<ObservedNode> = {}): ObservedNode {
  return {
    name,
    ready: "True",
    readySince: unixSeconds(NOW - 86_400),
    isControlPlane: false,
    isCordoned: false,
    leaseRenewedAt: null,
    isOutOfService: false,
    ...changes,
  };
}

export function witness(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { epoch: 0, stores: { a: "store-a", b: "store-b" }, ...changes };
}

export function operation(changes: Partial<ObservedOperation> = {}): ObservedOperation {
  return {
    digest: "d".repeat(64),
    name: "b-is-off",
    uid: "uid-of-operation",
    resourceVersion: "200",
    generation: 1,
    createdAt: unixSeconds(NOW - 10),
    type: "DeclarePartnerDown",
    survivor: "a",
    isPartnerDestroyed: false,
    switchover: null,
    silence: null,
    forSeconds: 600,
    deadlineSeconds: 600,
    ttlSeconds: 604_800,
    reason: "b burnt down",
    notAfter: unixSeconds(NOW + 600),
    expectedEpoch: 0,
    status: {},
    ...changes,
  };
}

export const STARTED = { startTime: formatTime(unixSeconds(NOW - 1)), epoch: 1 };

/** The relationship, as what is rendered is owned by it. */
const owner = {
  ...relationship(),
  kind: "FailoverRelationship",
  stopped: null,
  storeUid: OWNER_UID,
  retainsStores: true,
};

/** Everything rendered, as it would stand in the cluster; `changes` are the owner's. */
export function children(
  of: CompiledRelationship = config(),
  changes: Partial<Owner> = {},
): Map<string, ObservedChild> {
  const by = { ...owner, ...changes };
  const desired = [
    ...renderPair(of, by),
    ...of.members.flatMap((each) => renderMember(of, each, by, OPTIONS)),
  ];
  return new Map(
    desired.map(({ kind, name, body }) => [
      childKey(kind, name),
      {
        resourceVersion: `v-${kind}-${name}`,
        ownerUid: body.metadata.ownerReferences?.[0]?.uid ?? null,
        deleting: false,
        alteredRendering: null,
        object: body,
      },
    ]),
  );
}

/** Template digests by member. */
export function hashes(of: CompiledRelationship): Record<string, string> {
  return Object.fromEntries(
    of.members.map((each) => {
      const set = renderMember(of, each, owner, OPTIONS).find(({ kind }) => kind === "StatefulSet");
      return [each.name, set?.body.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH] ?? ""];
    }),
  );
}

export function observed(changes: Partial<Observed> = {}): Observed {
  return {
    now: NOW,
    relationship: relationship(),
    compiled: { kind: "compiled", config: config(), rejected: [] },
    members: [member("a"), member("b")],
    fencing: { fencing: "None", automatic: "Disabled", sharedWith: null, isSwitchHeld: false },
    stores: {
      relationshipUid: OWNER_UID,
      storeUid: OWNER_UID,
      stores: { a: "store-a", b: "store-b" },
      areRetained: true,
      copy: "current",
    },
    storeUsers: [],
    link: { kind: "read", view: linkView() },
    servedBy: null,
    stopped: null,
    afterSeconds: 300,
    automaticGrants: [],
    nodes: new Map([node("node-1"), node("node-2")].map((each) => [each.name, each])),
    operations: [],
    scopes: [],
    reservationSets: [],
    children: children(),
    contest: "none",
    lastFailure: null,
    undefinedKinds: [],
    claimsRefusal: null,
    rollingElsewhere: null,
    notYetLookedAt: null,
    ...changes,
  };
}

/** The pair after one of them was lost: a is in COMMUNICATIONS-INTERRUPTED, b's pod is gone. */
export function separated(changes: Partial<Observed> = {}): Observed {
  const a = member("a", { says: { state: "CommunicationsInterrupted", serving: "OwnAddresses" } });
  return observed({ members: [a, member("b", { pod: null })], ...changes });
}

/** The status that a look at `seen` wants written, in full: what stands there with the patch merged in. */
export function statusAfter(seen: Observed): Record<string, unknown> {
  return merged(seen.relationship.status, statusPatch(decide(seen, OPTIONS).effects) ?? {});
}

export function statusPatch(effects: readonly Effect[]): Record<string, unknown> | null {
  const write = effects.find(
    (effect) => effect.kind === "write-status" && effect.target.kind === "FailoverRelationship",
  );
  return write?.kind === "write-status" ? write.patch : null;
}

export interface ShownCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

export function conditionOf(status: Record<string, unknown>, type: string): ShownCondition | undefined {
  return (status["conditions"] as ShownCondition[]).find((condition) => condition.type === type);
}

/** RFC 7396. */
function merged(target: unknown, patch: unknown): Record<string, unknown> {
  const result: Record<string, unknown> = { ...(target as Record<string, unknown>) };
  for (const [name, value] of Object.entries(patch as Record<string, unknown>)) {
    if (value === null) delete result[name];
    else if (typeof value === "object" && !Array.isArray(value)) {
      const old = result[name];
      result[name] = merged(typeof old === "object" && old !== null && !Array.isArray(old) ? old : {}, value);
    } else result[name] = value;
  }
  return result;
}

/** `seen` as it is once its wished status stands. */
export function settled(seen: Observed): Observed {
  return { ...seen, relationship: { ...seen.relationship, status: statusAfter(seen) } };
}

export function kindsOf(effects: readonly Effect[]): string[] {
  return effects.map((effect) => {
    if (effect.kind === "apply") return `apply ${effect.object.kind} ${effect.object.name}`;
    if (effect.kind === "link") return `link ${effect.step.kind}`;
    if (effect.kind === "write-status") return `status ${effect.target.kind} ${effect.target.name}`;
    if (effect.kind === "remove-store") return `create Pod ${effect.pod.metadata.name}`;
    return effect.kind === "event" ? `event ${effect.event.reason}` : `${effect.kind} ${effect.name}`;
  });
}

/** What compile() says of an object that is wrong. */
export const rejection = (reason: string, kind = "FailoverRelationship", name = "campus") => ({
  kind,
  namespace: "dhcp",
  name,
  reason,
  field: "spec.members",
  message: "wrong. Do it right.",
});
