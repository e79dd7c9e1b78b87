// The operator and the witness record in a simulated run: declares PARTNER-DOWN by a grant, with fencing None, and only
// while the other engine is truly down and kept down until the grant is entered (assumption A1); clears the grant when
// the holder reports that it gave it back. Engines read the record late. Source: docs/protocol/witness.md W1, W8a.

import type { WitnessReading } from "../../src/dhcp/engine/event.ts";
import { type NodeIndex, other } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

export interface OperatorHabits {
  /** Share of outages that are declared. 0 = there is no operator and no witness. */
  readonly declares: number;
  /** Share of declarations that are a word to the survivor itself, from a manifest, and no grant. */
  readonly locally: number;
  /** Mean seconds between two declarations that are not true; 0 = none. */
  readonly wrongly: number;
  /** Longest time until an engine has read the record again. */
  readonly readMsMax: number;
  /** How long a declared engine stays down at most after the grant was entered, in seconds. */
  readonly keepsDownSecondsMax: number;
}

/** Who decides that an engine is down: people (this file), or the controllers behind the API (witness-api.ts). */
export interface Declarer {
  /** The engine that must stay down: a grant against it may not be entered yet. */
  readonly keptDown: NodeIndex | null;
  readonly holder: NodeIndex | null;
  /** The engine that a word without a grant declared down, under Witness. */
  readonly wordAgainst: NodeIndex | null;
  /** The engine that an operation has stopped for a while. */
  stoppedMember: NodeIndex | null;
  /** Rises with each grant. */
  readonly epoch: number;
  begin(): void;
  /** An engine is dead for certain. */
  wentDown(node: NodeIndex): void;
  /** The faults are over: a declaration that nobody followed is taken back. */
  withdraw(): void;
}

const LOOK_EVERY_MS = 2_000;

export class Operator implements Declarer {
  /** The engine that must stay down: a grant against it may not be entered yet. */
  keptDown: NodeIndex | null = null;
  epoch = 0;
  holder: NodeIndex | null = null;
  readonly wordAgainst = null;
  stoppedMember: NodeIndex | null = null;
  private readonly world: World;
  private readonly prng: Prng;
  private readonly nodes: readonly [SimNode, SimNode];
  private readonly names: readonly [string, string];
  private readonly habits: OperatorHabits;
  private readonly stores: [string, string] = ["", ""];
  private holderStore = "";
  private version = 0;
  /** The engine whose way back is planned. */
  private lettingBack: NodeIndex | null = null;

  constructor(options: {
    world: World;
    prng: Prng;
    nodes: readonly [SimNode, SimNode];
    names: readonly [string, string];
    habits: OperatorHabits;
  }) {
    this.world = options.world;
    this.prng = options.prng;
    this.nodes = options.nodes;
    this.names = options.names;
    this.habits = options.habits;
  }

  begin(): void {
    if (this.habits.declares + this.habits.wrongly === 0) return;
    this.world.after(LOOK_EVERY_MS, () => this.look());
  }

  /** The other engine is dead for certain. Declares it down, perhaps. */
  wentDown(down: NodeIndex): void {
    if (!this.prng.chance(this.habits.declares) || this.holder !== null || this.told !== null) return;
    const survivor = other(down);
    if (this.stores[survivor] === "") return;
    if (this.prng.chance(this.habits.locally)) return this.declareLocally(down);
    this.keptDown = down;
    this.epoch++;
    this.holder = survivor;
    this.holderStore = this.stores[survivor];
    this.world.trace(() => `operator declares ${this.names[down]} down, epoch ${this.epoch}`);
    this.publish();
  }

  /** A human is mistaken: the other engine lives and serves, and nobody keeps it down. False: another declaration stands. */
  declareWrongly(survivor: NodeIndex): boolean {
    if (this.holder !== null || this.told !== null || this.keptDown !== null) return false;
    const { store } = this.nodes[survivor];
    if (store === "") return false;
    this.epoch++;
    this.holder = survivor;
    this.holderStore = store;
    this.world.trace(
      () => `operator wrongly declares ${this.names[other(survivor)]} down, epoch ${this.epoch}`,
    );
    this.publish();
    return true;
  }

