// A real ISC dhcpd as partner, through what takes minutes: expiry, a cut cable, PARTNER-DOWN on either side, recovery with
// and without the store, conflict, shutdown, clocks that differ. Run by `npm run interop`.

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { describe, test } from "node:test";
import { OPERATOR_STATE } from "./dhcpd.ts";
import { LAB_MISSING, Lab, type LabOptions, LEASE_SECONDS, MCLT_SECONDS } from "./lab.ts";
import { ADDRESS } from "./network.ts";
import { eventually } from "./program.ts";

/** Both servers allow for clocks that are this far apart. */
const CLOCKS_APART_SECONDS = 60;
const CONTACT_LOSS_SECONDS = 60;
/** Where the dhcpd's clock is ahead: a first lease of the usual length would be over there almost at once. */
const SKEWED_LEAD_SECONDS = 600;

/** As short as leases may be, and as long as the scope's leases. */
const OTHER_LEADS_SECONDS = [60, LEASE_SECONDS] as const;

const ROLES = ["primary", "secondary"] as const;

interface Scenario {
  readonly name: string;
  readonly run: (lab: Lab) => Promise<void>;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "leases that nobody renews end on both sides", run: expiry },
  { name: "a cut cable, with clients on both sides of it", run: cutCable },
  {
    name: "PARTNER-DOWN here, and the dhcpd comes back with its leases",
    run: (lab) => partnerDownHere(lab, false),
  },
  { name: "PARTNER-DOWN here, and the dhcpd comes back empty", run: (lab) => partnerDownHere(lab, true) },
  {
    name: "PARTNER-DOWN there, and we come back with our leases",
    run: (lab) => partnerDownThere(lab, false),
  },
  { name: "PARTNER-DOWN there, and we come back empty", run: (lab) => partnerDownThere(lab, true) },
  { name: "our store is lost and nobody told the dhcpd", run: storeLostHere },
  { name: "the dhcpd's leases are lost and nobody told us", run: storeLostThere },
  { name: "both were declared alone: the conflict is resolved", run: conflict },
  { name: "the dhcpd is shut down by its operator, and taken back", run: shutdownThere },
  { name: "we are stopped in order, and come back", run: stoppedHere },
];

describe("with a dhcpd as partner, at length", { skip: LAB_MISSING ?? false, concurrency: 8 }, () => {
  for (const { name, run } of SCENARIOS) {
    for (const role of ROLES) {
      test(`we are ${role}: ${name}`, async () => {
        const lab = await Lab.open({ role, mode: "LoadBalance" });
        try {
          await run(lab);
          assert.deepEqual(await lab.disagreements(), []);
          assert.ok(lab.dhcpd.isRunning, "the dhcpd lives");
        } catch (error) {
          throw new Error(`${(error as Error).stack}\n${lab.engine.said}\n${lab.dhcpd.said}`);
        } finally {
          await lab.close();
        }
      });
    }
  }

  test(
    "we are primary: the MCLT is lowered and raised while both serve, the dhcpd takes it, and nobody goes without",
    otherLeads,
  );

  for (const role of ROLES) {
    test(`we are ${role}: a dhcpd whose clock is 50 s ahead is a partner, at 70 s it is none`, () =>
      skew(role));
  }
});

async function lease(lab: Lab, ...numbers: readonly number[]): Promise<void> {
  for (const n of numbers) assert.notEqual(await lab.clients.acquire(n), null, `client ${n}`);
  await lab.agree();
}

async function renewAll(lab: Lab, ...numbers: readonly number[]): Promise<void> {
  for (const n of numbers) assert.notEqual(await lab.clients.stay(n), null, `client ${n} stays`);
}

/** A lease that the dhcpd holds for ended stands here until the clocks can no longer be the reason, and the rest of the grace. */
async function settle(lab: Lab, seconds = 60): Promise<void> {
  await lab.bothNormal(seconds);
  await lab.agree(2 * CLOCKS_APART_SECONDS + 30);
}

