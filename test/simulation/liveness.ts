// After the faults: everything is healed and stays so. Within a bound both engines must be NORMAL, every update settled,
// both disks must say the same of every address, updates must stop, and a new client must get one. Source: liveness L1-L4.

import type { Disturber } from "./disturber.ts";
import { ACTIVE, BACKUP, FREE, NORMAL, STATUS_NAME, stateName } from "./ledger.ts";
import type { RunPlan } from "./run-plan.ts";
import type { Stage } from "./stage.ts";
import { WitnessApi } from "./witness-api.ts";

const NORMAL_SECONDS = 60;
const AGREE_SECONDS = 240;
/** Longer than an address stays held for a client that was offered it and fell silent. */
const PROBE_SECONDS = 240;
/** So long is watched whether the updates stop. */
const QUIET_SECONDS = 60;
const STEP_MS = 1_000;
const FIRST_PROBE = 0xfff0;

/** Runs the healed world on and reports what does not recover. */
export function checkRecovery(run: Stage, disturber: Disturber): void {
  const { checker, plan } = run;
  const longest = Math.max(plan.timing.contactLossMs, plan.timing.dialRetryMs) / 1000;
  // RECOVER-WAIT lasts MCLT; a takeover under way is not interrupted.
  const bound =
    NORMAL_SECONDS +
    run.configurations.mcltRange.longest * 2 +
    longest * 3 +
    plan.operator.readMsMax / 1000 +
    plan.operator.keepsDownSecondsMax +
    disturber.clockBackSeconds +
    disturber.restored.waitsSeconds +
    (run.operator instanceof WitnessApi ? run.operator.catchesUpSeconds : 0) +
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
  if (checker.violation === null) probe(run, FIRST_PROBE, disturber.clockBackSeconds);
  if (checker.violation === null && plan.disturbances.slowSyncs > 0) probeBesideSlowDisks(run);
}

/** Disks that are slow for good lose the link again and again, and no client (W12). */
function probeBesideSlowDisks(run: Stage): void {
  run.checker.ignoreSettledUpdates();
  for (const node of run.nodes) {
    node.slowDisk(Number.POSITIVE_INFINITY, run.plan.disturbances.slowSyncMsMax);
  }
  probe(run, FIRST_PROBE + 1, 0);
}

/** A grant to a pair that never ran: nobody but a human knows that no store was lost before (W10). */
function waitsForHuman({ plan, operator, checker }: Stage): boolean {
  return (
    plan.api !== null && operator.epoch > 0 && checker.nodes.every(({ wasEverNormal }) => !wasEverNormal)
  );
}

/** A stepped clock costs time: until every promise of before is surely over. */
function longestDoubt({ configurations, checker }: Stage): number {
  if (checker.clockSlackSeconds === 0) return 0;
  return configurations.longestLease * 1.5 + configurations.mcltRange.longest * 2;
}

/** With fencing, where a store was lost, or where the partner of a new one was declared down, a hold may keep an address until
 *  every promise, the MCLT and the margin are over (W9, W10). */
function longestHold({ plan, configurations, checker }: Stage): number {
  const { lost, flipped } = plan.storeFaults;
  const restored = plan.storeFaults.restored + plan.disturbances.restoreBoth;
  if (plan.api === null && lost + restored + flipped + plan.operator.declares === 0) return 0;
  // One that begins while an old copy's doubt of a stepped clock outlasts a restart ends later by that copy's age.
  const age = restored > 0 && checker.clockSlackSeconds > 0 ? plan.seconds : 0;
  return configurations.longestLease * 2 + configurations.mcltRange.longest * 2 + age;
}

/** On disk: a member that is down counts for nothing, whatever it was before. */
function bothNormal(run: Stage): boolean {
  const [primary, secondary] = run.checker.nodes;
  if (!run.nodes.every(({ running }) => running)) return false;
  if (run.operator instanceof WitnessApi && run.operator.isBehind) return false;
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
  return Math.abs((a?.expiresAt ?? 0) - (b?.expiresAt ?? 0)) > run.checker.recordSlackSeconds;
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
function probe(run: Stage, index: number, clockBackSeconds: number): void {
  const site = servedSite(run);
  if (!hasFree(run, site)) return;
  const client = run.addClient(index, site);
  client.startFresh();
  const got = waitFor(run, PROBE_SECONDS + clockBackSeconds + longestHold(run), () => client.grants > 0);
  if (!got && run.checker.violation === null && hasFree(run, site)) {
    fail(run, "L4", "a new client got no address in time although there are free ones", 0);
  }
}

/** A site whose scope is there in the end. */
function servedSite({ plan, configurations }: Stage): number {
  const subnets = plan.config.scopes.map(({ subnet }) => subnet.address);
  return subnets.findIndex((address) => scopeOn(configurations.newest, address) !== undefined);
}

function scopeOn({ scopes }: RunPlan["config"], address: number) {
  return scopes.find(({ subnet }) => subnet.address === address);
}

function hasFree({ plan, checker, configurations }: Stage, site: number): boolean {
  const [primary] = checker.nodes;
  const subnet = plan.config.scopes[site]?.subnet.address ?? 0;
  const excluded = new Set<number>(configurations.newest.excludedAddresses);
  for (const { start, end } of scopeOn(configurations.newest, subnet)?.pools ?? []) {
    for (let address: number = start; address <= end; address++) {
      if (excluded.has(address)) continue;
      const status = primary.status(address);
      if (status === FREE || status === BACKUP) return true;
    }
  }
  return false;
}
