// Loss of one store, then of the other, under load: each member fetches everything from its partner and waits the MCLT, the
// partner serves meanwhile, and no address is in two hands. Long, because every wait is a real one.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Member } from "./live-pair.ts";
import { expectAgreement, withPair } from "./live-run.ts";
import { expectRecovered, STORE_LOSS_LOAD, untilAcks } from "./live-store-loss.ts";

test("one store is lost under load, and when the pair is NORMAL again the other one: no duplicate", async (t) => {
  await withPair(t, STORE_LOSS_LOAD, async (run) => {
    const { pair, load } = run;
    await pair.startBoth();
    await load.start();
    for (const member of ["b", "a"] satisfies Member[]) {
      await untilAcks(run, 200);
      await pair.engine(member).kill();
      rmSync(join(pair.dataDirectory(member), "leases"), { recursive: true });
      const empty = pair.start(member);
      await empty.until("a new store", (line) => line.event === "store-created");
      await expectRecovered(run, member);
    }
    await expectAgreement(run);
  });
});