async function expiry(lab: Lab): Promise<void> {
  await lease(lab, 1, 2, 3, 4);
  const end = LEASE_SECONDS + 2 * CLOCKS_APART_SECONDS;
  await eventually("no lease runs any more", async () => (await lab.counts())["ACTIVE"] === undefined, end);
  await lab.agree();
  // An end that is agreed on here waits for the dhcpd's answer, which may take seconds.
  await eventually("every end is settled", async () => (await lab.counts())["EXPIRED"] === undefined);
  await lease(lab, 1, 5);
}

async function cutCable(lab: Lab): Promise<void> {
  const { clients, network, engine, dhcpd } = lab;
  await lease(lab, 1, 2, 3, 4);
  await renewAll(lab, 1, 2, 3, 4);
  await lab.agree();
  network.cable("two", "down");
  for (const n of [1, 2]) assert.equal((await clients.renew(n))?.server, ADDRESS.one);
  await engine.untilState("COMMUNICATIONS-INTERRUPTED", CONTACT_LOSS_SECONDS + 20);
  await dhcpd.untilState("communications-interrupted");
  assert.equal((await clients.acquire(5))?.server, ADDRESS.one);
  network.cable("two", "up");
  network.cable("one", "down");
  assert.equal((await clients.acquire(6))?.server, ADDRESS.two);
  network.cable("one", "up");
  await settle(lab);
  await renewAll(lab, 1, 2, 3, 4, 5, 6);
  await lab.agree();
}

async function partnerDownHere(lab: Lab, loses: boolean): Promise<void> {
  const { clients, engine, dhcpd } = lab;
  await lease(lab, 1, 2, 3);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
  await dhcpd.end();
  await engine.untilState("COMMUNICATIONS-INTERRUPTED");
  engine.declarePartnerDown("them-is-off");
  await engine.untilState("PARTNER-DOWN");
  await renewAll(lab, 1, 2, 3);
  assert.equal((await clients.acquire(4))?.server, ADDRESS.one);
  if (loses) dhcpd.forget();
  dhcpd.start();
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3, 4);
  await lab.agree();
}

async function partnerDownThere(lab: Lab, loses: boolean): Promise<void> {
  const { clients, engine, dhcpd } = lab;
  await lease(lab, 1, 2, 3);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
  await engine.end("SIGKILL");
  await dhcpd.untilState("communications-interrupted");
  dhcpd.setState(OPERATOR_STATE.partnerDown);
  await dhcpd.untilState("partner-down");
  await renewAll(lab, 1, 2, 3);
  assert.equal((await clients.acquire(4))?.server, ADDRESS.two);
  if (loses) engine.forget();
  engine.start();
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3, 4);
  await lab.agree();
}

async function storeLostHere(lab: Lab): Promise<void> {
  await lease(lab, 1, 2, 3);
  await lab.engine.end("SIGKILL");
  lab.engine.forget();
  lab.engine.start();
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
}

async function storeLostThere(lab: Lab): Promise<void> {
  await lease(lab, 1, 2, 3);
  await lab.dhcpd.end();
  lab.dhcpd.forget();
  lab.dhcpd.start();
  await renewAll(lab, 1, 2, 3);
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
}

async function conflict(lab: Lab): Promise<void> {
  const { clients, network, engine, dhcpd } = lab;
  await lease(lab, 1, 2, 3);
  network.cable("two", "down");
  await engine.untilState("COMMUNICATIONS-INTERRUPTED", CONTACT_LOSS_SECONDS + 20);
  await dhcpd.untilState("communications-interrupted");
  engine.declarePartnerDown("them-is-off");
  await engine.untilState("PARTNER-DOWN");
  dhcpd.setState(OPERATOR_STATE.partnerDown);
  await dhcpd.untilState("partner-down");
  assert.equal((await clients.acquire(4))?.server, ADDRESS.one);
  network.cable("two", "up");
  network.cable("one", "down");
  assert.equal((await clients.acquire(5))?.server, ADDRESS.two);
  network.cable("one", "up");
  await eventually("the conflict is seen", () => lab.engine.said.includes("-> POTENTIAL-CONFLICT"), 60);
  await settle(lab);
  await renewAll(lab, 1, 2, 3, 4, 5);
  await lab.agree();
}

