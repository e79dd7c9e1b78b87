// Under which UID a relationship's stores lie on the nodes. `kubectl delete` and `apply` of the same files make a new
// relationship with a new UID; with empty stores it would give addresses away that are leased. So where the stores lie is kept
// in mind beyond the relationship, and the next one of its name goes on with them. Settled once, at the first look.

import type { Effect } from "../effect.ts";
import type { Observed, Rejected, StoreRecord } from "../observed.ts";

/** The UID for paths and for the engine; null while it is not known. */
export function storeUidOf({
  relationship,
  stores,
}: Pick<Observed, "relationship" | "stores">): string | null {
  if (stores === null) return null;
  const { adoptFrom, uid } = relationship;
  if (stores.relationshipUid === uid && stores.storeUid !== null) return stores.storeUid;
  return adoptFrom ?? stores.storeUid ?? uid;
}

/** Keeps it in mind, before anything is made that uses it. */
export function storeEffects(observed: Observed): readonly Effect[] {
  const { relationship, stores } = observed;
  const storeUid = storeUidOf(observed);
  if (stores === null || storeUid === null || stores.relationshipUid === relationship.uid) return [];
  const { namespace, name, uid } = relationship;
  const record: StoreRecord = { relationshipUid: uid, storeUid };
  return [{ kind: "store-record", namespace, name, record, basis: stores }];
}

/** Without the record nothing is made: an empty store beside a forgotten full one gives addresses twice. */
export function storeProblem({ relationship, stores }: Observed): Rejected | null {
  if (stores !== null) return null;
  const { namespace, name } = relationship;
  const message =
    `The Secret ${name}-store, which says where the lease stores lie, cannot be read yet. Look at the controller's log and ` +
    "at its right to get, create and update Secrets.";
  return {
    kind: "FailoverRelationship",
    namespace,
    name,
    reason: "StoresUnknown",
    field: "metadata.name",
    message,
  };
}
