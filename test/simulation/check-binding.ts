// What the checker demands of each binding record at the moment it becomes durable: who may give an address (S6), who
// owns it (S7), who may end a lease (S2, S10), and in which states (S9). An address without a record is FREE and the
// primary's. Source: invariants S2, S5-S7, S9, S10.

import {
  ABANDONED,
  ACTED_ON_MS,
  ACTIVE,
  BACKUP,
  COMMUNICATIONS_INTERRUPTED,
  CONFLICT_DONE,
  EXPIRED,
  FREE,
  type Generation,
  type IncomingUpdate,
  isLease,
  NORMAL,
  type NodeLedger,
  PARTNER_DOWN,
  RELEASED,
  RESET,
  RESOLUTION_INTERRUPTED,
  STATUS_NAME,
  type StoredBinding,
  stateName,
  type Version,
} from "./ledger.ts";
import type { NodeIndex } from "./network.ts";

/** What a check may ask about the world. */
export interface CheckContext {
  readonly nodes: readonly [NodeLedger, NodeLedger];
  /** The shortest and the longest MCLT of all configurations so far, in seconds. */
  mclt(): { readonly shortest: number; readonly longest: number };
  /** eps: how far a takeover must reach beyond the promises. */
  readonly takeoverMarginSeconds: number;
  /** How far the engines' clocks may differ in this run, plus one for rounding. */
  readonly slackSeconds: number;
  /** How far the wall clocks may be apart, in seconds. */
  readonly clockSlackSeconds: number;
  /** How far one member's record of a time may be from the other's, each by its own clock. */
  readonly recordSlackSeconds: number;
  /** Without fencing: a member that lives was declared down, and the two have not sorted it out. */
  readonly isDeclaredWrongly: boolean;
  now(): number;
  wall(node: NodeIndex): number;
  violated(invariant: string, claim: string, address: number): void;
}

/** States in which clients are answered, and new ones are given addresses. */
export const MAY_GIVE: ReadonlySet<number> = new Set([
  NORMAL,
  COMMUNICATIONS_INTERRUPTED,
  PARTNER_DOWN,
  CONFLICT_DONE,
  RESOLUTION_INTERRUPTED,
]);
/** States in which two engines may both give from what they own. */
const GIVES_OWN = new Set([NORMAL, COMMUNICATIONS_INTERRUPTED, CONFLICT_DONE, RESOLUTION_INTERRUPTED]);

const ENDED = new Set([EXPIRED, RELEASED, RESET]);

/** Checks one durable change and keeps the generation's books. */
export function checkBinding(context: CheckContext, node: NodeIndex, next: StoredBinding): void {
  const ledger = context.nodes[node];
  const before = ledger.versions.get(next.address) ?? null;
  const previous = before?.binding ?? neverUsed(next.address);
  const changed = !sameContent(previous, next);
  const origin = changed ? findOrigin(context, ledger, next) : null;
  if (origin !== null) checkStaleness(context, node, previous, next, origin);
  else if (changed) checkLocalChange(context, node, previous, next);
  // An end of its own in the same moment says the same as the partner's; what takes that in is still to come.
  if (origin !== null) origin.stored = !ENDED.has(next.status);
  keepGeneration(ledger, previous, next, origin);
  noteTold(context, node, next);
  const version: Version = {
    binding: next,
    durableAt: context.now(),
    state: ledger.state,
    previous: before,
  };
  ledger.put(version);
  checkPromise(context, node, next);
  checkAcked(context, node, next);
  checkDisjoint(context, next.address);
}

/** Both may give: what one owns the other must not own. Called for each change and, per address, on state changes. */
export function checkDisjoint(context: CheckContext, address: number): void {
  const [one, other] = context.nodes;
  // Of an old copy or an empty store it is found out before it gives anything.
  if (one.forgetful || other.forgetful) return;
  if (!GIVES_OWN.has(one.state) || !GIVES_OWN.has(other.state)) return;
  if (one.side === other.side) {
    context.violated("S7", `both stores are the ${one.side}'s, and both may give`, address);
    return;
  }
  const [primary, secondary] = one.side === "primary" ? [one, other] : [other, one];
  if (primary.status(address) === FREE && secondary.status(address) === BACKUP) {
    context.violated("S7", "FREE at the primary and BACKUP at the secondary, both durable", address);
  }
}

export function neverUsed(address: number): StoredBinding {
  return {
    kind: "binding",
    address,
    status: FREE,
    client: "",
    expiresAt: 0,
    sent: 0,
    acked: 0,
    received: 0,
    lastTransactionAt: 0,
  };
}

function sameContent(a: StoredBinding, b: StoredBinding): boolean {
  return a.status === b.status && a.client === b.client && a.expiresAt === b.expiresAt;
}

