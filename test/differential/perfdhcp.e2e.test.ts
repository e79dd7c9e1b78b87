// ISC's own load tool against our engine, as a check of correctness at a modest rate: no exchange is lost, with the partner in NORMAL
// and in COMMUNICATIONS-INTERRUPTED. How much the engine bears is measured by `npm run bench -- perfdhcp`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { LOAD_CONFIGURATION } from "../../dev/peers/load-configuration.ts";
import { PeerLab } from "../../dev/peers/peer-lab.ts";
import { readReport, runPerfdhcp } from "../../dev/peers/perfdhcp.ts";

/** Far below what a busy machine bears; an answer counts as lost only after ten seconds. */
const MODEST = {
  server: "a",
  clients: 50_000,
  rate: 200,
  renewRate: 50,
  releaseRate: 50,
  dropSeconds: 10,
} as const;

describe("perfdhcp", { skip: unmet("root", "ip", "setpriv", "perfdhcp") }, () => {
  const lab = new PeerLab();
  before(() => lab.start(LOAD_CONFIGURATION, []));
  after(() => lab.stop());

  async function load(): Promise<void> {
    const { exchanges, output } = await runPerfdhcp(lab, { ...MODEST, seconds: 6 });
    for (const name of ["DISCOVER-OFFER", "REQUEST-ACK", "REQUEST-ACK (renewal)"]) {
      const count = exchanges[name];
      assert.ok(count !== undefined && count.sent > 200, output);
      assert.equal(count.drops, 0, `${name}: ${output}`);
    }
    assert.ok((exchanges["RELEASE"]?.sent ?? 0) > 200, output);
    assert.match(output, /^rejected leases: 0$/m);
  }

  test(
    "4-way, renewals and releases of 50,000 clients behind a relay: nothing is lost while the partner is in NORMAL",
    load,
  );

  test("nothing is lost after the partner was killed", async () => {
    await lab.cutPartner("b");
    await load();
  });
});

test("perfdhcp's report is read by its sections", () => {
  const { rate, exchanges } = readReport(
    "***Rate statistics***\nRate: 99.5 4-way exchanges/second, expected rate: 100\n\n***Statistics for: DISCOVER-OFFER***\nsent packets: 12\nreceived packets: 10\ndrops: 2\ndrops ratio: 16 %\n\nmin delay: 0.1 ms\navg delay: 1.5 ms\n",
  );
  assert.equal(rate, 99.5);
  assert.deepEqual(exchanges["DISCOVER-OFFER"], { sent: 12, received: 10, drops: 2, averageDelay: 1.5 });
});
