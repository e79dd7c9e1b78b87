// Under which UID a relationship's stores lie on the nodes. `kubectl delete` and `apply` of the same files make a new
// relationship with a new UID; with empty stores it would give addresses away that are leased. So where the stores lie is kept
// in mind beyond the relationship, and the next one of its name goes on with them. Settled once, at the first look.

import { memberObjectName } from "../desired/names.ts";
import type { Effect } from "../effect.ts";
import { sameJson } from "../merge-patch.ts";
import { childKey, type Observed, type Rejected, type StoreRecord } from "../observed.ts";
import { missingClaims } from "./claims.ts";
import { UNKNOWN_STORE } from "./witness.ts";

/** The UID for paths and for the engine; null while it is not known. */
export function storeUidOf({
  relationship,
  stores,
}: Pick<Observed, "relationship" | "stores">): string | null {
  if (stores === null) return null;
  const { adoptFrom, uid } = relationship;
  if (stores.relationshipUid === uid && stores.storeUid !== null) return stores.storeUid;
  return adoptFrom ?? (stores.areRetained ? stores.storeUid : null) ?? uid;
}

/** Ids of the stores that a witness record begins with. A pair that goes on with stores has listed them once: when neither
 *  comes back, nobody knows what was leased, and both wait for a human (W10 in docs/protocol/witness.md). */
export function storesListedBefore(observed: Observed): Readonly<Record<string, string>> {
  const { members, relationship, stores } = observed;
  const storeUid = storeUidOf(observed);
  if (stores !== null && stores.storeUid === storeUid && Object.keys(stores.stores).length > 0) {
    return stores.stores;
  }
  const isAdopting = storeUid !== null && storeUid === relationship.adoptFrom;
  const own = members.filter(({ isExternal }) => isAdopting && !isExternal);
  return Object.fromEntries(own.map(({ name }) => [name, UNKNOWN_STORE]));
}

const NO_RECORD: StoreRecord = { relationshipUid: null, storeUid: null, stores: {}, areRetained: true };

/** Keeps both in mind: where they lie before anything is made that uses it, their ids whenever the witness lists others. A record that went with
 *  its namespace comes back whatever the problem is: its being deleted, and nothing else, says that a pair begins with nothing. */
export function storeEffects(
  observed: Observed,
  listed: Readonly<Record<string, string>>,
  problem: Rejected | null,
): readonly Effect[] {
  const { relationship, stores } = observed;
  if (stores === null) return [];
  const { namespace, name } = relationship;
  const { copy, ...kept } = stores;
  const basis = copy === "only" ? NO_RECORD : kept;
  const record = problem === null ? wantedRecord(observed, kept, listed) : kept;
  return sameJson(record, basis) ? [] : [{ kind: "store-record", namespace, name, record, basis }];
}

function wantedRecord(
  observed: Observed,
  kept: StoreRecord,
  listed: Readonly<Record<string, string>>,
): StoreRecord {
  const { retainsStores, uid } = observed.relationship;
  const storeUid = storeUidOf(observed);
  const known = Object.entries(listed).filter(([, store]) => store !== UNKNOWN_STORE);
  const stores = kept.storeUid === storeUid ? kept.stores : {};
  return {
    relationshipUid: uid,
    storeUid,
    stores: known.length === 0 ? stores : Object.fromEntries(known),
    areRetained: retainsStores,
  };
}

/** The copy follows the record, which `written` changes. */
export function copyEffects(
  { relationship, stores }: Observed,
  written: readonly Effect[],
): readonly Effect[] {
  if (stores === null || (written.length === 0 && stores.copy === "current")) return [];
  const { namespace, name } = relationship;
  return [{ kind: "store-copy", namespace, name }];
}

/** Before there are engines, which wait for the copy. A pair that runs must not wait when the controller may not write it. */
export function mayWaitForCopy({ children, members, relationship }: Observed): boolean {
  const { name, uid } = relationship;
  return !members.some(
    (member) => children.get(childKey("StatefulSet", memberObjectName(name, member.name)))?.ownerUid === uid,
  );
}

function notFoundText({ relationship }: Observed, claims: readonly string[], begin: string): string {
  const { adoptFrom, namespace } = relationship;
  const remedy =
    adoptFrom === null
      ? `bring one back, set storage.type to that of the pair that was deleted, or, ${begin}`
      : "bring one back, or correct or remove storage.adoptFrom";
  return (
    `The lease stores that this pair goes on with are in no claim of namespace ${namespace}: neither PersistentVolumeClaim ` +
    `${claims.join(" nor ")} exists. Delete this one and apply it anew after you ${remedy}`
  );
}

/** Without the record nothing is made: an empty store beside a forgotten full one gives addresses twice. And no store is used
 *  by two: the second would know nothing of what the first leases. */
export function storeProblem(observed: Observed): Rejected | null {
  const { relationship, stores } = observed;
  const { namespace, name, uid } = relationship;
  const problem = (reason: string, field: string, message: string): Rejected => ({
    kind: "FailoverRelationship",
    namespace,
    name,
    reason,
    field,
    message,
  });
  if (stores === null) {
    const message =
      `The Secret ${name}-store, which says where the lease stores lie, or its copy in the controller's namespace, cannot be read ` +
      "yet. Look at the controller's log and at its right to get, create and update Secrets, to get the namespace, and to get, create, " +
      "update and delete ConfigMaps where it runs: the Helm chart, or the install.yaml, of its release gives them.";
    return problem("StoresUnknown", "metadata.name", message);
  }
  if (stores.relationshipUid === uid) return null;
  const storeUid = storeUidOf(observed);
  const user = observed.storeUsers.find(({ storeUids }) => storeUid !== null && storeUids.includes(storeUid));
  const begin =
    `to begin with nothing, when no client can hold a lease of this pair any more, type: kubectl -n ${namespace} delete secret ` +
    `${name}-store`;
  if (user === undefined) {
    const absent =
      relationship.claim === null || storeUid === null || storeUid === uid
        ? []
        : missingClaims(observed, storeUid);
    if (absent.length > 0)
      return problem("StoresNotFound", "spec.storage", notFoundText(observed, absent, begin));
    const names = Object.keys(storeUid === stores.storeUid ? stores.stores : {});
    if (names.every((member) => observed.members.some((other) => other.name === member))) return null;
    const message =
      `The lease stores of this name belong to members ${names.join(" and ")}: leases of theirs may still run. Keep the names of the ` +
      `members; or, ${begin}`;
    return problem("StoresOfOtherMembers", "spec.members", message);
  }
  const used = `The lease stores of ${storeUid} are in use by ${user.relationship}: two pairs with one memory give addresses twice.`;
  if (storeUid === relationship.adoptFrom) {
    const message = `${used} Delete that one first, or remove storage.adoptFrom from this one before you apply it anew.`;
    return problem("StoreInUse", "spec.storage.adoptFrom", message);
  }
  const message = `${used} To go on with them, delete that one; ${begin}`;
  return problem("StoreInUse", "metadata.name", message);
}
