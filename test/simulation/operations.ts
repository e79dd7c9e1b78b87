// FailoverOperations in a simulated run with fencing: Switchovers, Soft and Stop, TestFailovers and declarations, one at a time. The
// controller's own decisions carry them out, on what it sees of the pair, old as that may be; what they ask for is done here.
// A word that a machine is destroyed is true, for nothing could make a wrong one safe (W8 b).
// Source: src/controller/decide/operation.ts.

import { unixSeconds } from "../../src/base/units.ts";
import { operationSteps } from "../../src/controller/decide/operation.ts";
import {
  isFinished,
  isStarted,
  servedByOperation,
  stoppedByOperation,
} from "../../src/controller/decide/operation-outcome.ts";
import { operationStatus } from "../../src/controller/decide/operation-status.ts";
import { NO_CHILDREN, type Plan } from "../../src/controller/decide/plan.ts";
import type { Witness, WitnessChange } from "../../src/controller/decide/witness.ts";
import type { ObservedOperation } from "../../src/controller/observed.ts";
import { type MemberView, observedOf } from "./controller-view.ts";
import type { NodeIndex } from "./network.ts";
import type { Prng } from "./prng.ts";
import { EPOCH_SECONDS } from "./sim-clock.ts";
import type { Stage } from "./stage.ts";
import type { AskedFor, LastReport } from "./witness-api.ts";

const NOTHING_REFUSED: Plan = { problem: null, children: NO_CHILDREN, rollout: { kind: "none" } };

export class Operations implements AskedFor {
  private readonly run: Stage;
  private readonly prng: Prng;
  private operation: ObservedOperation | null = null;
  private stopped: NodeIndex | null = null;
  private made = 0;
  private reason = "";

  constructor(run: Stage, prng: Prng) {
    this.run = run;
    this.prng = prng;
  }

  /** A human creates one; while one is under way nobody creates another. */
  create(epoch: number): void {
    if (this.operation !== null) return;
    const { prng } = this;
    const name = prng.pick(["a", "b"]);
    const nothing = { survivor: null, switchover: null, silence: null };
    const type = prng.pick(["DeclarePartnerDown", "Switchover", "Switchover", "TestFailover"]);
    this.operation = {
      digest: "",
      name: `operation-${++this.made}`,
      uid: "",
      resourceVersion: "",
      generation: 1,
      createdAt: this.now,
      type,
      ...nothing,
      ...(type === "DeclarePartnerDown" && { survivor: name }),
      ...(type === "Switchover" && {
        switchover: { to: name, style: prng.pick(["Soft", "Stop", "Stop"] as const) },
      }),
      ...(type === "TestFailover" && { silence: name }),
      isPartnerDestroyed: prng.chance(0.3),
      forSeconds: Math.round(prng.spread(30, 3600)),
      deadlineSeconds: Math.round(prng.spread(60, 900)),
      ttlSeconds: 0,
      reason: "drawn",
      notAfter: unixSeconds(this.now + Math.round(prng.spread(30, 1800))),
      // Now and then somebody has looked at an older record.
      expectedEpoch: prng.chance(0.5) ? null : epoch - prng.between(0, 1),
      status: {},
    };
  }

  /** It ends, fails or is deleted: everything is as the spec says again. */
  end(): void {
    this.operation = null;
    this.follow();
  }

  /** Whether a Switchover or a TestFailover is under way: nothing is granted by itself meanwhile. */
  get isExercise(): boolean {
    const { operation } = this;
    return operation !== null && operation.survivor === null && isStarted(operation);
  }

  /** One look of a controller; what it wants written into the witness, or null. */
  look(witness: Witness, reports: readonly LastReport[]): WitnessChange | null {
    if (this.operation === null) return null;
    const observed = observedOf({
      now: this.now,
      config: this.run.configurations.newest,
      members: reports.map((report, node) => this.memberView(node as NodeIndex, report)),
      operation: this.operation,
    });
    const [step] = operationSteps(observed, witness, () => NOTHING_REFUSED);
    if (step?.kind === "grant") return this.isTrue(step.change) ? step.change : null;
    if (step !== undefined) {
      this.tell(step.outcome.reason);
      const status = operationStatus(observed, this.operation, step.outcome);
      this.operation = { ...this.operation, status: { ...status } };
      if (isFinished(this.operation)) this.operation = null;
    }
    this.follow();
    return null;
  }

  private get now() {
    return unixSeconds(EPOCH_SECONDS + Math.floor(this.run.world.now / 1000));
  }

  private memberView(node: NodeIndex, { report, atMs }: LastReport): MemberView {
    const { running } = this.run.nodes[node];
    const name = node === 0 ? "a" : "b";
    const heardAt = unixSeconds(EPOCH_SECONDS + Math.floor(atMs / 1000));
    return {
      name,
      report,
      heardAt,
      pod: running ? "running" : this.stopped === node ? "gone" : "broken",
    };
  }

  /** Who is said to be destroyed is off, machine and all. */
  private isTrue({ kind, witness }: WitnessChange): boolean {
    if (kind !== "transferred") return true;
    const holder = this.run.nodes[witness.transferredFrom === "a" ? 0 : 1];
    return !holder.running && !holder.machineUp;
  }

  private tell(reason: string): void {
    const { operation, run } = this;
    if (operation === null || reason === this.reason) return;
    this.reason = reason;
    const { type, name, switchover } = operation;
    run.world.trace(() => `${name}, ${type} ${JSON.stringify(switchover)}: ${reason}`);
    run.checker.cover(0, `operation ${type}${switchover?.style ?? ""} ${reason}`);
  }

  /** Who serves and who is stopped follows from the operation's own status. */
  private follow(): void {
    const { operation, run } = this;
    const operations = operation === null ? [] : [operation];
    run.configurations.serve(servedByOperation(operations, this.now));
    const stopped = stoppedByOperation(operations, [{ name: "a" }, { name: "b" }], this.now);
    const node = stopped === null ? null : stopped.member === "a" ? 0 : 1;
    const isNew = node !== null && this.stopped !== node;
    this.stopped = node;
    run.operator.stoppedMember = node;
    if (isNew) run.stopInOrder?.(node);
  }
}
