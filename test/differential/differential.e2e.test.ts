// Random but meaningful exchanges, said alike to our engine (a real pair of processes), to Kea and to dhcpd: the answers are the same
// field by field, or differ in a way that classes.ts lists with its reason. The first half is said with the partner in NORMAL, the
// second after it was killed, in COMMUNICATIONS-INTERRUPTED. LEASEPAIR_SEED draws others, LEASEPAIR_EXCHANGES says how many.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { PeerLab, serverAddress } from "../../dev/peers/peer-lab.ts";
import { CLASSES } from "./classes.ts";
import { dhcpdConfiguration, keaConfiguration, ownManifests } from "./configuration.ts";
import { HALF_TIME, type Report } from "./report.ts";

const SEED = Number(process.env["LEASEPAIR_SEED"] ?? "1");
const EXCHANGES = Number(process.env["LEASEPAIR_EXCHANGES"] ?? "20000");
/** Fewer exchanges than this need not meet every class. */
const EXCHANGES_FOR_ALL = 5_000;

const skip = unmet("root", "ip", "setpriv", "kea-dhcp4", "dhcpd");

/** Runs the driver where the relay is; `halfTime` happens between its halves. */
async function drive(lab: PeerLab, halfTime: () => Promise<void>): Promise<Report> {
  const command = [process.execPath, join(import.meta.dirname, "driver.ts"), String(SEED), String(EXCHANGES)];
  const child = spawn("ip", ["netns", "exec", lab.relayNamespace, ...command], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  let last = "";
  for await (const line of createInterface({ input: child.stdout })) {
    last = line;
    if (line !== HALF_TIME) continue;
    await halfTime();
    child.stdin.write("go on\n");
  }
  const [code] = (await ended) as [number | null];
  assert.equal(code, 0, `the driver ended with ${code}: ${last}`);
  return JSON.parse(last) as Report;
}

describe(`seed ${SEED}: ${EXCHANGES} exchanges with ours, Kea and dhcpd`, { skip }, () => {
  const lab = new PeerLab();
  let report: Report | null = null;
  before(async () => {
    const manifests = ownManifests(serverAddress("a"), serverAddress("b"));
    await lab.start({ manifests, kea: keaConfiguration, dhcpd: dhcpdConfiguration });
    report = await drive(lab, () => lab.cutPartner("b"));
  });
  after(() => lab.stop());

  test("whatever differs from Kea or dhcpd is of a listed class", () => {
    assert.deepEqual(report?.unlisted, []);
  });

  test("every class is met", { skip: EXCHANGES < EXCHANGES_FOR_ALL && "too few" }, () => {
    const idle = CLASSES.filter(({ id, peers }) =>
      peers.every((peer) => (report?.counts[id]?.[peer] ?? 0) === 0),
    );
    assert.deepEqual(
      idle.map(({ id }) => id),
      [],
      "nothing differs in this way any more: take the class out",
    );
  });

  test("most messages are answered, and no answer comes that nobody waits for", () => {
    assert.ok(report !== null && report.answers > report.messages * 0.7, JSON.stringify(report));
    assert.equal(report.strays, 0);
    assert.equal(report.exchanges, EXCHANGES);
  });
});
