// A real ISC dhcpd as partner, through what takes minutes, in both roles and both modes: expiry, a cut cable, PARTNER-DOWN on either
// side, recovery with and without the store, conflict, shutdown, another MCLT, clocks that differ. Run by `npm run interop`.

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { describe, test } from "node:test";
import { SERVERS } from "./clients.ts";
import { inLab, LAB_MISSING, type Lab, type LabOptions, LEASE_SECONDS } from "./lab.ts";
import { eventually } from "./program.ts";
import { newcomers, renewAll, SCENARIOS } from "./scenarios.ts";

/** Where the dhcpd's clock is ahead: a first lease of the usual length would be over there almost at once. */
const SKEWED_LEAD_SECONDS = 600;

/** As short as leases may be, and as long as the scope's leases. */
const OTHER_LEADS_SECONDS = [60, LEASE_SECONDS] as const;

type Role = LabOptions["role"];

/** Both roles in both modes. */
const SETTINGS = (["LoadBalance", "HotStandby"] as const).flatMap((mode) =>
  (["primary", "secondary"] as const).map((role) => ({ mode, role })),
);
/** Labs at once. They wait most of the time, for leases to end and for silence to count; what they need of a processor is the start
 *  of their programs, and Wireshark at the end. */
const CONCURRENCY = 16;

describe("with a dhcpd as partner, at length", {
  skip: LAB_MISSING ?? false,
  concurrency: CONCURRENCY,
}, () => {
  for (const { name, run } of SCENARIOS) {
    for (const setting of SETTINGS) {
      test(title(setting, name), () => inLab(setting, (lab) => throughout(lab, run)));
    }
  }

  for (const setting of SETTINGS) {
    const name = "the MCLT is lowered and raised once the dhcpd has it, and nobody goes without";
    test(title(setting, name), () => inLab({ ...setting, leadSeconds: LEASE_SECONDS }, otherLeads));
  }

  for (const setting of SETTINGS) {
    const name = "a dhcpd whose clock is 50 s ahead is a partner, at 70 s it is none";
    const options = { ...setting, leadSeconds: SKEWED_LEAD_SECONDS };
    test(title(setting, name), () => inLab(options, clocksApart, false));
  }
});

function title({ mode, role }: LabOptions, name: string): string {
  return `${mode}, we are ${role}: ${name}`;
}

/** Whatever happened, at the end newcomers are served as ever, of free addresses that are shared. */
async function throughout(lab: Lab, run: (lab: Lab) => Promise<void>): Promise<void> {
  await run(lab);
  await newcomers(lab, 21, 22);
  await eventually("the free addresses are shared", async () => {
    const { FREE = 0, BACKUP = 0 } = await lab.counts();
    return 4 * Math.min(FREE, BACKUP) >= FREE + BACKUP;
  });
  await lab.agree();
}

/** How the dhcpd comes to know of another MCLT, by our role. */
const DHCPD_LEARNS: Readonly<Record<Role, (lab: Lab, leadSeconds: number) => Promise<void>>> = {
  // Our next CONNECT says it.
  primary: async () => {},
  // It reads its own file when it starts; until then ours waits, and the link stands.
  secondary: async ({ engine, dhcpd }, leadSeconds) => {
    await eventually("the MCLT waits here", async () => {
      const report = await engine.report();
      return report !== null && report.pendingRevision !== null && report.connected;
    });
    await dhcpd.end();
    dhcpd.setLead(leadSeconds);
    dhcpd.start();
  },
};

/** What a server gives a client that it has not met shows the MCLT that it goes by. */
async function otherLeads(lab: Lab): Promise<void> {
  const { clients, engine } = lab;
  const CLIENTS = [1, 2, 3, 4];
  await newcomers(lab, ...CLIENTS);
  let next = 5;
  for (const leadSeconds of OTHER_LEADS_SECONDS) {
    const { revision: before } = (await engine.report()) ?? { revision: null };
    lab.setLead(leadSeconds);
    await DHCPD_LEARNS[lab.options.role](lab, leadSeconds);
    await eventually(`${leadSeconds} s are in force`, async () => {
      for (const n of CLIENTS) assert.notEqual(await clients.renew(n), null, `client ${n} meanwhile`);
      const report = await engine.report();
      if (report === null || report.pendingRevision !== null) return false;
      return report.revision !== before && report.state === "NORMAL";
    });
    await lab.bothNormal();
    // Each is heard of by one server alone, which serves it once it has waited, whosever client it is.
    const given = await Promise.all(SERVERS.map((server) => clients.acquire(next++, [server])));
    assert.deepEqual(
      given.map((held) => held?.leaseSeconds),
      [leadSeconds, leadSeconds],
    );
    await lab.agree();
  }
}

/** The words that run a program with its clock ahead. The library itself: the program `faketime` would stand between. */
function clockAhead(seconds: number): readonly string[] {
  const [library = ""] = globSync("/usr/lib/*/faketime/libfaketime.so.1");
  assert.notEqual(library, "", "libfaketime is installed");
  return ["env", `LD_PRELOAD=${library}`, `FAKETIME=+${seconds}s`];
}

async function clocksApart(lab: Lab): Promise<void> {
  const { dhcpd, engine } = lab;
  dhcpd.start(clockAhead(50));
  engine.start();
  await lab.bothNormal();
  await newcomers(lab, 1, 2, 3, 4);
  await renewAll(lab, 1, 2, 3, 4);
  await lab.agree();
  await dhcpd.end();
  await engine.untilState("COMMUNICATIONS-INTERRUPTED");
  dhcpd.start(clockAhead(70));
  const refused = /link-refused.*(the clocks are (69|70|71) s apart|time offset too large)/;
  await eventually(
    "the dhcpd is refused for its clock",
    () => refused.test(engine.said),
    60,
    () => engine.said,
  );
  assert.equal((await engine.report())?.connected, false);
}