/** The partner's update that this record takes in, or null when the change is the engine's own. */
function findOrigin(context: CheckContext, ledger: NodeLedger, next: StoredBinding): IncomingUpdate | null {
  const decidedBy = ledger.decidedBy(context.now());
  const list = ledger.incoming.get(next.address);
  if (list === undefined) return null;
  const givenBackAt = ledger.givenBack.get(`${next.address} ${next.client}`) ?? Number.NEGATIVE_INFINITY;
  for (let i = list.length - 1; i >= 0; i--) {
    const update = list[i] as IncomingUpdate;
    // What came on a connection that has ended since was acted on before, or not at all.
    const stalledMs = update.link === ledger.newestLink ? ledger.stalledMs : 0;
    const oldest = decidedBy - ACTED_ON_MS - stalledMs;
    if (update.stored || update.answered || update.deliveredAt < oldest) continue;
    // The client itself has said so here since, or before, and the disk was slow.
    if (next.status === RELEASED && givenBackAt > Math.min(update.deliveredAt, decidedBy - ACTED_ON_MS))
      continue;
    if (takesIn(context, next, update)) return update;
  }
  return null;
}

/** Whether a record says what an accepted update said. Ended leases are stored as free addresses (draft 5.11). */
export function takesIn(context: CheckContext, binding: StoredBinding, update: IncomingUpdate): boolean {
  const slack = context.recordSlackSeconds;
  const { message } = update;
  switch (message.status) {
    case ACTIVE:
      return (
        binding.status === ACTIVE &&
        binding.client === message.client &&
        binding.expiresAt + slack >= message.expiresAt &&
        binding.received + slack >= message.potential
      );
    case EXPIRED:
    case RELEASED:
    case RESET:
      return binding.status === FREE || binding.status === BACKUP || binding.status === message.status;
    default:
      return binding.status === message.status;
  }
}

/** S10: news of another client, or older news, never changes a lease that still runs. */
function checkStaleness(
  context: CheckContext,
  node: NodeIndex,
  previous: StoredBinding,
  next: StoredBinding,
  origin: IncomingUpdate,
): void {
  if (previous.status !== ACTIVE || previous.expiresAt <= context.wall(node) + context.slackSeconds) return;
  const { message } = origin;
  if (message.status === ABANDONED || message.status === RESET) return;
  // Of two clients the one that spoke last keeps it (W14): that the other one had it too is the wrong declaration's doing.
  if (context.isDeclaredWrongly) return;
  const foreign = message.client !== "" && message.client !== previous.client;
  if (foreign && (next.client !== previous.client || next.status !== ACTIVE)) {
    context.violated(
      "S10",
      `an update for ${message.client} changed the running lease of ${previous.client}`,
      next.address,
    );
  } else if (
    next.status !== ACTIVE &&
    message.lastTransactionAt + context.clockSlackSeconds < previous.lastTransactionAt
  ) {
    context.violated("S10", "an update older than the record ended a running lease", next.address);
  }
}

function checkLocalChange(
  context: CheckContext,
  node: NodeIndex,
  previous: StoredBinding,
  next: StoredBinding,
): void {
  const ledger = context.nodes[node];
  const continues = previous.status === ACTIVE && previous.client === next.client;
  if (next.status === ACTIVE) {
    if (!continues) checkGrant(context, node, previous, next);
    else if (isSilent(ledger))
      context.violated("S9", `a lease was renewed in ${stateName(ledger.state)}`, next.address);
    return;
  }
  const wasLeased = isLease(previous.status);
  if (previous.status === ACTIVE) checkEnd(context, node, previous, next);
  if (wasLeased && (next.status === FREE || next.status === BACKUP))
    checkFreed(context, node, previous, next);
}

function isSilent(ledger: NodeLedger): boolean {
  return !MAY_GIVE.has(ledger.state) && ledger.state !== 9;
}

/** S6: an address goes to a client anew. */
function checkGrant(
  context: CheckContext,
  node: NodeIndex,
  previous: StoredBinding,
  next: StoredBinding,
): void {
  const ledger = context.nodes[node];
  const address = next.address;
  if (!MAY_GIVE.has(ledger.state)) {
    context.violated("S9", `an address was given in ${stateName(ledger.state)}`, address);
    return;
  }
  if (previous.status === ledger.ownFree) return;
  if (mayTakeOver(context, node, previous)) return;
  const generation = ledger.generations.get(address);
  if (previous.status !== ACTIVE && isLease(previous.status) && previous.client === next.client) {
    if (generation?.endTold !== true) return;
    context.violated(
      "S6",
      `given again to ${next.client} although the lease's end was told and is not settled`,
      address,
    );
    return;
  }
  if (isLease(previous.status) && mayRewind(context, node, previous, generation ?? null)) return;
  const was = `${STATUS_NAME[previous.status]} of ${previous.client || "nobody"}`;
  context.violated(
    "S6",
    `given to ${next.client} in ${stateName(ledger.state)} while it was ${was}`,
    address,
  );
}

