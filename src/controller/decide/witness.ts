// The witness record: the one place where PARTNER-DOWN is granted. The controller alone writes it, each write names
// the resourceVersion it was decided on, and this file decides what may be written.
// Source: docs/protocol/witness.md W1 (writes), W8 (clearing, transfer), W13 (incarnations), answer e (a lost record).
// Must never: grant over a living holder, reuse an epoch, clear without the holder's own word.

import type { Observed, ObservedMember } from "../observed.ts";

export interface Witness {
  /** +1 with each grant, never falls. */
  readonly epoch: number;
  /** Member that holds the grant, null when nobody does. */
  readonly holder: string | null;
  /** Store the grant was given to, "" when nobody holds it. */
  readonly holderStore: string;
  /** Listed store per member name. */
  readonly stores: Readonly<Record<string, string>>;
  /** Member that the grant was taken from because it was declared dead; null when nobody was. */
  readonly transferredFrom: string | null;
}

/** A change of the record, with its cause for the event. */
export interface WitnessChange {
  readonly kind: "created" | "recreated" | "cleared" | "store-listed" | "granted" | "transferred";
  readonly witness: Witness;
  readonly message: string;
  /** Members whose reports this rests on: they are read again, uncached, before the write. */
  readonly restsOn: readonly string[];
}

/** Listed in place of the id of an adopted store that nobody kept in mind: every real one is another, so that two empty ones
 *  are known for what they are. */
export const UNKNOWN_STORE = "unknown";

/** Reads status.witness; null when it is absent or not a record (then it is created, or created anew). */
export function readWitness(status: Readonly<Record<string, unknown>>): Witness | null {
  const value = status["witness"];
  if (typeof value !== "object" || value === null) return null;
  const { epoch, holder, holderStore, stores, transferredFrom } = value as Record<string, unknown>;
  if (typeof epoch !== "number" || !Number.isInteger(epoch) || epoch < 0) return null;
  const listed: Record<string, string> = {};
  if (typeof stores === "object" && stores !== null) {
    for (const [member, store] of Object.entries(stores))
      if (typeof store === "string") listed[member] = store;
  }
  const holds = typeof holder === "string" && holder !== "";
  return {
    epoch,
    holder: holds ? holder : null,
    holderStore: holds && typeof holderStore === "string" ? holderStore : "",
    stores: listed,
    transferredFrom: holds && typeof transferredFrom === "string" ? transferredFrom : null,
  };
}

/** The record's upkeep, without any grant: created, cleared on the holder's word, new stores listed. Null: nothing due.
 *  `before`: the stores that a record begins with; null while that is not known. */
export function witnessUpkeep(
  witness: Witness | null,
  members: readonly ObservedMember[],
  before: Readonly<Record<string, string>> | null,
): WitnessChange | null {
  if (witness === null) return before === null ? null : create(members, before);
  if (highestEpoch(members) > witness.epoch) return recreate(witness.stores, members);
  return clear(witness, members) ?? listStores(witness, members);
}

/** A grant to `survivor`, over nobody and with the next epoch. The caller has checked everything else. */
export function grant(witness: Witness, survivor: string, message: string): WitnessChange | null {
  const store = witness.stores[survivor];
  if (witness.holder !== null || store === undefined) return null;
  return {
    kind: "granted",
    witness: {
      ...witness,
      epoch: witness.epoch + 1,
      holder: survivor,
      holderStore: store,
      transferredFrom: null,
    },
    message,
    // The other one's silence as much as the survivor's word: while it lives, it writes.
    restsOn: Object.keys(witness.stores),
  };
}

/** W8b: the grant of a holder that is certainly dead goes to `survivor`, in one write with a new epoch. Nothing can make
 *  it safe when `cause` is not true, so the message says what follows then. */
export function transfer(witness: Witness, survivor: string, cause: string): WitnessChange | null {
  const { holder } = witness;
  if (holder === null || holder === survivor) return null;
  const change = grant({ ...witness, holder: null }, survivor, "");
  if (change === null) return null;
  return {
    ...change,
    kind: "transferred",
    witness: { ...change.witness, transferredFrom: holder },
    message:
      `${survivor} was given the grant of ${holder}, with epoch ${witness.epoch + 1}, because ${cause}. If ${holder} still ` +
      "runs anywhere, addresses are given twice: make sure that it is off before it is connected again.",
  };
}

/** Members that did not say that they cap their leases, while fencing needs it: before both have, no grant is safe. */
export function uncappedMembers({ fencing, members }: Observed): readonly string[] {
  if (fencing.fencing === "None") return [];
  return members.filter(({ report }) => report?.fencing !== "Witness").map(({ name }) => name);
}

/** True while a grant given to this member's listed store is open. */
export function holdsGrant(witness: Witness, member: string): boolean {
  return witness.holder === member;
}

/** The highest epoch that any member remembers. */
function highestEpoch(members: readonly ObservedMember[]): number {
  const epochs = members.flatMap(({ report }) =>
    report === null ? [] : [report.entered, report.returned, report.seen],
  );
  return Math.max(0, ...epochs);
}

