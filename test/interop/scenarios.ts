// What happens to a pair of our engine and a dhcpd in the long run. No scenario asks for mode or role: who hears of a new client,
// and who serves it, is in the table HEARD_BY, so that leases come from both servers in HotStandby too.

import assert from "node:assert/strict";
import { SERVERS } from "./clients.ts";
import { OPERATOR_STATE } from "./dhcpd.ts";
import { type Lab, type LabOptions, LEASE_SECONDS, MCLT_SECONDS } from "./lab.ts";
import { ADDRESS } from "./network.ts";
import { eventually } from "./program.ts";

/** Both servers allow for clocks that are this far apart. */
const CLOCKS_APART_SECONDS = 60;
const CONTACT_LOSS_SECONDS = 60;
/** What a client has waited at least that the standby answers. */
const WAITED_SECONDS = 3;

export interface Scenario {
  readonly name: string;
  readonly run: (lab: Lab) => Promise<void>;
}

/** Those that take longest come first, so that the others fill the time beside them. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "both were declared alone: the conflict is resolved", run: conflict },
  { name: "leases that nobody renews end on both sides", run: expiry },
  { name: "our store is lost and nobody told the dhcpd", run: storeLostHere },
  { name: "the dhcpd's leases are lost and nobody told us", run: storeLostThere },
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
  { name: "the dhcpd is shut down by its operator, and taken back", run: shutdownThere },
  {
    name: "clients that one server alone hears use up its addresses, and the other gives of its own",
    run: usedUp,
  },
  { name: "we are shut down by our operator, and come back", run: shutdownHere },
  { name: "we are stopped in order, and come back", run: stoppedHere },
];

interface Hearing {
  /** The servers that the client's relay tells. */
  readonly to: readonly string[];
  /** Those of them that may serve it while both are in NORMAL. */
  readonly servedBy: readonly string[];
  /** How long the client has waited at least by then. */
  readonly waited: number;
}

/** Who hears of a new client: everybody; in HotStandby, of every other one the standby alone, that it may have leases of its own. */
const HEARD_BY: Readonly<Record<LabOptions["mode"], (lab: Lab, n: number) => Hearing>> = {
  LoadBalance: () => ({ to: SERVERS, servedBy: SERVERS, waited: 0 }),
  HotStandby: ({ primary, secondary }, n) =>
    n % 2 === 0
      ? { to: [secondary], servedBy: [secondary], waited: WAITED_SECONDS }
      : { to: SERVERS, servedBy: [primary], waited: 0 },
};

/** New clients, all at once, while both servers are in NORMAL; then both know of their leases. */
export async function newcomers(lab: Lab, ...numbers: readonly number[]): Promise<void> {
  await Promise.all(
    numbers.map(async (n) => {
      const { to, servedBy, waited } = HEARD_BY[lab.options.mode](lab, n);
      const held = await lab.clients.acquire(n, to);
      assert.ok(held !== null, `client ${n} is served`);
      assert.ok(servedBy.includes(held.server), `client ${n} is served by ${held.server}`);
      assert.ok(held.secs >= waited, `client ${n} is served after ${held.secs} s`);
      const lead = lab.options.leadSeconds ?? MCLT_SECONDS;
      assert.ok(
        held.leaseSeconds <= lead,
        `client ${n} gets ${held.leaseSeconds} s that only one server knows of`,
      );
    }),
  );
  await lab.agree();
}

export async function renewAll(lab: Lab, ...numbers: readonly number[]): Promise<void> {
  for (const n of numbers) assert.notEqual(await lab.clients.stay(n), null, `client ${n} stays`);
}

/** A lease that the dhcpd holds for ended stands here until the clocks can no longer be the reason, and the rest of the grace. */
async function settle(lab: Lab, seconds = 60): Promise<void> {
  await lab.bothNormal(seconds);
  await lab.agree(2 * CLOCKS_APART_SECONDS + 30);
}

async function expiry(lab: Lab): Promise<void> {
  await newcomers(lab, 1, 2, 3, 4);
  const end = LEASE_SECONDS + 2 * CLOCKS_APART_SECONDS;
  await eventually("no lease runs any more", async () => (await lab.counts())["ACTIVE"] === undefined, end);
  await lab.agree();
  // An end that is agreed on here waits for the dhcpd's answer, which may take seconds.
  await eventually("every end is settled", async () => (await lab.counts())["EXPIRED"] === undefined);
  await newcomers(lab, 1, 5);
}

