// One fault at a time: the pair is NORMAL before it and after it, and in between no lease was lost and no address given
// twice. What was measured goes to where LEASEPAIR_FIGURES says, for docs/reliability.md.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { eventually } from "../../dev/demo/teller.ts";
import type { Fleet } from "./fleet.ts";
import type { FleetReport } from "./fleet-clients.ts";
import { condition, states } from "./pair-objects.ts";

const SETTLE_MS = 120_000;

export class Disturbance {
  readonly #cluster: Cluster;
  readonly #fleet: Fleet;

  constructor(cluster: Cluster, fleet: Fleet) {
    this.#cluster = cluster;
    this.#fleet = fleet;
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

  /** Runs the fault, heals when `fault` has healed it, and gives what the clients saw from its start to NORMAL. */
  async with(name: string, fault: () => Promise<void>): Promise<FleetReport> {
    await this.settle();
    await this.#fleet.restart();
    await this.#fleet.report();
    const began = performance.now();
    await fault();
    await this.settle();
    const report = await this.#fleet.report();
    const seconds = (performance.now() - began) / 1000;
    record({ fault: name, seconds, ...report });
    assert.deepEqual(report.violations, []);
    assert.equal(report.lost, 0, `${report.lost} clients lost their lease`);
    assert.ok(report.newcomers > 0, "no new client was served");
    return report;
  }
}

/** One line of JSON for each measurement. */
export function record(figures: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(figures));
  const file = process.env["LEASEPAIR_FIGURES"] ?? "";
  if (file !== "") appendFileSync(file, `${JSON.stringify({ suite: "cluster", ...figures })}\n`);
}