function create(members: readonly ObservedMember[], stores: Readonly<Record<string, string>>): WitnessChange {
  if (highestEpoch(members) > 0) return recreate(stores, members);
  return {
    kind: "created",
    witness: { epoch: 0, holder: null, holderStore: "", stores, transferredFrom: null },
    message: "The witness record was created.",
    restsOn: reporting(members),
  };
}

/** A record that is missing, or behind what engines remember, was lost or restored from a backup: it comes back above
 *  everything they know, and names whoever still is in PARTNER-DOWN (answer e). */
function recreate(
  stores: Readonly<Record<string, string>>,
  members: readonly ObservedMember[],
): WitnessChange {
  const highest = highestEpoch(members);
  const inside = members.filter(({ report }) => report !== null && report.entered > report.returned);
  const holder = inside.sort((a, b) => (b.report?.entered ?? 0) - (a.report?.entered ?? 0))[0];
  const store = holder?.report?.store ?? "";
  return {
    kind: "recreated",
    witness: {
      epoch: highest + 1,
      holder: holder?.name ?? null,
      holderStore: store,
      stores: holder === undefined ? stores : { ...stores, [holder.name]: store },
      transferredFrom: null,
    },
    message:
      `The witness record was lost or set back although members remember epoch ${highest}: it was written anew with ` +
      `epoch ${highest + 1}. If the members were out of contact meanwhile, check both for doubly given addresses.`,
    restsOn: reporting(members),
  };
}

function reporting(members: readonly ObservedMember[]): readonly string[] {
  return members.filter((member) => member.reportVersion !== "").map((member) => member.name);
}

/** W8a: only the holder's own word, from the very store the grant was given to, gives a grant back. */
function clear(witness: Witness, members: readonly ObservedMember[]): WitnessChange | null {
  const holder = members.find((member) => member.name === witness.holder);
  if (holder === undefined || holder.report === null) return null;
  if (holder.report.store !== witness.holderStore || holder.report.returned < witness.epoch) return null;
  return {
    kind: "cleared",
    witness: { ...witness, holder: null, holderStore: "", transferredFrom: null },
    message: `${holder.name} has given back the grant of epoch ${witness.epoch}.`,
    restsOn: [holder.name],
  };
}

/** W13: a member's new store is listed only when no grant of the old one is open. W10: it takes a listed one's place only
 *  while the partner's listed store is complete, or a human has put the two together; else two empty stores wait for a human, for nobody
 *  knows their leases. */
function listStores(witness: Witness, members: readonly ObservedMember[]): WitnessChange | null {
  const listed: string[] = [];
  const known = { ...witness, stores: knownStores(witness, members) };
  const stores: Record<string, string> = { ...known.stores };
  for (const { name, report } of members) {
    if (report === null || report.store === "" || report.store === stores[name]) continue;
    if (holdsGrant(witness, name)) continue;
    const isFirst = known.stores[name] === undefined;
    if (!isFirst && !isPartnerComplete(known, members, name) && !areJoined(members)) continue;
    stores[name] = report.store;
    listed.push(name);
  }
  if (listed.length === 0) return null;
  return {
    kind: "store-listed",
    witness: { ...witness, stores },
    message: `The witness now knows the store of ${listed.join(" and ")}.`,
    restsOn: listed,
  };
}

/** The listed stores; once an adopted one that holds everything is there, what was looked for is found: then the partner's is awaited no
 *  more, which may lie where nobody reports it yet. */
function knownStores({ stores }: Witness, members: readonly ObservedMember[]): Witness["stores"] {
  const isFound = members.some(
    ({ name, report }) => stores[name] === UNKNOWN_STORE && report?.complete === true && report.store !== "",
  );
  if (!isFound) return stores;
  return Object.fromEntries(Object.entries(stores).filter(([, store]) => store !== UNKNOWN_STORE));
}

/** Whether both, without fencing, hold everything and are NORMAL with each other: stores that nobody lists meet by a human's word alone,
 *  and once fencing is back the members would drop each other for good. */
function areJoined(members: readonly ObservedMember[]): boolean {
  return (
    members.length === 2 &&
    members.every(
      ({ report }) => report?.state === "Normal" && report.complete && report.fencing !== "Witness",
    )
  );
}

/** Whether the other member still has its listed store, with all that the two knew. */
function isPartnerComplete(witness: Witness, members: readonly ObservedMember[], name: string): boolean {
  const partner = members.find((member) => member.name !== name);
  if (partner?.report == null) return false;
  return partner.report.complete && partner.report.store === witness.stores[partner.name];
}

/** Members whose listed store was replaced while the partner's is not complete either: nobody knows their leases. */
export function unlistedStores(witness: Witness, members: readonly ObservedMember[]): readonly string[] {
  const unlisted = members.filter(({ name, report }) => {
    const listed = witness.stores[name];
    return report !== null && report.store !== "" && listed !== undefined && listed !== report.store;
  });
  return unlisted.filter(({ name }) => !isPartnerComplete(witness, members, name)).map(({ name }) => name);
}
