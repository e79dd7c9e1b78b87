// Stores that are put back to an old copy, or swapped, while clients go on: no address in two hands, nobody answered by a
// member that does not know what it gave, and at each step what docs/runbooks/store-lost.md says that the operator sees.
// The loss of one store, and of both in turn, is in store-loss.long.test.ts.

import assert from "node:assert/strict";
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MEMBERS, type Member } from "./live-pair.ts";
import { expectAgreement, expectNoViolation, withPair } from "./live-run.ts";
import { expectRecovered, STORE_LOSS_LOAD, untilAcks } from "./live-store-loss.ts";

test("an old copy put back under load, then both disks swapped: no duplicate, and each step is told", async (t) => {
  await withPair(t, STORE_LOSS_LOAD, async (run) => {
    const { pair, load } = run;
    await pair.startBoth();
    await load.start();
    await untilAcks(run, 200);
    const leasesOf = (member: Member) => join(pair.dataDirectory(member), "leases");
    const copy = join(pair.directory, "copy");
    cpSync(leasesOf("b"), copy, { recursive: true });
    // Well below the 30 seconds after which a running engine writes down a contact.
    await untilAcks(run, 200);
    await pair.engine("b").kill();
    rmSync(leasesOf("b"), { recursive: true });
    cpSync(copy, leasesOf("b"), { recursive: true });
    const old = pair.start("b");
    await old.until("the verdict", (line) => line.event === "store-outdated");
    await expectRecovered(run, "b");

    await Promise.all(MEMBERS.map((member) => pair.engine(member).kill()));
    const swap = () => {
      const aside = join(pair.directory, "aside");
      renameSync(leasesOf("a"), aside);
      renameSync(leasesOf("b"), leasesOf("a"));
      renameSync(aside, leasesOf("b"));
    };
    swap();
    const before = MEMBERS.map((member) => pair.dumpText(member));
    for (const member of MEMBERS) {
      const refused = pair.start(member);
      assert.equal(await refused.ended(), 3, refused.story());
      assert.match(refused.errors, /holds the lease store of member "[ab]".*but this engine is member/s);
    }
    assert.deepEqual(
      MEMBERS.map((member) => pair.dumpText(member)),
      before,
      "nothing was changed",
    );
    swap();
    await pair.startBoth();
    await untilAcks(run, 100);
    expectNoViolation(run, "after the swap");
    await expectAgreement(run);
  });
});
