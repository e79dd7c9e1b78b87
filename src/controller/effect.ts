// Everything a decision can ask for. Each effect carries the versions it was decided on, so that one that comes late
// (a second leader, a stale cache, a repeated call) fails and changes nothing (reliability rule K4). What it rests on beside the
// object itself stands in `verify`: that is read again, past all caches, and must be unchanged.

import type { KubeObject } from "../kube/resource.ts";
import type { LinkStep } from "./decide/link.ts";
import type { DesiredObject } from "./desired/desired.ts";
import type { LinkView, StoreRecord } from "./observed.ts";

/** One of our own objects whose status is written. */
export interface StatusTarget {
  readonly kind: "FailoverRelationship" | "FailoverOperation" | "DHCPScope" | "DHCPReservationSet";
  readonly namespace: string;
  readonly name: string;
}

/** An object that a decision rests on, as it was when the decision was made. */
export interface BasisVersion {
  readonly of: "FailoverMember" | "Pod";
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
}

/** What goes with a member of our own, in this order: the pod first, and last what tells that there is more to do. */
export const PRUNED_KINDS = [
  "StatefulSet",
  "RoleBinding",
  "Role",
  "ServiceAccount",
  "Secret",
  "FailoverMember",
] as const;
export type PrunedKind = (typeof PRUNED_KINDS)[number];

export type Effect =
  /** Server-side apply. `resourceVersion` null: it does not exist yet. */
  | {
      readonly kind: "apply";
      readonly object: DesiredObject;
      readonly resourceVersion: string | null;
      readonly verify: readonly BasisVersion[];
    }
  /** A StatefulSet of no replica gets its one back; nothing else of it changes. */
  | {
      readonly kind: "start-again";
      readonly namespace: string;
      readonly name: string;
      readonly resourceVersion: string;
    }
  | {
      readonly kind: "delete-pod";
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      readonly resourceVersion: string;
      readonly verify: readonly BasisVersion[];
    }
  /** A pod that removes a store is made, once more looked at that its relationship, of UID `ownerUid`, and its engine's pod have gone. In
   *  a namespace that is going nothing can be made: then `release`. */
  | {
      readonly kind: "remove-store";
      readonly pod: KubeObject;
      readonly enginePod: string;
      readonly ownerUid: string;
      readonly release: Extract<Effect, { kind: "release-member" }>;
    }
  /** A FailoverMember waits no more for its store. `kept`: why that stays, null when it was removed. */
  | {
      readonly kind: "release-member";
      readonly namespace: string;
      readonly name: string;
      readonly apiVersion: string | undefined;
      readonly uid: string;
      readonly resourceVersion: string;
      readonly finalizers: readonly string[];
      readonly kept: string | null;
    }
  /** An object of a member that runs elsewhere now. `owner`: UID of the relationship that must own it. `found` null: it is not
   *  watched, and looked for. */
  | {
      readonly kind: "prune";
      readonly of: PrunedKind;
      readonly namespace: string;
      readonly name: string;
      readonly owner: string;
      readonly found: { readonly uid: string; readonly resourceVersion: string } | null;
    }
  /** A finished FailoverOperation whose time is over. */
  | {
      readonly kind: "delete-operation";
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      readonly resourceVersion: string;
    }
  /** Merge patch of status, conditional on the object's version. */
  | {
      readonly kind: "write-status";
      readonly target: StatusTarget;
      readonly resourceVersion: string;
      readonly patch: Readonly<Record<string, unknown>>;
      readonly verify: readonly BasisVersion[];
    }
  /** A step with the link's certificates. `basis` is read again, and must be unchanged. */
  | {
      readonly kind: "link";
      readonly namespace: string;
      readonly name: string;
      readonly step: LinkStep;
      readonly basis: LinkView;
    }
  /** Where the stores lie, for the relationship that follows one day. `basis` is read again, and must be unchanged. */
  | {
      readonly kind: "store-record";
      readonly namespace: string;
      readonly name: string;
      readonly record: StoreRecord;
      readonly basis: StoreRecord;
    }
  /** The copy of that record is made to say what the record says. */
  | { readonly kind: "store-copy"; readonly namespace: string; readonly name: string }
  | { readonly kind: "event"; readonly event: EventWish };

export interface EventWish {
  readonly regarding: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}
