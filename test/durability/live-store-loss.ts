// What both tests of lost stores look at: a member without a memory answers nobody until it is safe, its partner serves,
// and the two come to terms.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Member } from "./live-pair.ts";
import { expectNoViolation, type LiveRun } from "./live-run.ts";

export const STORE_LOSS_LOAD = { clients: 120, requestsPerSecond: 400, thinkMs: 300 };
/** MCLT is 60 s here; the rest is for a busy machine. */
const RECOVERY_MS = 180_000;
const PATIENCE_MS = 60_000;

/** Resolves once so many more ACKs have arrived. */
export async function untilAcks({ load }: LiveRun, more: number): Promise<void> {
  const wanted = load.ledger.acks + more;
  for (const end = performance.now() + PATIENCE_MS; load.ledger.acks < wanted; await pause(20))
    assert.ok(performance.now() < end, `${load.ledger.acks} ACKs, ${wanted} wanted: nobody serves`);
}

/** The member was started without a memory that counts: it serves nobody through RECOVER and RECOVER-WAIT while its
 *  partner does, and both end in NORMAL. */
export async function expectRecovered(run: LiveRun, member: Member): Promise<void> {
  const { pair } = run;
  const engine = pair.engine(member);
  await engine.untilState("RECOVER-WAIT");
  const waiting = await engine.status();
  assert.equal(waiting["serving"], "None", JSON.stringify(waiting));
  await untilAcks(run, 100);
  for (const end = performance.now() + RECOVERY_MS; ; await pause(250)) {
    const { state, serving } = await engine.status();
    if (state === "NORMAL") break;
    // RECOVER-DONE, which lasts for a moment, renews.
    const allowed = state === "RECOVER-DONE" ? "RenewOnly" : "None";
    assert.equal(serving, allowed, `${member} serves in ${state}`);
    assert.ok(performance.now() < end, `${member} is still in ${state}\n${engine.story()}`);
  }
  await untilAcks(run, 100);
  expectNoViolation(run, `${member} is back`);
}
