// A human's word on an engine's own machine, without a grant, that its partner is down, with fencing Witness. Said rightly: the API
// is out of reach of both, and of the partner until the two have met again, be it off or cut off. Said wrongly: while the API answers,
// which the engine must notice and refuse; the checker judges. A wrong word that nothing can notice is not said: it is unsafe.
// Source: docs/protocol/witness.md, "Without the API" (answer h).

import { NORMAL, PARTNER_DOWN } from "./ledger.ts";
import { type NodeIndex, other } from "./network.ts";
import type { Prng } from "./prng.ts";
import type { Stage } from "./stage.ts";
import { WitnessApi } from "./witness-api.ts";

/** Of its last answer the engine must still know when it is told a wrong word. */
const WRONG_WITHIN_MS = 30_000;
/** Longer than an engine counts its API as answering after the last answer. */
const SILENT_MS_MIN = 62_000;
const LOOK_EVERY_MS = 1_000;

export class LocalWords {
  private readonly run: Stage;
  private readonly prng: Prng;
  private words = 0;

  constructor(run: Stage, prng: Prng) {
    this.run = run;
    this.prng = prng;
  }

  /** Somebody says a word, rightly or wrongly, where it can be said. */
  sayOne(): void {
    const { prng } = this;
    const survivor: NodeIndex = prng.chance(0.5) ? 0 : 1;
    if (prng.chance(0.6)) this.prepare(survivor);
    else if (prng.chance(0.3)) this.sayWrongly(survivor);
    else this.tempt(survivor);
  }

  private get api(): WitnessApi | null {
    const { operator } = this.run;
    return operator instanceof WitnessApi ? operator : null;
  }

  /** The two are apart, and the API answers: what a grant is for. */
  private tempt(node: NodeIndex): void {
    const { link, plan, world } = this.run;
    link.blocked[0] = link.blocked[1] = true;
    const noticedMs = plan.timing.contactLossMs + this.prng.between(0, 20_000);
    world.after(noticedMs, () => {
      if (!this.run.health.healed) this.sayWrongly(node);
      link.unblock();
    });
  }

  private sayWrongly(node: NodeIndex): void {
    const { checker, nodes, world } = this.run;
    const isAnswered = world.now - checker.nodes[node].answeredAt < WRONG_WITHIN_MS;
    if (isAnswered && checker.nodes[node].fenced && nodes[node].listening) this.say(node, "wrong");
  }

  /** Both lose the API, and the survivor its partner: by power, or because all ways between them are cut. */
  private prepare(survivor: NodeIndex): void {
    const { api, prng } = this;
    const { link, world } = this.run;
    const down = other(survivor);
    if (api === null || api.wordAgainst !== null || !this.isWorthAWord(api, down)) return;
    world.trace(() => "the API is out of reach of both");
    api.wordAgainst = down;
    api.isOutFor[survivor] = api.isOutFor[down] = true;
    if (prng.chance(0.5)) {
      api.keptDown = down;
      this.run.powerLoss?.(down);
    } else link.blocked[0] = link.blocked[1] = true;
    world.after(SILENT_MS_MIN + prng.between(0, 60_000), () => this.sayRightly(survivor));
  }

  /** A partner that holds a grant, or may be about to, is not down; and who has lost its store has leases only it can tell. While
   *  fencing is being switched, one that is not capped yet is no safer than without. */
  private isWorthAWord(api: WitnessApi, down: NodeIndex): boolean {
    const { nodes } = this.run.checker;
    if (nodes.some(({ fenced, wasEverNormal, forgetful }) => !fenced || !wasEverNormal || forgetful))
      return false;
    return api.fencing === "Witness" && api.holder !== down && nodes[down].state !== PARTNER_DOWN;
  }

  private sayRightly(survivor: NodeIndex): void {
    const { health, nodes } = this.run;
    if (!health.healed && nodes[survivor].listening) this.say(survivor, "right");
    this.follow(survivor, this.prng.spread(1, 3600) * 1000);
  }

  /** What is lost comes back bit by bit; the API for the partner last, once nothing can be given twice any more. */
  private follow(survivor: NodeIndex, outageMs: number): void {
    const { api, prng } = this;
    const { link, nodes, world } = this.run;
    if (api === null) return;
    const isFollowed = nodes[survivor].report()?.state === "PARTNER-DOWN";
    const laterMs = (): number => (isFollowed ? prng.fraction() * outageMs : 0);
    world.after(laterMs(), () => {
      // Another word may have been said meanwhile, of this one.
      if (api.wordAgainst !== survivor) api.isOutFor[survivor] = false;
    });
    world.after(laterMs(), () => {
      api.keptDown = null;
      link.unblock();
    });
    // Who acts on a word alone may lose power as well.
    const isLostLater = isFollowed && prng.chance(0.4);
    if (isLostLater) world.after(prng.fraction() * outageMs, () => this.run.powerLoss?.(survivor));
    const look = (): void => {
      if (isFollowed && !this.isOver(api, survivor)) world.after(LOOK_EVERY_MS, look);
      else api.endWord();
    };
    look();
  }

  /** The two have met, or a grant stands in the word's place, or the partner has nothing left to give. */
  private isOver(api: WitnessApi, survivor: NodeIndex): boolean {
    const { nodes } = this.run.checker;
    const { entered, returned, state } = nodes[survivor];
    const isGranted = api.holder === survivor && entered === api.epoch && returned < api.epoch;
    return state === NORMAL || isGranted || nodes[other(survivor)].forgetful;
  }

  private say(node: NodeIndex, kind: "right" | "wrong"): void {
    const { checker, nodes, world } = this.run;
    world.trace(() => `${nodes[node].name} is told a ${kind} word that its partner is down`);
    checker.cover(node, `${kind} word`);
    checker.wordSaid(node);
    const operation = `word-${++this.words}`;
    nodes[node].deliver({
      kind: "declared-partner-down",
      operation,
      digest: "0".repeat(64),
      atOnce: true,
    });
  }
}
