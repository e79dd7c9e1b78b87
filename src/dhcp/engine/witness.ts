// PARTNER-DOWN by grant: reading the witness, what a reading proves, entering on a grant, declining one that came too late,
// and finding out that a grant went to the partner while this machine was off.
// Source: docs/protocol/witness.md rules W1, W2 a, W5, W8 a, W9, W11, W13 and answers e, h, l. With fencing None a grant
// carries a human's word, and nothing is proven or held by readings.

import { NEVER } from "../../base/units.ts";
import { mayEnterPartnerDown } from "../failover/transition.ts";
import { REJECT_REASON } from "../wire-failover/message.ts";
import { noteProof } from "./echo.ts";
import type { Engine } from "./engine-state.ts";
import type { WitnessReading } from "./event.ts";
import { dialLater, drop } from "./link-drop.ts";
import { reactToPartner } from "./partner.ts";
import { enterState, sendState, settled, stampNow } from "./state-change.ts";
import { holdAtEntry, isFenced, partnerName } from "./takeover.ts";
import type { Turn } from "./turn.ts";

/** Takes a reading of the witness; null: there is none that can be read. What is unknown proves and grants nothing (W1). */
export function onWitnessRead(engine: Engine, turn: Turn, witness: WitnessReading | null): void {
  // Also before fencing is switched on, and whatever the record says: while the API answers, a local word is refused.
  if (witness !== null && witness.provenAt !== null) engine.apiAnsweredAt = witness.provenAt;
  if (witness === null || !isBelievable(engine, turn, witness)) {
    engine.witness = null;
    return;
  }
  const { endpoint } = engine;
  engine.witness = witness;
  const { epoch, resourceVersion, provenAt } = witness;
  if (epoch > endpoint.seen || resourceVersion !== endpoint.witnessVersion) {
    turn.putEndpoint({ seen: Math.max(epoch, endpoint.seen), witnessVersion: resourceVersion });
  }
  followFencing(engine, turn, witness);
  if (!isFenced(engine)) return followGrant(engine, turn);
  // What a watch showed may be old: it is neither a proof nor a grant.
  if (provenAt === null) return;
  dropReplacedPartner(engine, turn, witness);
  if (endpoint.state === "PARTNER-DOWN") return checkOwnGrant(engine, turn, witness);
  if (isProof(engine, witness)) {
    holdAfterUnknownGrant(engine, turn, witness);
    noteProof(engine, provenAt);
  }
  followGrant(engine, turn);
}

/** A record of another relationship, or one that knows less than an earlier one, says nothing (W1, answer e). */
function isBelievable(engine: Engine, turn: Turn, witness: WitnessReading): boolean {
  const { endpoint, config } = engine;
  const { epoch, resourceVersion, uid } = witness;
  if (config.uid !== null && uid !== config.uid) {
    const message =
      "the relationship was deleted and made anew under the same name: its witness is not this pair's";
    turn.log("error", "witness-foreign", message, { uid, expected: config.uid });
    return false;
  }
  const isOlder = isOlderVersion(resourceVersion, endpoint.witnessVersion);
  if (epoch >= endpoint.seen && !isOlder) return true;
  // A watch lags; only a quorum read that falls back means that the record itself did.
  if (witness.provenAt === null && epoch >= endpoint.seen) return false;
  const message = "the witness shows less than it did before; it is ignored";
  const fields = { epoch, seen: endpoint.seen, resourceVersion, newestVersion: endpoint.witnessVersion };
  turn.log("error", "witness-fell-back", message, fields);
  return false;
}

/** resourceVersions are whole numbers that rise; of what is no number nothing is known. */
function isOlderVersion(version: string, newest: string): boolean {
  if (!/^[0-9]+$/.test(version) || !/^[0-9]+$/.test(newest)) return false;
  return BigInt(version) < BigInt(newest);
}

/** On at once, as it only caps; off only on a quorum read over a witness that nobody holds (answer l). */
function followFencing(engine: Engine, turn: Turn, { fencing, holder, provenAt }: WitnessReading): void {
  if (fencing === engine.endpoint.fencing) return;
  if (fencing === "None" && (provenAt === null || holder !== null)) return;
  setFencing(engine, turn, fencing);
}

export function setFencing(engine: Engine, turn: Turn, fencing: WitnessReading["fencing"]): void {
  engine.decisionSerial += 1;
  turn.putEndpoint({ fencing });
  turn.log("info", "fencing-changed", `fencing is ${fencing} from now on`, { fencing });
}

/** Nobody holds a grant against this store, as the reading shows (W2 a). */
function isProof(engine: Engine, { epoch, holder, stores }: WitnessReading): boolean {
  if (stores[engine.member] !== engine.identity.store) return false;
  const { returned, partnerReturned } = engine.endpoint;
  return holder === null || epoch <= (holder === engine.member ? returned : partnerReturned);
}

/** Somebody held a grant that this server knows nothing of, and it is gone: what was given under it is unknown (W9). */
function holdAfterUnknownGrant(engine: Engine, turn: Turn, { epoch, holder }: WitnessReading): void {
  const { clean, returned } = engine.endpoint;
  if (holder !== null || epoch <= clean || epoch === returned) return;
  turn.putEndpoint({ hold: stampNow(engine, turn), clean: epoch });
  const message = "a grant came and went unseen: free addresses wait until what was given under it has ended";
  turn.log("warn", "hold-began", message, { cause: `epoch ${epoch}` });
}

