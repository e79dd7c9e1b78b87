// A real ISC dhcpd as partner, through a pair's everyday life, in both roles and both modes. What takes longer is in
// dhcpd.long.test.ts; `npm run interop` runs both.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AT_CIRCUIT, CIRCUIT, SERVERS } from "./clients.ts";
import { inLab, LAB_MISSING, type Lab, LEASE_SECONDS, MCLT_SECONDS, POOL } from "./lab.ts";
import { ADDRESS } from "./network.ts";
import { eventually } from "./program.ts";
import { takeOverFromDhcpds } from "./takeover.ts";

const CLIENTS = [1, 2, 3, 4, 5, 6];

describe("with a dhcpd as partner", { skip: LAB_MISSING ?? false, concurrency: 5 }, () => {
  test(
    "a pair of dhcpds is replaced member by member; no client fails, no address changes hands",
    takeOverFromDhcpds,
  );

  test("a client whose address is reserved by circuit is renewed by the dhcpd, which tells no place, and then by us", () => {
    const reserved = { address: POOL[5]!, circuit: CIRCUIT };
    return inLab({ role: "primary", mode: "HotStandby", reserved }, async (lab) => {
      const { address } = reserved;
      const first = await lab.clients.acquire(AT_CIRCUIT);
      assert.deepEqual([first?.address, first?.server], [address, ADDRESS.one]);
      await lab.agree();
      for (const server of [ADDRESS.one, ADDRESS.two, ADDRESS.one]) {
        const held = await lab.clients.renew(AT_CIRCUIT, [server]);
        assert.deepEqual([held?.address, held?.server], [address, server]);
        await lab.agree();
      }
      assert.equal((await lab.engine.leases()).get(address)?.hostname, "printer");
    });
  });

  test("a machine that shows an identifier once its system runs keeps the lease that the dhcpd gave its boot ROM, with us too", () => {
    return inLab({ role: "secondary", mode: "HotStandby" }, async (lab) => {
      const { clients } = lab;
      const rom = await clients.acquire(1);
      assert.equal(rom?.server, ADDRESS.two);
      await lab.agree();
      clients.identify(1, "ff00000001");
      const system = await clients.acquire(1);
      assert.deepEqual([system?.address, system?.server], [rom.address, rom.server]);
      for (const server of [ADDRESS.one, ADDRESS.two, ADDRESS.one]) {
        await lab.agree();
        const held = await clients.renew(1, [server]);
        assert.deepEqual([held?.address, held?.server], [rom.address, server]);
      }
    });
  });

  for (const role of ["primary", "secondary"] as const) {
    for (const mode of ["LoadBalance", "HotStandby"] as const) {
      test(`${mode}, we are ${role}: connect, share, lease, renew, release, decline, and die in turn`, () => {
        return inLab({ role, mode }, async (lab) => {
          await everydayLife(lab);
          await dieInTurn(lab);
        });
      });
    }
  }
});

async function everydayLife(lab: Lab): Promise<void> {
  const { clients, options } = lab;
  await lab.agree();
  assert.deepEqual(await lab.counts(), { FREE: 10, BACKUP: 10 });

  const servers = new Set<string>();
  for (const n of CLIENTS) {
    const held = await clients.acquire(n);
    assert.equal(held?.leaseSeconds, MCLT_SECONDS, `client ${n}'s first lease`);
    servers.add(held.server);
  }
  // In HotStandby the primary alone answers clients that have not waited.
  const expected = options.mode === "HotStandby" ? [lab.primary] : [ADDRESS.one, ADDRESS.two];
  assert.deepEqual([...servers].sort(), expected);
  await lab.agree();

  for (const n of CLIENTS) {
    const { address, server } = clients.held(n);
    // Both hold the first lease; the giver may not have heard so yet.
    await eventually(`client ${n}'s full lease`, async () => {
      const held = await clients.renew(n, [server]);
      assert.deepEqual([held?.address, held?.server], [address, server], `client ${n}'s renewal`);
      return held?.leaseSeconds === LEASE_SECONDS;
    });
  }
  await lab.agree();

  // At the other server than the one that leased.
  for (const n of CLIENTS) {
    const { address, server } = clients.held(n);
    const other = server === ADDRESS.one ? ADDRESS.two : ADDRESS.one;
    const held = await clients.renew(n, [other]);
    assert.deepEqual([held?.address, held?.server], [address, other], `client ${n} at the other server`);
  }
  await lab.agree();

  // Whichever server took the release, with it all promises are void: the next lease is a first one at either. The client is the
  // primary's in both modes, so that its address stays there.
  for (const server of SERVERS) {
    await clients.release(5);
    await lab.agree();
    assert.equal(
      (await clients.acquire(5, [server]))?.leaseSeconds,
      MCLT_SECONDS,
      "a client that comes back",
    );
    await lab.agree();
    await eventually("its full lease", async () => (await clients.renew(5))?.leaseSeconds === LEASE_SECONDS);
  }
  // Nothing answers a DECLINE, which may be lost, and an address rests for a while only; then the client does it again.
  await eventually("one address rests", async () => {
    assert.notEqual(await clients.stay(2), null);
    await clients.decline(2);
    const rests = async () => ((await lab.counts())["ABANDONED"] ?? 0) > 0;
    return eventually("it is seen", rests, 2).catch(() => null);
  });
  await lab.agree();
}

async function dieInTurn(lab: Lab): Promise<void> {
  const { clients, dhcpd, engine } = lab;
  await dhcpd.end();
  await engine.untilState("COMMUNICATIONS-INTERRUPTED");
  for (const n of [3, 4, 5]) assert.equal((await clients.renew(n, [ADDRESS.one]))?.server, ADDRESS.one);
  assert.equal((await clients.acquire(7))?.server, ADDRESS.one, "a new client while the dhcpd is dead");
  dhcpd.start();
  await lab.bothNormal();
  await lab.agree();

  await engine.end("SIGKILL");
  for (const n of [3, 4, 5]) assert.equal((await clients.renew(n, [ADDRESS.two]))?.server, ADDRESS.two);
  assert.equal((await clients.acquire(8))?.server, ADDRESS.two, "a new client while our engine is dead");
  engine.start();
  await lab.bothNormal();
  await lab.agree();
  for (const n of [3, 4, 5, 7, 8]) assert.ok(await clients.renew(n), `client ${n} afterwards`);
  await lab.agree();
}
