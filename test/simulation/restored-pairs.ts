// Both stores lost at once, and both put back from backups by the runbook: marked as restored, so that neither is believed. Then
// the two tell each other all that they have. With fencing they wait for a human, who says in the end that no lease of since
// the backups can run any more, and switches fencing off until both are NORMAL. Without, they wait the MCLT alone, and the human, who
// waits for the longest lease before they are started. S1 stays exact, for this human is a patient one.
// Source: docs/runbooks/store-lost.md, docs/protocol/witness.md W10.

import { NORMAL, PARTNER_DOWN } from "./ledger.ts";
import type { Prng } from "./prng.ts";
import type { Stage } from "./stage.ts";
import type { Copy } from "./store-faults.ts";
import { WitnessApi } from "./witness-api.ts";

const OUTAGE_MS_MIN = 5_000;
const OUTAGE_MS_MAX = 1_800_000;
const LOOK_EVERY_MS = 2_000;
/** A client may count its lease 500 ppm too slowly. */
const SLOWEST_CLIENT = 1.001;
const AFTER_LAST_LEASE_MS = 10_000;

export class RestoredPairs {
  private readonly run: Stage;
  private readonly prng: Prng;
  /** Both machines are without their disks. */
  isDown = false;
  /** From then on no lease can run that the two copies do not know. */
  private forgottenAt = 0;
  private startsAt = 0;

  constructor(run: Stage, prng: Prng) {
    this.run = run;
    this.prng = prng;
  }

  /** How long it still takes until both are started and the human has waited, in seconds. */
  get waitsSeconds(): number {
    return Math.max(0, this.startsAt - this.run.world.now, this.forgottenAt - this.run.world.now) / 1000;
  }

  /** Both disks are lost, if somebody has copies of both. `backUp` starts them again. */
  loseBoth(copies: readonly (Copy | null)[], backUp: () => void): void {
    const { checker, configurations, nodes, world } = this.run;
    const found = copies.filter((copy, node) => copy !== null && copy.store === nodes[node]?.lastStore);
    if (found.length < nodes.length || !this.mayLose()) return;
    world.trace(() => "both stores are lost");
    this.isDown = true;
    for (const node of nodes) if (node.running) node.crash(true);
    const lastLeaseMs = configurations.longestLease * SLOWEST_CLIENT * 1000 + AFTER_LAST_LEASE_MS;
    this.forgottenAt = world.now + lastLeaseMs;
    const isFenced = this.api !== null;
    if (this.api !== null) this.api.storesLost = true;
    const outageMs = this.prng.spread(OUTAGE_MS_MIN, OUTAGE_MS_MAX) + (isFenced ? 0 : lastLeaseMs);
    this.startsAt = world.now + outageMs;
    world.after(outageMs, () => {
      for (const [node, copy] of found.entries()) if (copy !== null) nodes[node]?.restoreMarked(copy.files);
      checker.cover(0, "both stores restored");
      checker.awaitsHuman = isFenced;
      this.isDown = false;
      backUp();
      if (this.api !== null) this.waitForHuman(this.api);
    });
  }

  private get api(): WitnessApi | null {
    const { operator } = this.run;
    return operator instanceof WitnessApi ? operator : null;
  }

  /** One after the other; and with fencing, or while nobody has been declared down by a word that still stands. */
  private mayLose(): boolean {
    const { checker, nodes, operator } = this.run;
    if (
      checker.isDeclaredWrongly ||
      this.isDown ||
      this.api?.storesLost === true ||
      operator.wordAgainst !== null
    )
      return false;
    if (checker.nodes.some(({ forgetful, wasEverNormal }) => forgetful || !wasEverNormal)) return false;
    if (this.api !== null)
      return this.api.fencing === "Witness" && checker.nodes.every(({ fenced }) => fenced);
    const isAlone = checker.nodes.some(({ state }) => state === PARTNER_DOWN);
    return !isAlone && operator.holder === null && nodes.length === 2;
  }

  /** Fencing goes off when every lease that nobody knows is over, and on again when both are NORMAL. */
  private waitForHuman(api: WitnessApi): void {
    const { checker, world } = this.run;
    const look = (): void => {
      if (checker.awaitsHuman) {
        if (world.now >= this.forgottenAt && api.switchTo("None")) checker.awaitsHuman = false;
      } else if (checker.nodes.every(({ state }) => state === NORMAL) && api.switchTo("Witness")) {
        api.storesLost = false;
        return;
      }
      world.after(LOOK_EVERY_MS, look);
    };
    look();
  }
}