/** The partner's old process is dropped for good once the witness lists another store of it (W13). */
function dropReplacedPartner(engine: Engine, turn: Turn, { stores }: WitnessReading): void {
  const { session } = engine;
  const partner = partnerName(engine);
  const listed = stores[partner];
  const linked = session?.partnerStore ?? null;
  if (session === null || listed === undefined || linked === null || linked === listed) return;
  const reason = "the witness lists another store of the partner";
  drop(engine, turn, session.connection, reason, REJECT_REASON.invalidPartner);
}

/** In PARTNER-DOWN: whether the grant still is this holder's. A holder that lives loses it to nobody; one whose machine was
 *  off may have (W11), and one that entered on a local word may find that its partner was granted it (answer h). */
function checkOwnGrant(engine: Engine, turn: Turn, { epoch, holder, holderStore }: WitnessReading): void {
  const { clean, entered, returned, verifiedBoot } = engine.endpoint;
  const isOurs = holder === engine.member && holderStore === engine.identity.store;
  const { bootId } = engine.process;
  // A word alone has no grant that could be gone: it stands while nobody was granted anything since. Superseded, this server would
  // meet a partner that knows of no epoch to hold for, and that would have to know every address taken from it (W7, answer h).
  const isWord = entered <= returned && holder === null && epoch <= clean;
  if (isWord || (isOurs && epoch === entered)) {
    if (verifiedBoot === bootId) return;
    turn.putEndpoint({ verifiedBoot: bootId });
    return reactToPartner(engine, turn);
  }
  const isOfAnotherBoot = engine.endpoint.entry?.bootId !== bootId && verifiedBoot !== bootId;
  const isPartners = holder !== null && holder !== engine.member && epoch > entered;
  if (isOfAnotherBoot || isPartners) return supersede(engine, turn, epoch);
  // A grant that follows a local word: the partner had proofs until it was written.
  if (isOurs && entered <= returned && epoch > returned) {
    turn.putEndpoint({ entered: epoch, entry: stampNow(engine, turn), clean: epoch, verifiedBoot: bootId });
  }
}

function supersede(engine: Engine, turn: Turn, epoch: number): void {
  const { entered, returned } = engine.endpoint;
  const message = "the grant is gone or the partner's: this server stops and recovers";
  turn.log("error", "grant-superseded", message, { entered, epoch });
  enterState(engine, turn, "RECOVER", "the grant went to another while this server was off", {
    returned: Math.max(returned, entered),
    superseded: true,
  });
  if (engine.session !== null) drop(engine, turn, engine.session.connection, "superseded");
  else if (engine.dialAt === null) dialLater(engine, turn.now);
}

/** Enters PARTNER-DOWN on a grant of this member and store, or declines it while the partner is there (W5).
 *  Safe to call at any time: called again when the link is lost or STARTUP ends. */
export function followGrant(engine: Engine, turn: Turn): void {
  const { witness, endpoint } = engine;
  if (witness === null || engine.startupEndsAt !== null || engine.isStopping) return;
  if (isFenced(engine) && witness.provenAt === null) return;
  const isOurs = witness.holder === engine.member && witness.holderStore === engine.identity.store;
  if (!isOurs || witness.epoch <= endpoint.returned || witness.epoch < endpoint.seen) return;
  const state = settled(engine);
  if (state === "NORMAL" && engine.session !== null) return decline(engine, turn, witness.epoch);
  // It was given to what this store was before it was restored, and fencing could never be switched off over it (W10).
  if (isFenced(engine) && !endpoint.complete) return decline(engine, turn, witness.epoch);
  if (engine.session !== null || !mayEnterPartnerDown(state) || !mayActAlone(engine)) return;
  const entry = stampNow(engine, turn);
  enterState(engine, turn, "PARTNER-DOWN", `grant of epoch ${witness.epoch}`, {
    entered: witness.epoch,
    entry,
    hold: holdAtEntry(engine, witness.epoch, entry),
    clean: witness.epoch,
    complete: true,
    verifiedBoot: engine.process.bootId,
  });
}

function decline(engine: Engine, turn: Turn, epoch: number): void {
  turn.putEndpoint({ returned: epoch, clean: epoch });
  const cause = engine.endpoint.complete ? "the partner is there" : "this store lacks leases";
  turn.log("info", "grant-declined", `${cause}: the grant is given back unused`, { epoch });
  // A partner that hears of it only later, out of NORMAL, would hold its free addresses (W9).
  sendState(engine, turn);
}

/** Records must be complete; without fencing the primary's never used store may be declared a lone server, as long as it has met
 *  nobody, and not where it took the place of a damaged store: leases that it does not know may run. */
export function mayActAlone(engine: Engine): boolean {
  const { agreedMcltSeconds, lastContactAt, lostLeases } = engine.endpoint;
  const isUnused = agreedMcltSeconds === 0 && lastContactAt === NEVER && !lostLeases;
  const isLoneServer = engine.role === "primary" && isUnused;
  return engine.endpoint.complete || (isLoneServer && !isFenced(engine));
}
