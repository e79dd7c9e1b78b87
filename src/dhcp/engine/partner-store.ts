// Whether a lease store is an old copy (a restored backup, a disk put back): its memory is then false, and it is
// treated like a lost one. A store's position counts the records it has taken; it falls for nothing but an old copy. Each
// engine tells its position with every update, every answer to one and every STATE, durable before the message leaves;
// remembers the highest that the partner's store told, and in which generation; and says so with every STATE. So each side
// can see that the other has forgotten what it once told. No clock is involved.
// Departs from draft 9.5: the draft knows only lost stable storage, not an outdated one. Source: invariant S13.

import { latest, type UnixSeconds } from "../../base/units.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import { type Extras, readExtras } from "../wire-failover/extras.ts";
import type { Engine, Session } from "./engine-state.ts";
import type { Turn } from "./turn.ts";

/** What an engine writes down before anything else: where its store stood when it was opened, unless it was opened before
 *  without the partner hearing of it since. */
export function openedAlone({ endpoint, identity }: Engine): Pick<EndpointRecord, "aloneSince"> {
  return { aloneSince: endpoint.aloneSince === 0 ? identity.position : endpoint.aloneSince };
}

/** What this engine says of its own store and of the one it remembers of the partner; for the extras of STATE. */
export function storeMemory({ engine, session }: { engine: Engine; session: Session }): Extras {
  const { endpoint } = engine;
  return {
    store: engine.identity.store,
    generation: ownGeneration(engine),
    openedAt: engine.openedAt,
    // The partner may have forgotten what it heard before: killed, it writes nothing down. Told from before the link, a
    // position would accuse this store at its next start, if it never hears that it was heard.
    ...(endpoint.aloneSince === 0 ? { position: engine.position } : { aloneSince: endpoint.aloneSince }),
    ...(endpoint.forgotAt !== 0 && { forgotAt: endpoint.forgotAt }),
    ...(endpoint.partnerStore !== "" && {
      partnerStore: endpoint.partnerStore,
      partnerGeneration: endpoint.partnerGeneration,
      partnerOpenedAt: endpoint.partnerOpenedAt,
      partnerPosition: session.partnerPosition,
    }),
  };
}

/** What goes with an update and with an answer to one; nothing for a partner that tells no store. */
export function storePosition(engine: Engine, session: Session): Extras {
  return session.partnerStore === null ? {} : { position: engine.position };
}

/** Takes note of the position that came with the partner's message. */
export function notePosition(session: Session, extras: Uint8Array | null): void {
  session.partnerPosition = Math.max(session.partnerPosition, readExtras(extras).position ?? 0);
}

/** Counts the opens of the store, and goes on above the highest that the partner saw of an outdated one. */
export function ownGeneration(engine: Engine): number {
  return engine.identity.generation + engine.endpoint.generationBase;
}

/** Which of the two stores is an old copy, by what the partner's STATE says; of the partner's: it will find out itself as
 *  soon as it hears our STATE. */
export function outdatedStores(
  engine: Engine,
  session: Session,
  extras: Extras,
): { readonly own: boolean; readonly partners: boolean } {
  const { complete, partnerStore } = engine.endpoint;
  // Two that both lack leases, as two restored backups do, fetch all from each other: dropped, theirs would be known to nobody.
  if (!complete && extras.incomplete === true) return { own: false, partners: false };
  const own = isOwnStoreOutdated(engine, extras);
  const partners = isPartnerStoreOutdated(engine, session, extras);
  if (own || partners || !complete || extras.incomplete === true) return { own, partners };
  // Whoever was completed by another store remembers that one. So of two complete stores of which one alone remembers the
  // other, that one was left behind: its partner went on with somebody else, a dhcpd, which tells no store, or a newer one.
  const isPartnerKnown = extras.store !== undefined && extras.store === partnerStore;
  const isOwnKnown = extras.partnerStore === engine.identity.store;
  return { own: isPartnerKnown && !isOwnKnown, partners: isOwnKnown && !isPartnerKnown };
}