  /** A manifest with a DeclarePartnerDown reaches the survivor, which follows it as soon as it knows that it is alone. */
  private declareLocally(down: NodeIndex): void {
    const survivor = this.nodes[other(down)];
    const state = survivor.report()?.state;
    if (state !== "NORMAL" && state !== "COMMUNICATIONS-INTERRUPTED") return;
    this.keptDown = down;
    this.told = survivor.index;
    const { life } = survivor;
    const operation = `down-${++this.words}`;
    this.world.trace(() => `a manifest declares ${this.names[down]} down`);
    survivor.deliver({ kind: "declared-partner-down", operation, digest: "0".repeat(64) });
    const letBack = (): void => {
      // A process that has ended takes what it had not followed yet with it.
      const isFollowed =
        survivor.report()?.state === "PARTNER-DOWN" || survivor.life !== life || !survivor.running;
      if (isFollowed) this.letBackLater();
      else this.world.after(LOOK_EVERY_MS, letBack);
    };
    letBack();
  }

  private words = 0;
  /** The engine that was told so and has not recovered its partner yet: nobody declares anything meanwhile. A start of it ends
   *  that too, so that it may be declared down in turn while its partner recovers. */
  private told: NodeIndex | null = null;

  withdraw(): void {
    const { epoch, holder } = this;
    // Readings of the grant may still be on their way.
    this.world.after(this.habits.readMsMax * 2 + LOOK_EVERY_MS, () => {
      if (holder === null || this.holder !== holder || this.epoch !== epoch) return;
      const report = this.nodes[holder].report();
      if (report !== null && report.entered >= epoch) return;
      this.keptDown = null;
      this.holder = null;
      this.holderStore = "";
      this.publish();
    });
  }

  private look(): void {
    for (const node of this.nodes) if (node.store !== "") this.stores[node.index] = node.store;
    const { holder, told } = this;
    if (told !== null && this.keptDown === null) {
      const state = this.nodes[told].report()?.state ?? "PARTNER-DOWN";
      if (state !== "PARTNER-DOWN") this.told = null;
    }
    if (holder !== null) {
      const report = this.nodes[holder].report();
      if (report !== null && report.entered >= this.epoch) this.letBackLater();
      if (report !== null && report.returned >= this.epoch) {
        this.world.trace(() => `operator clears the grant of epoch ${this.epoch}`);
        this.keptDown = null;
        this.holder = null;
        this.holderStore = "";
      }
    }
    this.publish();
    this.world.after(LOOK_EVERY_MS, () => this.look());
  }

  /** The grant is entered: the other engine may return, sooner or later. */
  private letBackLater(): void {
    const { keptDown, epoch, words } = this;
    if (keptDown === null || this.lettingBack === keptDown) return;
    this.lettingBack = keptDown;
    this.world.after((0.3 + 0.7 * this.prng.fraction()) * this.habits.keepsDownSecondsMax * 1000, () => {
      this.lettingBack = null;
      if (this.epoch === epoch && this.words === words) this.keptDown = null;
    });
  }

  private publish(): void {
    const reading: WitnessReading = {
      uid: "",
      resourceVersion: String(++this.version),
      fencing: "None",
      provenAt: null,
      epoch: this.epoch,
      holder: this.holder === null ? null : this.names[this.holder],
      holderStore: this.holderStore,
      stores: { [this.names[0]]: this.stores[0], [this.names[1]]: this.stores[1] },
    };
    for (const node of this.nodes) {
      this.world.after(this.prng.between(1, this.habits.readMsMax), () => {
        node.deliver({ kind: "witness-read", witness: reading });
      });
    }
  }
}