/** S6 (ii): whether an address may go to another client: in PARTNER-DOWN, after every promise and the entry, plus MCLT, plus the margin. */
export function mayTakeOver(context: CheckContext, node: NodeIndex, previous: StoredBinding): boolean {
  const ledger = context.nodes[node];
  if (ledger.state !== PARTNER_DOWN) return false;
  const generation = ledger.generations.get(previous.address);
  const latest = Math.max(
    previous.expiresAt,
    previous.sent,
    previous.acked,
    previous.received,
    generation?.sent ?? 0,
    generation?.received ?? 0,
    ledger.entryAt > 0 ? ledger.entryAt : ledger.stateSince,
  );
  return context.wall(node) + 1 > latest + context.mclt().shortest + context.takeoverMarginSeconds;
}

/** S6 (iii): from its own part, ended, never told. */
function mayRewind(
  context: CheckContext,
  node: NodeIndex,
  previous: StoredBinding,
  generation: Generation | null,
): boolean {
  if (generation === null || !generation.fromOwnPart || generation.toldPartner) return false;
  if (previous.status === RELEASED) return true;
  return previous.expiresAt <= context.wall(node);
}

/** S2: a running lease ends only by its time, by its client, or by an operator. */
function checkEnd(
  context: CheckContext,
  node: NodeIndex,
  previous: StoredBinding,
  next: StoredBinding,
): void {
  const ledger = context.nodes[node];
  // A clock that went back meanwhile had shown more.
  if (previous.expiresAt <= context.wall(node) + ledger.clockWentBackSeconds(context.now())) return;
  const givenBackAt = ledger.givenBack.get(`${previous.address} ${previous.client}`);
  if (
    givenBackAt !== undefined &&
    ledger.decidedBy(context.now()) - givenBackAt <= ACTED_ON_MS + ledger.stalledMs
  )
    return;
  const until = previous.expiresAt - context.wall(node);
  context.violated(
    "S2",
    `a lease became ${STATUS_NAME[next.status]} ${until} s before its end`,
    next.address,
  );
}

/** S6: EXPIRED, RELEASED and RESET become free only when the partner agrees, by takeover or by rewind. */
function checkFreed(
  context: CheckContext,
  node: NodeIndex,
  previous: StoredBinding,
  next: StoredBinding,
): void {
  const ledger = context.nodes[node];
  const generation = ledger.generations.get(next.address) ?? null;
  if (generation?.endAcknowledged === true) return;
  if (mayTakeOver(context, node, previous) || mayRewind(context, node, previous, generation)) return;
  const was = `${STATUS_NAME[previous.status]} of ${previous.client || "nobody"}`;
  context.violated(
    "S6",
    `became ${STATUS_NAME[next.status]} from ${was} without the partner's agreement`,
    next.address,
  );
}

/** S2: no record falls below what was acknowledged to the client. */
function checkPromise(context: CheckContext, node: NodeIndex, next: StoredBinding): void {
  const ledger = context.nodes[node];
  const promise = ledger.promises.get(next.address);
  if (promise === undefined) return;
  if (next.status !== ACTIVE || next.client !== promise.client) {
    ledger.promises.delete(next.address);
    return;
  }
  if (next.expiresAt < promise.until) {
    const short = promise.until - next.expiresAt;
    context.violated("S2", `the record fell ${short} s below what ${promise.client} was told`, next.address);
  }
}

/** S5: an acknowledged time rises only by the partner's BNDACK. */
function checkAcked(context: CheckContext, node: NodeIndex, next: StoredBinding): void {
  if (next.acked === 0 || !isLease(next.status)) return;
  const generation = context.nodes[node].generations.get(next.address);
  const credited = generation !== undefined && generation.client === next.client ? generation.acked : 0;
  if (next.acked > credited) {
    context.violated("S5", `acked ${next.acked} is more than any BNDACK gave (${credited})`, next.address);
  }
}

/** What the partner told counts as soon as it is on this disk: it is on the partner's since before it left, whether an answer ever
 *  went back or not, and whatever becomes of the partner's store. */
function noteTold(
  { nodes }: CheckContext,
  node: NodeIndex,
  { address, client, received }: StoredBinding,
): void {
  const generation = nodes[node].generations.get(address);
  const theirs = nodes[node === 0 ? 1 : 0].generations.get(address);
  if (generation?.client !== client || theirs?.client !== client) return;
  generation.received = Math.max(generation.received, Math.min(received, theirs.sent));
}

function keepGeneration(
  ledger: NodeLedger,
  previous: StoredBinding,
  next: StoredBinding,
  origin: IncomingUpdate | null,
): void {
  const address = next.address;
  if (!isLease(next.status)) {
    ledger.generations.delete(address);
    return;
  }
  const generation = ledger.generations.get(address);
  if (generation !== undefined && generation.client === next.client) {
    if (next.status === ACTIVE && previous.status !== ACTIVE) {
      generation.endTold = false;
      generation.endAcknowledged = false;
    }
    return;
  }
  ledger.generations.set(address, {
    client: next.client,
    sent: 0,
    acked: 0,
    received: 0,
    toldPartner: origin !== null,
    endTold: false,
    endAcknowledged: false,
    fromOwnPart: origin === null && previous.status === ledger.ownFree,
  });
}
