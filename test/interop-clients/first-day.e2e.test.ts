// The first day beside an old server: a real dhcpd whose clients live on, a machine with an address set by hand, and a dhcpd
// that holds port 67 on a member's own node. What docs/guides/first-day.md promises, seen on the wire.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { endProcess } from "../../dev/lib/end-process.ts";
import { unmet } from "../../dev/lib/requirements.ts";
import { ip, until } from "./network.ts";
import { MEMBERS, PairLab } from "./pair-lab.ts";
import { RealClient } from "./real-client.ts";
import { Tap } from "./tap.ts";

const skip = unmet("root", "ip", "busybox", "tcpdump", "dhcpd", "dhclient", "dhcpcd");
const OLD_SERVER = "10.20.0.5";
const OWN = /^10\.20\.0\.1[12]$/;
/** The first addresses that each member would give. */
const BY_HAND = ["10.20.0.100", "10.20.0.150"];
const STEP_MS = 120_000;

const MANIFESTS = `
apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  maxClientLeadTimeSeconds: 60
  members:
    - { name: a, nodeName: node-1, address: 10.20.0.11, interfaces: [lan0] }
    - { name: b, nodeName: node-2, address: 10.20.0.12, interfaces: [lan0] }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: users, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.20.0.0/24
  ranges: [{ start: 10.20.0.100, end: 10.20.0.199 }]
  options: { routers: [10.20.0.1] }
  addressProbe: Enabled
  authoritative: false
`;

/** Its addresses are not those that the pair gives first: a client that asks for none must not take one of them before its holder. */
const DHCPD_CONF = `
default-lease-time 20; max-lease-time 20; min-lease-time 20;
authoritative;
subnet 10.20.0.0 netmask 255.255.255.0 { range 10.20.0.110 10.20.0.120; option routers 10.20.0.1; }
`;

/** dhcpd in the foreground of a namespace; resolves once it serves. */
async function startDhcpd(lab: PairLab, namespace: string, link: string) {
  const file = (name: string) => join(lab.directory, `dhcpd-${name}`);
  writeFileSync(file("conf"), DHCPD_CONF);
  writeFileSync(file("leases"), "");
  const files = ["-cf", file("conf"), "-lf", file("leases"), "--no-pid"];
  const dhcpd = lab.network.start(namespace, ["dhcpd", "-4", "-f", "-d", ...files, link], null);
  let output = "";
  dhcpd.stderr?.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  await until(
    () => `dhcpd serves:\n${output}`,
    STEP_MS,
    () => output.includes("Server starting service"),
  );
  return dhcpd;
}

describe("beside an old server", { skip }, () => {
  let lab: PairLab;
  before(() => {
    lab = new PairLab([{ name: "lan0", network: "10.20.0" }]);
  });
  after(() => lab?.stop());

  test("a dhcpd on the member's node holds port 67: the engine ends and names it", async () => {
    const dhcpd = await startDhcpd(lab, lab.nodes.a, "lan0");
    try {
      lab.configure(MANIFESTS);
      lab.startEngine("a");
      assert.equal(await lab.exitCode("a"), 1);
      const held = `cannot bind 10\\.20\\.0\\.11:67/udp: the port is held by dhcpd .*\\(pid ${dhcpd.pid}\\) on 0\\.0\\.0\\.0:67`;
      assert.match(lab.output("a"), new RegExp(held));
      assert.match(lab.output("a"), /Stop that process, or give the member an address of its own/);
    } finally {
      await endProcess(dhcpd, 5_000);
    }
  });

  test("its clients keep their addresses in peace, and come over once it is gone; nobody gets an address in use", async () => {
    const { network } = lab;
    const old = network.namespace("old");
    network.connect(old, "lan", "lan0", { address: `${OLD_SERVER}/24` });
    const printer = network.namespace("printer");
    network.connect(printer, "lan", "lan0", { address: `${BY_HAND[0]}/24` });
    ip("-n", printer, "addr", "add", `${BY_HAND[1]}/24`, "dev", "lan");
    const tap = await Tap.open(network, "lan0");
    const dhcpd = await startDhcpd(lab, old, "lan");
    const clients = ["udhcpc", "dhclient", "dhcpcd"].map(
      (kind, i) => new RealClient(lab, kind, `02:00:00:00:0d:0${i}`, "lan0"),
    );
    const acks = (client: RealClient) =>
      tap.seen.filter((seen) => seen.what === "ACK" && seen.hardwareAddress === client.hardwareAddress);
    const lastAck = (client: RealClient) => acks(client).at(-1);
    const fromUs = () => tap.seen.filter(({ from, what }) => OWN.test(from) && what !== "DISCOVER");

    for (const client of clients) client.start();
    await until(
      () => "the old server's clients have addresses",
      STEP_MS,
      () => clients.every((client) => acks(client).length > 0),
    );
    await lab.start(MANIFESTS);
    const renewals = clients.map((client) => acks(client).length);
    await until(
      () => "they renew with the old server while the pair is there",
      STEP_MS,
      () => clients.every((client, i) => acks(client).length > (renewals[i] ?? 0)),
    );
    const [, rebooting] = clients as [RealClient, RealClient, RealClient];
    const before = lastAck(rebooting)?.yourAddress;
    await rebooting.crash();
    rebooting.start();
    await rebooting.untilUses(before ?? "");
    assert.deepEqual(fromUs(), [], "the pair has nothing to say to the old server's clients");

    dhcpd.kill("SIGKILL");
    await until(
      () => "all have leases of the pair",
      STEP_MS,
      () => clients.every((client) => OWN.test(lastAck(client)?.server ?? "")),
    );
    assert.deepEqual(
      tap.seen.filter(({ what, server }) => what === "NAK" && OWN.test(server ?? "")),
      [],
      "no NAK at all",
    );
    assert.equal(lastAck(rebooting)?.yourAddress, before, "who asks for its old address gets it");
    const given = clients.map((client) => lastAck(client)?.yourAddress ?? "");
    assert.equal(new Set(given).size, clients.length);
    assert.ok(given.every((address) => !BY_HAND.includes(address)));
    const found = /leasepair_address_conflicts_total\{scope="users",found_by="probe"[^}]*\} ([1-9]\d*)/;
    await until(
      () => "the printer's address was looked for and found in use",
      STEP_MS,
      () => MEMBERS.some((member) => found.test(lab.metrics(member))),
    );
    for (const client of clients) await client.stop();
  });
});