/** Whether the partner remembers more of this very store than the store itself. */
function isOwnStoreOutdated(engine: Engine, extras: Extras): boolean {
  if (extras.partnerStore !== engine.identity.store) return false;
  const seen = {
    generation: extras.partnerGeneration ?? 0,
    openedAt: extras.partnerOpenedAt ?? 0,
    position: extras.partnerPosition ?? 0,
  };
  const { openedAt, endpoint } = engine;
  const { aloneSince, forgotAt } = endpoint;
  return knowsLess({ generation: ownGeneration(engine), openedAt, aloneSince, forgotAt }, seen);
}

/** The same of the partner's store. */
function isPartnerStoreOutdated(engine: Engine, session: Session, extras: Extras): boolean {
  const { partnerStore, partnerGeneration, partnerOpenedAt } = engine.endpoint;
  if (extras.store === undefined || extras.store !== partnerStore) return false;
  const { generation = 0, openedAt = 0, aloneSince = 0, forgotAt = 0 } = extras;
  const { partnerPosition: position } = session;
  return knowsLess(
    { generation, openedAt, aloneSince, forgotAt },
    { generation: partnerGeneration, openedAt: partnerOpenedAt, position },
  );
}

interface Open {
  readonly generation: number;
  readonly openedAt: number;
}

/** Each start opens the store once, in a generation of its own: the same one at another moment is another history. Before
 *  a store that is alone it cannot have told more than it held when it was opened. A memory that was given up stood higher
 *  perhaps, but everything in it is known to be lost: who remembers that one only, an old copy itself, accuses nobody. */
function knowsLess(
  store: Open & { readonly aloneSince: number; readonly forgotAt: number },
  seen: Open & { readonly position: number },
): boolean {
  if (seen.generation > store.generation) return true;
  if (seen.generation < store.forgotAt) return false;
  const isOtherOpen = seen.generation === store.generation && seen.openedAt !== store.openedAt;
  if (isOtherOpen && seen.generation > 0) return true;
  return store.aloneSince !== 0 && seen.position > store.aloneSince;
}

/** What to remember of the partner's store; nothing of an outdated one, which has to give up its memory first. Its
 *  position goes into the session: it is written with the rest, or as the link ends (contactNow). */
export function rememberedPartnerStore(
  engine: Engine,
  session: Session,
  extras: Extras,
): Pick<EndpointRecord, "partnerStore" | "partnerGeneration" | "partnerOpenedAt"> {
  const { endpoint } = engine;
  if (session.partnerOutdated) {
    const { partnerStore, partnerGeneration, partnerOpenedAt } = endpoint;
    return { partnerStore, partnerGeneration, partnerOpenedAt };
  }
  const partnerStore = extras.store ?? "";
  const partnerGeneration = extras.generation ?? 0;
  const partnerOpenedAt = (extras.openedAt ?? 0) as UnixSeconds;
  const isSameOpen =
    partnerStore === endpoint.partnerStore &&
    partnerGeneration === endpoint.partnerGeneration &&
    partnerOpenedAt === endpoint.partnerOpenedAt;
  // A new open vouches for all that was told before: counting begins anew.
  session.partnerPosition = Math.max(isSameOpen ? session.partnerPosition : 0, extras.position ?? 0);
  return { partnerStore, partnerGeneration, partnerOpenedAt };
}

/** When the two last knew of each other, for the store; while the link stands, and as it is lost. */
export function contactNow(
  engine: Engine,
  turn: Turn,
  session: Session,
): Pick<EndpointRecord, "lastContactAt" | "partnerPosition" | "fullUpdateCursor"> {
  const { lastContactAt, partnerPosition, fullUpdateCursor } = engine.endpoint;
  const open = session.isFullUpdate ? engine.updates.lowestOpen(fullUpdateCursor) : null;
  return {
    lastContactAt: latest(lastContactAt, turn.now.wall),
    partnerPosition: session.partnerOutdated ? partnerPosition : session.partnerPosition,
    fullUpdateCursor: open === null ? fullUpdateCursor : open - 1,
  };
}
