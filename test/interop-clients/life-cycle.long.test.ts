// Real clients of Debian's packages through their whole lives, against a pair of real engines.
// Source: RFC 2131 figure 5 (the client's states). Needs root for namespaces; a client whose package is missing is skipped.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { hasProgram } from "../../dev/lib/debian-packages.ts";
import { ClientLab } from "./client-lab.ts";
import { CLIENT_KINDS, RealClient } from "./real-client.ts";

const mayRun = process.getuid?.() === 0 && hasProgram("ip") && hasProgram("busybox");

describe("real clients", {
  skip: mayRun ? false : "needs root, iproute2 and busybox",
  concurrency: true,
}, () => {
  const lab = new ClientLab();
  before(() => lab.start());
  after(() => lab.stop());

  for (const kind of CLIENT_KINDS) {
    const skip = hasProgram(kind.program) ? false : `Debian's package ${kind.package} is not installed`;
    test(`${kind.name}: first lease, renew, rebind, roam, reboot, release, decline`, {
      skip,
      timeout: 400_000,
    }, async () => {
      const client = new RealClient(lab, kind);
      try {
        client.start();
        const first = await client.next("a first lease", 0, 30_000);
        assert.match(first.address, /^10\.20\.0\.1\d\d$/);
        assert.equal(first.seconds, 60);
        assert.match(first.server, /^10\.20\.0\.1[12]$/);

        const renewed = await client.next("a renewal", 1, (kind.renewSeconds + 20) * 1000);
        assert.equal(renewed.address, first.address);

        let seen = client.events().length;
        client.blackhole(first.server, "add");
        // No unicast reaches the server now: whatever comes was broadcast.
        const limit = (kind.rebindSeconds + 30) * 1000;
        const rebound = await client.next("a rebind", seen, limit);
        assert.equal(rebound.address, first.address);
        client.blackhole(first.server, "del");

        seen = client.events().length;
        lab.move(kind.name, "lan1");
        const moved = await client.next("an address of the other segment", seen, 150_000, ({ address }) =>
          address.startsWith("10.30.0."),
        );

        await client.crash();
        seen = client.events().length;
        const logged = client.log().length;
        const naks = lab.outcomes("nak:wrong-network");
        client.start();
        const rebooted = await client.next("its address after a reboot", seen, 30_000);
        assert.equal(rebooted.address, moved.address);
        if (kind.rebootLog !== null) assert.match(client.log().slice(logged), kind.rebootLog);
        assert.ok(naks > 0, "the move was told by a NAK");

        const released = lab.outcomes("released");
        await client.release();
        await lab.until(
          `${kind.name}: the release is heard`,
          10_000,
          () => lab.outcomes("released") > released,
        );

        const declined = lab.outcomes("declined");
        lab.squat(moved.address, "lan1", "add");
        client.refuse(moved.address);
        seen = client.events().length;
        client.start();
        const other = await client.next(
          "another address after a decline",
          seen,
          90_000,
          ({ address }) => address !== moved.address,
        );
        assert.match(other.address, /^10\.30\.0\.1\d\d$/);
        assert.ok(lab.outcomes("declined") > declined);
      } finally {
        await client.stop();
      }
    });
  }
});
