// PARTNER-DOWN declared of a member that lives: cut off from the API and from its partner, it goes on serving the clients that
// reach it, and the witness rule alone keeps the two apart (docs/protocol/witness.md).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { recordFact } from "./disturbance.ts";
import { AUTOMATIC, memberStatus, pairObjects, SERVERS } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";

/** So few addresses that the survivor needs those of the member that was cut off. */
const FAR_END = "10.40.1.250";
const GRANT_MS = 90_000;
/** A member with nobody to ask gives nothing that outlives its last proof by the MCLT of 60 s, and under 30 s nothing new. */
const NO_NEW_AFTER_MS = 35_000;
/** The partner had acknowledged renewals until then, each for a lease time of 60 s and half of that; MCLT comes on top. */
const SILENT_AFTER_MS = 150_000;
/** Silent: every client has asked it several times since. */
const SILENCE_MS = 15_000;
const TAKEOVER_MS = 120_000;

describe("a wrong partner-down on a real cluster", { skip: clusterUnmet(), timeout: 840_000 }, () => {
  const pair = runningPair(pairObjects({ partnerDown: AUTOMATIC }, FAR_END));

  it("no address is given twice, the cut-off side falls silent, and both are NORMAL once healed", async () => {
    const cut = (state: "up" | "down") => {
      for (const link of ["eth0", "lan1"] as const) pair.cluster.network.cable(1, link, state, false);
    };
    await pair.disturb.with("wrong partner-down", async () => {
      const began = performance.now();
      const elapsed = () => performance.now() - began;
      const tell = (what: string, ms: number) =>
        recordFact(`wrong partner-down, after the cut: ${what}`, `${(ms / 1000).toFixed(1)} s`);
      cut("down");
      const state = () => String(memberStatus(pair.cluster, "b")["state"]);
      await eventually("b in PARTNER-DOWN", GRANT_MS, state, (seen) => seen === "PartnerDown");
      tell("until it was granted", elapsed());
      const silence = () => pair.disturb.fleet.silence(SERVERS.a);
      await eventually("a to fall silent", 2 * SILENT_AFTER_MS, silence, ({ any }) => any > SILENCE_MS);
      const { any, newClient } = await silence();
      const lastNew = elapsed() - newClient;
      const lastAny = elapsed() - any;
      tell("last new client of the cut-off side", lastNew);
      tell("last renewal by the cut-off side", lastAny);
      assert.ok(lastNew < NO_NEW_AFTER_MS, `it served a new client ${lastNew} ms after the cut`);
      assert.ok(lastAny < SILENT_AFTER_MS, `it renewed ${lastAny} ms after the cut`);
      const served = () => pair.disturb.fleet.silence(SERVERS.b);
      await eventually("b to serve new clients", TAKEOVER_MS, served, ({ newClient }) => newClient < 1_000);
      cut("up");
    });
  });
});
