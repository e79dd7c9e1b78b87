// After the faults: everything is healed and stays so. Within a bound both engines must be NORMAL, every update settled,
// both disks must say the same of every address, updates must stop, and a new client must get one. Source: liveness L1-L4.

import type { Disturber } from "./disturber.ts";
import { ABANDONED, ACTIVE, BACKUP, FREE, NORMAL, STATUS_NAME, stateName } from "./ledger.ts";
import type { Stage } from "./stage.ts";

const NORMAL_SECONDS = 60;
const AGREE_SECONDS = 240;
/** Longer than an address stays held for a client that was offered it and fell silent. */
const PROBE_SECONDS = 240;
/** So long is watched whether the updates stop. */
const QUIET_SECONDS = 60;
const STEP_MS = 1_000;

/** Runs the healed world on and reports what does not recover. */
export function checkRecovery(run: Stage, disturber: Disturber): void {
  const { checker, plan } = run;
  const longest = Math.max(plan.timing.contactLossMs, plan.timing.dialRetryMs) / 1000;
  // RECOVER-WAIT lasts MCLT; a takeover under way is not interrupted.
  const bound =
    NORMAL_SECONDS +
    plan.config.mcltSeconds * 2 +
    longest * 3 +
    plan.operator.readMsMax / 1000 +
    plan.operator.keepsDownSecondsMax +
    disturber.clockBackSeconds +
    longestDoubt(run);
  if (!waitFor(run, bound, () => bothNormal(run))) {
    if (waitsForHuman(run)) return;
    const [primary, secondary] = checker.nodes;
    const states = `${stateName(primary.state)} / ${stateName(secondary.state)}`;
    fail(run, "L1", `not both NORMAL ${Math.round(bound)} s after the last fault: ${states}`, 0);
    return;
  }
  for (const client of run.clients) client.silence();
  // Who doubts its clock does not agree that a lease has ended, although it is NORMAL long before (W15, S11).
  const agreeBound = AGREE_SECONDS + longest * 4 + longestHold(run) + longestDoubt(run);
  if (!waitFor(run, agreeBound, () => firstDifference(run) === 0)) {
    const address = firstDifference(run);
    if (address !== 0) fail(run, "L3", describeDifference(run, address), address);
    return;
  }
  // From here on updates are news: nothing that the partner has acknowledged is sent for ever (L2).
  checker.countSettledUpdates();
  waitFor(run, QUIET_SECONDS, () => false);
  if (checker.violation === null) probe(run);
}

/** A grant to a pair that never ran: nobody but a human knows that no store was lost before (W10). */
function waitsForHuman({ plan, operator, checker }: Stage): boolean {
  return (
    plan.api !== null && operator.epoch > 0 && checker.nodes.every(({ wasEverNormal }) => !wasEverNormal)
  );
}

/** A stepped clock costs time: until every promise of before is surely over. */
function longestDoubt({ plan, checker }: Stage): number {
  if (checker.clockSlackSeconds === 0) return 0;
  const leases = plan.config.scopes.map(({ lease }) => lease.maxSeconds);
  return Math.max(...leases) * 1.5 + plan.config.mcltSeconds * 2;
}

/** With fencing a hold may keep an address until every promise, the MCLT and the margin are over (W9). */
function longestHold({ plan }: Stage): number {
  if (plan.api === null) return 0;
  const leases = plan.config.scopes.map(({ lease }) => lease.maxSeconds);
  return Math.max(...leases) * 2 + plan.config.mcltSeconds * 2;
}

function bothNormal(run: Stage): boolean {
  const [primary, secondary] = run.checker.nodes;
  return primary.state === NORMAL && secondary.state === NORMAL && run.operator.holder === null;
}

/** Whether `holds` came true within so many virtual seconds; false also when a violation ended the run. */
function waitFor(run: Stage, seconds: number, holds: () => boolean): boolean {
  const { world, checker } = run;
  const end = world.now + seconds * 1000;
  while (checker.violation === null) {
    if (holds()) return true;
    if (world.now >= end) return false;
    world.runUntil(Math.min(end, world.now + STEP_MS), () => checker.violation !== null);
  }
  return false;
}

function fail(run: Stage, invariant: string, claim: string, address: number): void {
  run.checker.violated(invariant, claim, address);
}

/** An address of which the two disks differ; 0 when they agree on all. */
export function firstDifference(run: Stage): number {
  const [primary, secondary] = run.checker.nodes;
  for (const ledger of [primary, secondary]) {
    for (const address of ledger.versions.keys()) if (differs(run, address)) return address;
  }
  return 0;
}

function differs(run: Stage, address: number): boolean {
  const [primary, secondary] = run.checker.nodes;
  const a = primary.binding(address);
  const b = secondary.binding(address);
  const statusA = a?.status ?? FREE;
  if (statusA !== (b?.status ?? FREE)) return true;
  if (statusA !== ACTIVE) return false;
  if (a?.client !== b?.client) return true;
  return Math.abs((a?.expiresAt ?? 0) - (b?.expiresAt ?? 0)) > run.checker.clockSlackSeconds;
}

function describeDifference(run: Stage, address: number): string {
  const [a, b] = run.checker.nodes.map((ledger) => {
    const binding = ledger.binding(address);
    if (binding === null) return "no record";
    return `${STATUS_NAME[binding.status]} of ${binding.client || "nobody"} until ${binding.expiresAt}`;
  });
  return `the stores disagree for good: ${a} / ${b}`;
}

/** L4: a client nobody knows gets an address, when there is one to give. */
function probe(run: Stage): void {
  if (!hasFree(run)) return;
  const client = run.addClient(0xfff0, 0);
  client.startFresh();
  const got = waitFor(run, PROBE_SECONDS + longestHold(run), () => client.grants > 0);
  if (!got && run.checker.violation === null && hasFree(run)) {
    fail(run, "L4", "a new client got no address in time although there are free ones", 0);
  }
}

function hasFree(run: Stage): boolean {
  const [primary] = run.checker.nodes;
  for (const { start, end } of run.plan.config.scopes[0]?.pools ?? []) {
    for (let address: number = start; address <= end; address++) {
      const status = primary.status(address);
      if (status === FREE || status === BACKUP) return true;
      if (status === ABANDONED) continue;
    }
  }
  return false;
}
