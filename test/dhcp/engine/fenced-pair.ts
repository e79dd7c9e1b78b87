// A pair under Witness, with the record in the API that both read while they reach it. What the controller would do with
// the record a test does itself.

import assert from "node:assert/strict";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import type { WitnessReading } from "../../../src/dhcp/engine/event.ts";
import { Pair, relationship } from "./pair.ts";

type Member = Pair["a"];

/** Each member reads the witness once in so long while it reaches the API. */
const READ_MS = 1_000;

export class FencedPair extends Pair {
  record = { epoch: 0, holder: null as string | null, holderStore: "", stores: {} as Record<string, string> };
  /** Members that the API answers. */
  readonly reaching = new Set<Member>([this.a, this.b]);

  constructor(changes: Partial<CompiledRelationship> = {}) {
    super(relationship({ fencing: "Witness", uid: "u-1", ...changes }));
  }

  override startBoth(): this {
    this.listStores();
    return super.startBoth();
  }

  listStores(): void {
    this.record.stores = { a: this.a.store, b: this.b.store };
  }

  /** What the API would answer now. */
  reading(changes: Partial<WitnessReading> = {}): WitnessReading {
    return this.witness({ fencing: "Witness", ...this.record, ...changes });
  }

  read(node: Member, changes: Partial<WitnessReading> = {}): void {
    this.deliver(node, { kind: "witness-read", witness: this.reading(changes) });
  }

  grant(node: Member): void {
    const { epoch, holder } = this.record;
    assert.equal(holder, null, "granted over a holder");
    this.record = { ...this.record, epoch: epoch + 1, holder: node.name, holderStore: node.store };
  }

  /** The holder gave the grant back, or is certainly dead. */
  clear(): void {
    this.record = { ...this.record, holder: null, holderStore: "" };
  }

  /** Time passes, and the members read. */
  pass(durationMs: number): void {
    const end = this.boot + durationMs;
    while (this.boot < end) {
      this.run(Math.min(READ_MS, end - this.boot));
      for (const node of [this.a, this.b])
        if (node.runner !== null && this.reaching.has(node)) this.read(node);
    }
  }

  passUntil(claim: string, holds: () => boolean, limitMs = 60_000): void {
    const end = this.boot + limitMs;
    while (!holds()) {
      const states = [this.a, this.b].map((node) => node.runner && node.state).join(", ");
      assert.ok(this.boot < end, `${claim} within ${limitMs} ms; ${states}`);
      this.pass(READ_MS);
    }
  }

  bothNormal(limitMs = 60_000): this {
    this.passUntil("both NORMAL", () => this.a.state === "NORMAL" && this.b.state === "NORMAL", limitMs);
    this.passUntil("settled", () => this.a.report.unackedUpdates + this.b.report.unackedUpdates === 0);
    return this;
  }

  /** Neither hears the other any more, and both know it. */
  apart(): this {
    this.cut();
    this.passUntil("apart", () =>
      [this.a, this.b].every((node) => node.runner === null || node.state !== "NORMAL"),
    );
    return this;
  }

  /** The member dies and the other is granted PARTNER-DOWN. */
  declareDown(dead: Member): void {
    this.kill(dead);
    const survivor = this.partnerOf(dead);
    this.passUntil("interrupted", () => survivor.state === "COMMUNICATIONS-INTERRUPTED");
    this.grant(survivor);
    this.passUntil("PARTNER-DOWN", () => survivor.state === "PARTNER-DOWN");
    this.run(10);
  }
}
