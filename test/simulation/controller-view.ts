// What the controller of a simulated run sees: the members' reports as they last came, pods that run or do not, and nothing wrong with
// anything else. The shape is that of src/controller/observed.ts, so that the controller's own decisions can be asked.

import type { CompiledRelationship } from "../../src/api/compiled.ts";
import { toApiState } from "../../src/api/failover-state.ts";
import { type UnixSeconds, unixSeconds } from "../../src/base/units.ts";
import type {
  MemberReportView,
  Observed,
  ObservedMember,
  ObservedOperation,
  ObservedPod,
} from "../../src/controller/observed.ts";
import type { MemberReport } from "../../src/dhcp/engine/event.ts";

/** One member as the controller knows it. */
export interface MemberView {
  readonly name: string;
  readonly report: MemberReport | null;
  readonly heardAt: UnixSeconds;
  /** "gone": an operation has stopped it. */
  readonly pod: "running" | "broken" | "gone";
}

export interface ControllerView {
  readonly now: UnixSeconds;
  readonly config: CompiledRelationship;
  readonly members: readonly MemberView[];
  readonly operation: ObservedOperation;
}

const NEVER = unixSeconds(0);

export function observedOf({ now, config, members, operation }: ControllerView): Observed {
  return {
    now,
    relationship: {
      apiVersion: "",
      namespace: config.namespace,
      name: config.name,
      uid: config.uid ?? "",
      resourceVersion: "",
      generation: 1,
      createdAt: NEVER,
      deleting: false,
      finalizers: [],
      paused: false,
      mode: config.mode,
      primary: config.primary,
      retainsStores: true,
      claim: null,
      adoptFrom: null,
      linkSecretBase: null,
      unreadableAuthority: null,
      status: {},
    },
    compiled: { kind: "compiled", config, rejected: [] },
    members: members.map(memberOf),
    link: { kind: "clear" },
    stores: null,
    storeUsers: [],
    fencing: { fencing: "Witness", automatic: "Enabled", sharedWith: null, isSwitchHeld: false },
    nodes: new Map(),
    afterSeconds: config.afterSeconds,
    automaticGrants: [],
    servedBy: null,
    stopped: null,
    operations: [operation],
    scopes: [],
    reservationSets: [],
    children: new Map(),
    contest: "none",
    lastFailure: null,
    rollingElsewhere: null,
    notYetLookedAt: null,
    undefinedKinds: [],
    claimsRefusal: null,
  };
}

export function memberOf({ name, report, heardAt, pod }: MemberView): ObservedMember {
  return {
    name,
    nodeName: name,
    lastNode: name,
    address: "",
    isExternal: false,
    report: report === null ? null : viewOf(report),
    reportVersion: "",
    heardAt,
    pod: pod === "gone" ? null : podOf(name, pod === "running"),
    podRefusal: null,
    node: {
      name,
      ready: "True",
      readySince: NEVER,
      isControlPlane: false,
      isCordoned: false,
      leaseRenewedAt: null,
      isOutOfService: false,
    },
    claim: null,
    apartSince: null,
    watchedSince: unixSeconds(0),
  };
}

function podOf(name: string, running: boolean): ObservedPod {
  return {
    name,
    uid: "",
    resourceVersion: "",
    deleting: false,
    nodeName: name,
    running,
    failure: null,
    ready: running,
    readySince: NEVER,
    templateHash: "",
    isAccountReplaced: false,
    linkKind: "",
    storePlace: "",
  };
}

function viewOf(report: MemberReport): MemberReportView {
  const { carrierLost, complete, entered, entry, fencing, returned, seen, serving, store } = report;
  return {
    ...{ complete, entered, entry, fencing, returned, seen, serving, store },
    state: toApiState(report.state) ?? "",
    since: report.stateSince,
    partnerState: report.partnerState === null ? null : toApiState(report.partnerState),
    waitLeadSeconds: report.waitLeadSeconds,
    heldUntil: report.heldUntil,
    linkSecurity: null,
    linkRefusal: null,
    clockProblem: null,
    carrierProblem: carrierLost.length > 0 ? "an interface has no carrier" : null,
    activeRevision: report.revision,
    pendingRevision: report.pendingRevision ?? "",
    freeAddresses: null,
    scopes: {},
  };
}
