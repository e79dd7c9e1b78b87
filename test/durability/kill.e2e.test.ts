// kill -9 of either engine under client load, with an outside ledger of ACKs: what a client was told is on the disk of
// the engine that told it, what a partner was told is on the disk of the engine that acknowledged it, and no address is
// ever in two hands. LEASEPAIR_KILLS says how many kills; 200 unless told.
// This proves what a process crash can do. That a power cut does no more is proven with the simulated disk, and the
// order of sync and send in sync-order.e2e.test.ts.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { compareStores } from "../../dev/demo/compare-stores.ts";
import { checkAcknowledged, checkHolds, checkPartnerAcks, type StoreVerdict } from "./live-check.ts";
import { addressHistory, TimeWatch } from "./live-history.ts";
import { LiveLoad } from "./live-load.ts";
import { type LeaseRow, LivePair, MEMBERS, type Member } from "./live-pair.ts";

const KILLS = Number(process.env["LEASEPAIR_KILLS"] ?? 200);
const LOAD = { clients: 240, requestsPerSecond: 1000, thinkMs: 220 };
/** Of all kills, those that hit while the other engine is still on its way back to NORMAL. */
const EARLY_SHARE = 0.25;

function other(member: Member): Member {
  return member === "a" ? "b" : "a";
}

/** The run's running totals, and the first thing that went wrong. */
class Killing {
  readonly pair: LivePair;
  readonly load: LiveLoad;
  readonly #times = { a: new TimeWatch(), b: new TimeWatch() };
  readonly checked = { acknowledged: 0, partner: 0, times: 0 };
  kills = 0;

  constructor(pair: LivePair, load: LiveLoad) {
    this.pair = pair;
    this.load = load;
  }

  /** Kills the member, looks at what is left of it, starts it again. */
  async once(victim: Member): Promise<void> {
    const { pair, load } = this;
    await pair.engine(victim).kill();
    this.kills += 1;
    await load.drained();
    const now = Date.now() / 1000;
    const rows = pair.storedLeases(victim);
    const where = `kill ${this.kills}, of ${victim}`;
    const standing = load.ledger.standingAcks(pair.addresses[victim], now);
    this.checked.acknowledged += this.#expect(where, checkAcknowledged(standing, rows));
    const survivor = await pair.engine(other(victim)).leases();
    this.checked.partner += this.#expect(where, checkPartnerAcks(survivor, rows));
    const leases = join(pair.dataDirectory(victim), "leases");
    this.checked.times += this.#expect(where, this.#times[victim].look(leases));
    if (load.ledger.violations.length > 0) fail(pair, where, load.ledger.violations);
    await pause(Math.random() * 150);
    const engine = pair.start(victim);
    const isEarly = Math.random() < EARLY_SHARE;
    if (isEarly) await engine.untilStarted();
    else await engine.untilState("NORMAL");
    await this.#checkRestarted(victim, where);
    await pause(Math.random() * 300);
  }

  /** The engine that came back has in memory what it had on disk. */
  async #checkRestarted(victim: Member, where: string): Promise<void> {
    const { pair, load } = this;
    const server = pair.addresses[victim];
    const before = new Set(load.ledger.standingAcks(server, Date.now() / 1000));
    const rows = await pair.engine(victim).leases();
    // Not what changed while it answered.
    const standing = load.ledger.standingAcks(server, Date.now() / 1000).filter((ack) => before.has(ack));
    this.#expect(`${where}, after its restart`, checkAcknowledged(standing, rows));
  }

  #expect(where: string, verdict: StoreVerdict): number {
    if (verdict.problems.length > 0) fail(this.pair, where, verdict.problems);
    return verdict.checked;
  }
}