async function usedUp(lab: Lab): Promise<void> {
  const ofSecondary = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  const ofPrimary = [13, 14, 15, 16, 17, 18];
  await onlyHeardBy(lab, lab.secondary, ofSecondary);
  await renewAll(lab, ...ofSecondary);
  await lab.agree();
  await onlyHeardBy(lab, lab.primary, ofPrimary);
  await lab.agree();
  for (const n of ofSecondary) await lab.clients.release(n);
  await lab.agree();
}

/** More of them than the server has addresses for. A dhcpd that nobody asks looks once a minute whether it has too many. */
async function onlyHeardBy({ clients }: Lab, server: string, numbers: readonly number[]): Promise<void> {
  const meet = (n: number) => eventually(`client ${n} is served`, () => clients.acquire(n, [server]), 70);
  for (const held of await Promise.all(numbers.map(meet))) assert.equal(held.server, server);
}

async function cutCable(lab: Lab): Promise<void> {
  const { clients, network, engine, dhcpd } = lab;
  await newcomers(lab, 1, 2, 3, 4);
  await renewAll(lab, 1, 2, 3, 4);
  await lab.agree();
  network.cable("two", "down");
  for (const n of [1, 2]) assert.equal((await clients.renew(n))?.server, ADDRESS.one);
  await engine.untilState("COMMUNICATIONS-INTERRUPTED", CONTACT_LOSS_SECONDS + 20);
  await dhcpd.untilState("communications-interrupted");
  assert.equal((await clients.acquire(5))?.server, ADDRESS.one);
  network.cable("one", "down");
  network.cable("two", "up");
  assert.equal((await clients.acquire(6))?.server, ADDRESS.two);
  network.cable("one", "up");
  await settle(lab);
  await renewAll(lab, 1, 2, 3, 4, 5, 6);
  await lab.agree();
}

async function partnerDownHere(lab: Lab, loses: boolean): Promise<void> {
  const { clients, engine, dhcpd } = lab;
  await newcomers(lab, 1, 2, 3);
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
  await newcomers(lab, 1, 2, 3);
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
  await newcomers(lab, 1, 2, 3);
  await lab.engine.end("SIGKILL");
  lab.engine.forget();
  lab.engine.start();
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
}

async function storeLostThere(lab: Lab): Promise<void> {
  await newcomers(lab, 1, 2, 3);
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
  await newcomers(lab, 1, 2, 3);
  network.cable("two", "down");
  await engine.untilState("COMMUNICATIONS-INTERRUPTED", CONTACT_LOSS_SECONDS + 20);
  await dhcpd.untilState("communications-interrupted");
  engine.declarePartnerDown("them-is-off");
  await engine.untilState("PARTNER-DOWN");
  dhcpd.setState(OPERATOR_STATE.partnerDown);
  await dhcpd.untilState("partner-down");
  assert.equal((await clients.acquire(4))?.server, ADDRESS.one);
  // In this order: a dhcpd that meets us for a moment is in the conflict, and answers nobody.
  network.cable("one", "down");
  network.cable("two", "up");
  assert.equal((await clients.acquire(5))?.server, ADDRESS.two);
  network.cable("one", "up");
  await eventually("the conflict is seen", () => lab.engine.said.includes("-> POTENTIAL-CONFLICT"), 60);
  await settle(lab);
  await renewAll(lab, 1, 2, 3, 4, 5);
  await lab.agree();
}

async function shutdownThere(lab: Lab): Promise<void> {
  const { engine, dhcpd } = lab;
  await newcomers(lab, 1, 2, 3);
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

async function shutdownHere(lab: Lab): Promise<void> {
  const { clients, engine, dhcpd } = lab;
  await newcomers(lab, 1, 2, 3);
  await engine.shutDown();
  await dhcpd.untilState("partner-down");
  for (const n of [1, 2, 3]) assert.equal((await clients.stay(n))?.server, ADDRESS.two);
  assert.equal((await clients.acquire(4))?.server, ADDRESS.two);
  await engine.end("SIGTERM");
  engine.start();
  await settle(lab, 3 * MCLT_SECONDS);
  await renewAll(lab, 1, 2, 3, 4);
  await lab.agree();
}

async function stoppedHere(lab: Lab): Promise<void> {
  const { engine, dhcpd } = lab;
  await newcomers(lab, 1, 2, 3);
  await engine.end("SIGTERM");
  await dhcpd.untilState("communications-interrupted");
  await renewAll(lab, 1, 2, 3);
  engine.start();
  await settle(lab);
  await renewAll(lab, 1, 2, 3);
  await lab.agree();
}
