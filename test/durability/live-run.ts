// What the live tests share: a pair under load from beginning to end, and the last word: both engines and every client
// agree. Everything is ended and removed whatever happens.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { compareStores } from "../../dev/demo/compare-stores.ts";
import { checkAcknowledged, checkHolds } from "./live-check.ts";
import { addressHistory } from "./live-history.ts";
import { LiveLoad } from "./live-load.ts";
import { type LeaseRow, LivePair, MEMBERS, type Member } from "./live-pair.ts";

export interface LiveRunOptions {
  readonly clients: number;
  readonly requestsPerSecond: number;
  /** Between a client's ACK and its next request, on average. */
  readonly thinkMs: number;
  readonly leaseSeconds?: number;
  /** The tree whose engines run; this checkout unless told. */
  readonly project?: string;
  /** Where each member's folder with its link's certificates is; in clear unless told. */
  readonly certificates?: string;
}

export interface LiveRun {
  readonly pair: LivePair;
  readonly load: LiveLoad;
}

/** Runs `body` beside a pair that is not started yet and clients that wait for start(). On failure both logs are shown. */
export async function withPair(
  t: TestContext,
  options: LiveRunOptions,
  body: (run: LiveRun) => Promise<void>,
): Promise<void> {
  const pair = new LivePair({ leaseSeconds: 60, mcltSeconds: 60, ...options });
  const servers = MEMBERS.map((member) => pair.addresses[member]);
  const load = new LiveLoad({ ...options, relay: pair.relay, servers, port: pair.dhcpPort });
  try {
    await body({ pair, load });
  } catch (error) {
    for (const story of pair.stories()) t.diagnostic(story);
    throw error;
  } finally {
    load.stop();
    await pair.stop();
  }
}

/** Every standing ACK of a member that is gone is in its files. Returns how many there were. */
export function expectKept({ pair, load }: LiveRun, member: Member, where: string): number {
  const standing = load.ledger.standingAcks(pair.addresses[member], Date.now() / 1000);
  const { checked, problems } = checkAcknowledged(standing, pair.storedLeases(member));
  if (problems.length > 0) failWith(pair, where, problems);
  expectNoViolation({ pair, load }, where);
  return checked;
}

export function expectNoViolation({ pair, load }: LiveRun, where: string): void {
  if (load.ledger.violations.length > 0) failWith(pair, where, load.ledger.violations);
}

/** Ends the load and then both engines: both were NORMAL, both stores are equal lease by lease, and each has what every
 *  client holds. Returns how many addresses have a record. */
export async function expectAgreement(run: LiveRun): Promise<number> {
  const { pair, load } = run;
  await Promise.all(MEMBERS.map((member) => pair.engine(member).untilIn("NORMAL")));
  await load.end(END_MS);
  await settle(pair);
  await Promise.all(MEMBERS.map((member) => pair.engine(member).untilIn("NORMAL")));
  await killBothHolding(run);
  const { differences, leases } = compareStores(pair.dumpText("a"), pair.dumpText("b"));
  if (differences.length > 0) failWith(pair, "at the end", differences);
  expectNoViolation(run, "at the end");
  return leases;
}

/** Ends the load and then both engines: each soon knew what every client holds, and has it in its files. What they say of free
 *  addresses may still differ: one that a member gave and took back while it was apart need not be told. Returns how many
 *  clients hold one. */
export async function expectHolds(run: LiveRun): Promise<number> {
  const { pair, load } = run;
  await load.end(END_MS);
  for (const deadline = performance.now() + TOLD_MS; ; await pause(200)) {
    const known = await Promise.all(MEMBERS.map((member) => pair.engine(member).leases()));
    const now = Date.now() / 1000;
    const problems = known.flatMap((rows) => checkHolds(load.ledger, rows, now).problems);
    if (problems.length === 0) break;
    if (performance.now() > deadline) failWith(pair, "not told in time", problems);
  }
  await pause(SYNCED_MS);
  const now = await killBothHolding(run);
  expectNoViolation(run, "at the end");
  return load.ledger.holds(now).length;
}

/** Kills both engines: each has on disk what every client holds. Returns the moment, in unix seconds, that this was judged by. */
async function killBothHolding({ pair, load }: LiveRun): Promise<number> {
  await Promise.all(MEMBERS.map((member) => pair.engine(member).kill()));
  const now = Date.now() / 1000;
  for (const member of MEMBERS) {
    const { problems } = checkHolds(load.ledger, pair.storedLeases(member), now);
    if (problems.length > 0) failWith(pair, `at the end, in the store of ${member}`, problems);
  }
  return now;
}

/** What an engine was told it shows before it is on its disk, which may be slow; to whoever told it, it says nothing until then. */
const SYNCED_MS = 2_000;
/** For updates that are on their way between two NORMAL members. */
const TOLD_MS = 30_000;
/** For the last renewals of all clients. */
const END_MS = 120_000;
/** Addresses whose history a failure shows. */
const SHOWN = 3;

/** Fails with the problems and the history of the first addresses that they name, in both stores. */
export function failWith(pair: LivePair, where: string, problems: readonly string[]): never {
  const named = problems.flatMap((problem) => problem.match(/\b10\.\d+\.\d+\.\d+\b/g) ?? []);
  const histories = [...new Set(named)]
    .slice(0, SHOWN)
    .flatMap((address) =>
      MEMBERS.flatMap((member) => [
        `${address} in the store of ${member}:`,
        ...addressHistory(join(pair.dataDirectory(member), "leases"), address).slice(-20),
      ]),
    );
  assert.fail(
    `${where}: ${problems.length} problems\n${problems.slice(0, 5).join("\n")}\n${histories.join("\n")}`,
  );
}

/** An engine ends a lease a minute and some after its end (rule W15); between two looks that must not happen. */
const GRACE_SECONDS = 62;
const QUIET_SECONDS = 2;
/** A member that lost its store agrees to no end before max(W, hold) + M* + eps (W10): lease and a half, MCLT, margin, and a
 *  look each half minute. */
const SETTLE_MS = 240_000;

/** Both running engines say the same of every lease, owe each other nothing, and are about to end none. */
async function settle(pair: LivePair): Promise<void> {
  for (const deadline = performance.now() + SETTLE_MS; ; await pause(200)) {
    const [a, b] = await Promise.all(MEMBERS.map((member) => pair.engine(member).leases()));
    const due = Date.now() / 1000 + QUIET_SECONDS - GRACE_SECONDS;
    const isEnding = (row: LeaseRow) => row.status === "ACTIVE" && Number(row.expiresAtUnix) < due;
    const isOwed = (row: LeaseRow) => row.acknowledged === false;
    const text = (rows: readonly LeaseRow[]) => rows.map((row) => JSON.stringify(row)).join("\n");
    const { differences } = compareStores(text(a!), text(b!));
    const open = [...a!, ...b!].filter((row) => isEnding(row) || isOwed(row));
    if (differences.length === 0 && open.length === 0) return;
    if (performance.now() > deadline) {
      const problems = [...differences, ...open.map((row) => `open: ${JSON.stringify(row)}`)];
      failWith(pair, "the pair does not settle", problems);
    }
  }
}
