// One fault at a time: the pair is NORMAL before it and after it, and in between no lease was lost and no address given
// twice. What was measured goes to where LEASEPAIR_FIGURES says, for docs/reliability.md.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { Fleet } from "./fleet.ts";
import type { FleetReport } from "./fleet-clients.ts";
import { condition, LEASES, pairObjects, SERVERS, states } from "./pair-objects.ts";

/** Those that stay. */
export const CLIENTS = 60;
export const NEWCOMER_EVERY_MS = 200;
const SETTLE_MS = 120_000;

export class Disturbance {
  readonly fleet: Fleet;
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster, fleet: Fleet) {
    this.#cluster = cluster;
    this.fleet = fleet;
  }

  /** Applies the objects and lets clients lease as soon as both members are NORMAL. */
  static async start(cluster: Cluster, objects = pairObjects()): Promise<Disturbance> {
    cluster.apply(objects);
    const fleet = await Fleet.start(cluster, { servers: Object.values(SERVERS), ...LEASES });
    const disturb = new Disturbance(cluster, fleet);
    await disturb.settle();
    await fleet.add(CLIENTS);
    fleet.welcome(NEWCOMER_EVERY_MS);
    return disturb;
  }

  /** Waits until both members are NORMAL and the relationship says so. */
  async settle(): Promise<void> {
    const look = () => `${states(this.#cluster)}; Ready ${condition(this.#cluster, "Ready")}`;
    await eventually(
      "NORMAL on both sides",
      SETTLE_MS,
      look,
      (seen) => seen === "Normal Normal; Ready True Normal",
    );
  }

  /** Runs the fault, which heals itself as far as a person must heal it, and gives what the clients saw from its start until
   *  both are NORMAL. No new client may have waited longer than `limitMs`. */
  async with(name: string, fault: () => Promise<void>, limitMs = Infinity): Promise<FleetReport> {
    await this.settle();
    await this.fleet.restart();
    await this.fleet.report();
    const began = performance.now();
    await fault();
    await this.settle();
    const report = await this.fleet.report();
    const seconds = (performance.now() - began) / 1000;
    record({ fault: name, seconds, ...report });
    assert.deepEqual(report.violations, []);
    assert.equal(report.lost, 0, `${report.lost} clients lost their lease`);
    assert.ok(report.newcomers > 0, "no new client was served");
    const longestMs = Math.max(report.longestWaitMs, report.stillWaitingMs);
    // Whoever reads of it wants to know whether the machine had time for it.
    const load = `load average ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} processors`;
    assert.ok(longestMs <= limitMs, `a new client waited ${longestMs} ms; ${load}`);
    return report;
  }
}

/** Anything else worth a line, in words. */
export function recordFact(what: string, figure: string): void {
  record({ what, figure });
}

/** One line of JSON for each measurement. */
function record(figures: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(figures));
  const file = process.env["LEASEPAIR_FIGURES"] ?? "";
  if (file !== "") appendFileSync(file, `${JSON.stringify({ suite: "cluster", ...figures })}\n`);
}