async function shutdownThere(lab: Lab): Promise<void> {
  const { engine, dhcpd } = lab;
  await lease(lab, 1, 2, 3);
  dhcpd.setState(OPERATOR_STATE.shutdown);
  await engine.untilState("PARTNER-DOWN");
  await renewAll(lab, 1, 2, 3);
  await dhcpd.end("SIGTERM");
  dhcpd.start();
  await eventually("the dhcpd is there again", async () => (await engine.report())?.connected === true, 60);
  dhcpd.setState(OPERATOR_STATE.recover);
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
}

async function stoppedHere(lab: Lab): Promise<void> {
  const { engine, dhcpd } = lab;
  await lease(lab, 1, 2, 3);
  await engine.end("SIGTERM");
  await dhcpd.untilState("communications-interrupted");
  await renewAll(lab, 1, 2, 3);
  engine.start();
  await settle(lab);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
}

/** What the dhcpd gives a client that it has not met shows the MCLT that it goes by. */
async function otherLeads(): Promise<void> {
  const lab = await Lab.open({ role: "primary", mode: "LoadBalance", leadSeconds: LEASE_SECONDS });
  const { clients, engine } = lab;
  const CLIENTS = [1, 2, 3, 4];
  try {
    await lease(lab, ...CLIENTS);
    let next = 5;
    for (const leadSeconds of OTHER_LEADS_SECONDS) {
      const { revision: before } = (await engine.report()) ?? { revision: null };
      lab.setLead(leadSeconds);
      await eventually(`${leadSeconds} s are in force`, async () => {
        for (const n of CLIENTS) assert.notEqual(await clients.renew(n), null, `client ${n} meanwhile`);
        const report = await engine.report();
        return report !== null && report.revision !== before && report.state === "NORMAL";
      });
      await lab.bothNormal();
      await eventually("the dhcpd meets a client", async () => {
        const held = await clients.acquire(next++);
        assert.ok(held !== null, "a new client is served");
        if (held.server === ADDRESS.two) assert.equal(held.leaseSeconds, leadSeconds);
        return held.server === ADDRESS.two;
      });
      await lab.agree();
    }
    assert.deepEqual(await lab.disagreements(), []);
    assert.ok(lab.dhcpd.isRunning, "the dhcpd lives");
  } catch (error) {
    throw new Error(`${(error as Error).stack}\n${engine.said}\n${lab.dhcpd.said}`);
  } finally {
    await lab.close();
  }
}

/** The words that run a program with its clock ahead. The library itself: the program `faketime` would stand between. */
function clockAhead(seconds: number): readonly string[] {
  const [library = ""] = globSync("/usr/lib/*/faketime/libfaketime.so.1");
  assert.notEqual(library, "", "libfaketime is installed");
  return ["env", `LD_PRELOAD=${library}`, `FAKETIME=+${seconds}s`];
}

async function skew(role: LabOptions["role"]): Promise<void> {
  const lab = await Lab.open({ role, mode: "LoadBalance", leadSeconds: SKEWED_LEAD_SECONDS }, false);
  try {
    lab.dhcpd.start(clockAhead(50));
    lab.engine.start();
    await lab.bothNormal();
    await lease(lab, 1, 2, 3, 4);
    await renewAll(lab, 1, 2, 3, 4);
    await lab.agree();
    await lab.dhcpd.end();
    await lab.engine.untilState("COMMUNICATIONS-INTERRUPTED");
    lab.dhcpd.start(clockAhead(70));
    const refused = /link-refused.*(the clocks are (69|70|71) s apart|time offset too large)/;
    await eventually(
      "the dhcpd is refused for its clock",
      () => refused.test(lab.engine.said),
      60,
      () => lab.engine.said,
    );
    assert.equal((await lab.engine.report())?.connected, false);
  } catch (error) {
    throw new Error(`${(error as Error).stack}\n${lab.engine.said}\n${lab.dhcpd.said}`);
  } finally {
    await lab.close();
  }
}
