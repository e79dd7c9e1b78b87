// Whether a lease store is an old copy (a restored backup, a disk put back): its memory is then false, and it is
// treated like a lost one. Each engine remembers which store of the partner it heard, in which generation and until
// when, and says so with every STATE; so each side can see that the other has forgotten what it once knew.
// Departs from draft 9.5: the draft knows only lost stable storage, not an outdated one. Source: invariant S13.

import { latest, type UnixSeconds } from "../../base/units.ts";
import type { EndpointRecord } from "../lease/durable-record.ts";
import type { Extras } from "../wire-failover/extras.ts";
import type { Engine, Session } from "./engine-state.ts";
import type { Turn } from "./turn.ts";

/** While in contact each side marks that every 30 s; a mark may be that old when the process is killed, and late on a
 *  slow disk. A copy that is not older than this is recognised by its generation only. */
const CONTACT_SLACK_SECONDS = 45;

/** What this engine says of its own store and of the one it remembers of the partner; for the extras of STATE. */
export function storeMemory({ engine, session }: { engine: Engine; session: Session }): Extras {
  const { endpoint } = engine;
  return {
    store: engine.identity.store,
    generation: ownGeneration(engine),
    openedAt: engine.openedAt,
    contactAt: session.contactBefore,
    ...(endpoint.partnerStore !== "" && {
      partnerStore: endpoint.partnerStore,
      partnerGeneration: endpoint.partnerGeneration,
      partnerOpenedAt: endpoint.partnerOpenedAt,
      partnerHeardAt: session.partnerHeardBefore,
    }),
  };
}

/** Counts the opens of the store, and goes on above the highest that the partner saw of an outdated one. */
export function ownGeneration(engine: Engine): number {
  return engine.identity.generation + engine.endpoint.generationBase;
}

/** Whether the partner remembers more of this very store than the store itself. */
export function isOwnStoreOutdated(engine: Engine, session: Session, extras: Extras): boolean {
  if (extras.partnerStore !== engine.identity.store) return false;
  const heard = { generation: extras.partnerGeneration ?? 0, openedAt: extras.partnerOpenedAt ?? 0 };
  return (
    isLaterOpen(heard, { generation: ownGeneration(engine), openedAt: engine.openedAt }) ||
    (extras.partnerHeardAt ?? 0) > session.contactBefore + CONTACT_SLACK_SECONDS
  );
}

/** The same of the partner's store: it will find out itself as soon as it hears our STATE. */
export function isPartnerStoreOutdated(engine: Engine, session: Session, extras: Extras): boolean {
  const { endpoint } = engine;
  if (extras.store === undefined || extras.store !== endpoint.partnerStore) return false;
  const seen = { generation: endpoint.partnerGeneration, openedAt: endpoint.partnerOpenedAt };
  return (
    isLaterOpen(seen, { generation: extras.generation ?? 0, openedAt: extras.openedAt ?? 0 }) ||
    session.partnerHeardBefore > (extras.contactAt ?? 0) + CONTACT_SLACK_SECONDS
  );
}

interface Open {
  readonly generation: number;
  readonly openedAt: number;
}

/** Each start opens the store once, in a generation of its own: the same one at another moment is another history. */
function isLaterOpen(seen: Open, said: Open): boolean {
  if (seen.generation !== said.generation) return seen.generation > said.generation;
  return seen.generation > 0 && seen.openedAt !== said.openedAt;
}

/** What to remember of the partner's store; nothing of an outdated one, which has to give up its memory first. */
export function rememberedPartnerStore(
  engine: Engine,
  session: Session,
  extras: Extras,
): Pick<EndpointRecord, "partnerStore" | "partnerGeneration" | "partnerOpenedAt"> {
  const { partnerStore, partnerGeneration, partnerOpenedAt } = engine.endpoint;
  if (session.partnerOutdated) return { partnerStore, partnerGeneration, partnerOpenedAt };
  const store = extras.store ?? "";
  // What was heard of another store says nothing of this one.
  if (store !== partnerStore) session.partnerHeardBefore = 0 as UnixSeconds;
  return {
    partnerStore: store,
    partnerGeneration: extras.generation ?? 0,
    partnerOpenedAt: (extras.openedAt ?? 0) as UnixSeconds,
  };
}

/** When the two last knew of each other, for the store; while the link stands, and as it is lost. */
export function contactNow(
  engine: Engine,
  turn: Turn,
  session: Session,
): Pick<EndpointRecord, "lastContactAt" | "partnerHeardAt"> {
  const { lastContactAt, partnerHeardAt } = engine.endpoint;
  return {
    lastContactAt: latest(lastContactAt, turn.now.wall),
    partnerHeardAt: session.partnerOutdated ? partnerHeardAt : session.heardAt,
  };
}