/** Fails with the problems and the history of the first address that they name, in both stores. */
function fail(pair: LivePair, where: string, problems: readonly string[]): never {
  const address = /\d+\.\d+\.\d+\.\d+/g;
  const named = problems
    .flatMap((problem) => problem.match(address) ?? [])
    .find((text) => text.startsWith("10."));
  const histories = MEMBERS.flatMap((member) => [
    `${named ?? ""} in the store of ${member}:`,
    ...addressHistory(join(pair.dataDirectory(member), "leases"), named ?? "").slice(-20),
  ]);
  assert.fail(
    `${where}: ${problems.length} problems\n${problems.slice(0, 5).join("\n")}\n${histories.join("\n")}`,
  );
}

/** Both running engines say the same of every lease, and nothing is about to end. */
async function settle(pair: LivePair): Promise<void> {
  for (const deadline = performance.now() + 40_000; ; await pause(200)) {
    const [a, b] = await Promise.all(MEMBERS.map((member) => pair.engine(member).leases()));
    const soon = Date.now() / 1000 + 5;
    const isEnding = (row: LeaseRow) => row.status === "ACTIVE" && Number(row.expiresAtUnix) < soon;
    const isOwed = (row: LeaseRow) => row.acknowledged === false;
    const text = (rows: readonly LeaseRow[]) => rows.map((row) => JSON.stringify(row)).join("\n");
    const { differences } = compareStores(text(a!), text(b!));
    const open = [...a!, ...b!].filter((row) => isEnding(row) || isOwed(row));
    if (differences.length === 0 && open.length === 0) return;
    if (performance.now() > deadline) {
      const problems = [...differences, ...open.map((row) => `open: ${JSON.stringify(row)}`)];
      fail(pair, "the pair does not settle", problems);
    }
  }
}

describe("kill -9 of engines under load", () => {
  test(`${KILLS} kills of either engine: 0 acknowledged leases lost, 0 duplicates, no time falls, both stores equal`, async (t) => {
    const pair = new LivePair({ leaseSeconds: 60, mcltSeconds: 60 });
    const servers = MEMBERS.map((member) => pair.addresses[member]);
    const load = new LiveLoad({ ...LOAD, relay: pair.relay, servers, port: pair.dhcpPort });
    try {
      await pair.startBoth();
      const startedAt = performance.now();
      await load.start();
      await pause(500);
      const killing = new Killing(pair, load);
      while (killing.kills < KILLS) await killing.once(Math.random() < 0.5 ? "a" : "b");
      await Promise.all(MEMBERS.map((member) => pair.engine(member).untilState("NORMAL")));
      const seconds = (performance.now() - startedAt) / 1000;
      await load.end(30_000);
      await settle(pair);
      await Promise.all(MEMBERS.map((member) => pair.engine(member).kill()));
      const now = Date.now() / 1000;
      for (const member of MEMBERS) {
        const verdict = checkHolds(load.ledger, pair.storedLeases(member), now);
        if (verdict.problems.length > 0)
          fail(pair, `at the end, in the store of ${member}`, verdict.problems);
      }
      const { differences, leases } = compareStores(pair.dumpText("a"), pair.dumpText("b"));
      assert.deepEqual(differences, []);
      assert.deepEqual(load.ledger.violations, []);
      t.diagnostic(
        `${killing.kills} kills in ${seconds.toFixed(0)} s, ${load.ledger.acks} ACKs, ` +
          `${(load.requests / seconds).toFixed(0)} requests/s, ${leases} addresses with a record; compared: ` +
          `${JSON.stringify(killing.checked)}; exchanges: ${JSON.stringify(Object.fromEntries(load.done))}`,
      );
      // A run in which little happened proves little.
      assert.ok(killing.checked.acknowledged > 20 * KILLS, JSON.stringify(killing.checked));
      assert.ok(killing.checked.partner > 10 * KILLS, JSON.stringify(killing.checked));
    } catch (error) {
      for (const member of MEMBERS) t.diagnostic(pair.engine(member).story());
      throw error;
    } finally {
      load.stop();
      await pair.stop();
    }
  });
});
