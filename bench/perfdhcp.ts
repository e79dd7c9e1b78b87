// How many clients per second our engine, Kea and dhcpd serve, by perfdhcp: for each the knee (the highest rate of 4-way exchanges
// that loses fewer than one in a thousand), then 50,000 clients at half of ours, which must lose nothing.
// Our engine has its partner and tells it every lease. Ours and dhcpd answer once a lease is synced to the disk; Kea writes its file
// and does not wait for the disk, so that its knee is the one of a server that may forget what it said.

import { LOAD_CONFIGURATION } from "../dev/peers/load-configuration.ts";
import { PeerLab, type ServerName } from "../dev/peers/peer-lab.ts";
import { type PerfdhcpReport, runPerfdhcp } from "../dev/peers/perfdhcp.ts";

const RATES = [250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000];
/** Long enough that a queue which only grows is seen as loss, not hidden by what sockets and timeouts hold. */
const SECONDS = 10;
const LOST_SHARE_MAX = 0.001;
const CLIENTS = 50_000;
const KINDS = ["DISCOVER-OFFER", "REQUEST-ACK", "REQUEST-ACK (renewal)"];

function lost({ exchanges }: PerfdhcpReport): number {
  return KINDS.reduce((sum, kind) => sum + Math.max(0, exchanges[kind]?.drops ?? 0), 0);
}

function run(lab: PeerLab, server: ServerName, rate: number, seconds: number): Promise<PerfdhcpReport> {
  const part = Math.floor(rate / 10);
  const options = {
    server,
    clients: CLIENTS,
    rate,
    renewRate: part,
    releaseRate: part,
    seconds,
    dropSeconds: 1,
  };
  return runPerfdhcp(lab, options);
}

async function kneeOf(lab: PeerLab, server: ServerName): Promise<number> {
  let knee = 0;
  for (const rate of RATES) {
    const report = await run(lab, server, rate, SECONDS);
    const sent = report.exchanges["DISCOVER-OFFER"]?.sent ?? 0;
    const isBorne = sent > 0.95 * rate * SECONDS && lost(report) <= LOST_SHARE_MAX * sent;
    console.log(
      `${server} at ${rate}/s: ${sent} begun, ${lost(report)} lost, ${report.exchanges["REQUEST-ACK"]?.averageDelay} ms`,
    );
    if (!isBorne) return knee;
    knee = rate;
  }
  return knee;
}

/** Prints knees and ratios; resolves to the number of targets missed. Needs root, and Debian's kea and isc-dhcp-server. */
export async function benchPerfdhcp(): Promise<number> {
  const knees = new Map<ServerName, number>();
  for (const server of ["a", "kea", "dhcpd"] as const) {
    const lab = new PeerLab();
    try {
      await lab.start(LOAD_CONFIGURATION, server === "a" ? [] : [server]);
      knees.set(server, await kneeOf(lab, server));
    } finally {
      await lab.stop();
    }
  }
  const own = knees.get("a") ?? 0;
  for (const peer of ["kea", "dhcpd"] as const)
    console.log(
      `knee: ours ${own}/s, ${peer} ${knees.get(peer)}/s, ratio ${(own / (knees.get(peer) ?? 1)).toFixed(2)}`,
    );
  return (await losesAtHalf(Math.floor(own / 2))) ? 1 : 0;
}

async function losesAtHalf(rate: number): Promise<boolean> {
  const lab = new PeerLab();
  try {
    await lab.start(LOAD_CONFIGURATION, []);
    // As for the knee, which is reached step by step: a process that has just started is not yet compiled.
    for (const share of [8, 4, 2]) await run(lab, "a", Math.floor(rate / share), SECONDS / 2);
    const report = await run(lab, "a", rate, Math.ceil(CLIENTS / rate));
    const missed = lost(report);
    const own = `${report.overflowed} of them in perfdhcp's own receive buffer`;
    console.log(`${CLIENTS} clients at ${rate}/s, half of our knee: ${missed} lost (target 0), ${own}`);
    return missed > report.overflowed;
  } finally {
    await lab.stop();
  }
}
