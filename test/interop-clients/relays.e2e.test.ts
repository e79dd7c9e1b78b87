// Real relays between real clients and a real pair: dhcrelay with option 82, dnsmasq, and a relay that was told of one member
// only. Source: RFC 1542 4 (relays), RFC 3046 2.1, 2.2 (who adds and removes option 82).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import { bucketOwner } from "../../src/dhcp/failover/load-balance.ts";
import { Trail } from "./life.ts";
import { MEMBERS, type Member, PairLab } from "./pair-lab.ts";
import { RealClient } from "./real-client.ts";
import { Tap } from "./tap.ts";

const skip = unmet("root", "ip", "busybox", "tcpdump", "dhclient", "dhcrelay", "dnsmasq");
const SERVERS = ["10.20.0.11", "10.20.0.12"];
/** dhcrelay names the interface that the client is behind. */
const DESK_CIRCUIT = toHex(Buffer.from("desk"));
const PRINTER = "10.40.2.77";

const MANIFESTS = `
apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  maxClientLeadTimeSeconds: 60
  members:
    - { name: a, nodeName: node-1, address: 10.20.0.11 }
    - { name: b, nodeName: node-2, address: 10.20.0.12 }
  scopeDefaults:
    leaseTime: { defaultSeconds: 60, maxSeconds: 60, renewSeconds: 4, rebindSeconds: 30 }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: floor, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.40.1.0/24
  ranges: [{ start: 10.40.1.100, end: 10.40.1.199 }]
  options: { routers: [10.40.1.1] }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: desk, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.40.2.0/24
  ranges: [{ start: 10.40.2.100, end: 10.40.2.199 }]
  options: { routers: [10.40.2.1] }
  reservations:
    - address: ${PRINTER}
      relayAgent: { circuitId: "${DESK_CIRCUIT}" }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: annex, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.40.3.0/24
  ranges: [{ start: 10.40.3.100, end: 10.40.3.199 }]
  options: { routers: [10.40.3.1] }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: shed, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.40.4.0/24
  ranges: [{ start: 10.40.4.100, end: 10.40.4.199 }]
  options: { routers: [10.40.4.1] }
`;

interface Taps {
  /** Between relays and members. */
  readonly core: Tap;
  readonly floor: Tap;
  readonly desk: Tap;
  readonly annex: Tap;
}

/** dhcrelay -a for floor and desk, dnsmasq for annex, and for the shed a dhcrelay that knows member a alone. */
async function startRelays(lab: PairLab): Promise<Taps> {
  const { network } = lab;
  const building = lab.relayHost("building", 21, { floor: "10.40.1", desk: "10.40.2" });
  const annex = lab.relayHost("annex", 22, { annex: "10.40.3" });
  const shed = lab.relayHost("shed", 23, { shed: "10.40.4" });
  const dhcrelay = ["dhcrelay", "-d", "--no-pid", "-a"];
  const log = (name: string) => `${lab.directory}/${name}.log`;
  const ports = ["-id", "floor", "-id", "desk", "-iu", "core"];
  network.start(building, [...dhcrelay, ...ports, ...SERVERS], log("building"));
  network.start(shed, [...dhcrelay, "-id", "shed", "-iu", "core", SERVERS[0] ?? ""], log("shed"));
  const plain = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"];
  const files = [`--pid-file=${lab.directory}/dnsmasq.pid`, "--log-facility=-"];
  const towards = SERVERS.map((server) => `--dhcp-relay=10.40.3.1,${server}`);
  network.start(annex, [...plain, ...files, ...towards], log("annex"));
  const [core, floor, desk, annexTap] = await Promise.all([
    Tap.open(network, "core"),
    Tap.open(network, "floor"),
    Tap.open(network, "desk"),
    Tap.open(network, "annex"),
  ]);
  return { core, floor, desk, annex: annexTap };
}

function optionOf(tap: Tap, client: RealClient, what: string): readonly (string | null)[] {
  return tap.seen
    .filter((seen) => seen.what === what && seen.hardwareAddress === client.hardwareAddress)
    .map(({ relayInformation }) => relayInformation);
}

describe("relays", { skip }, () => {
  let lab: PairLab;
  let taps: Taps;
  let alive: readonly Member[] = MEMBERS;
  before(async () => {
    lab = new PairLab([{ name: "core", network: "10.20.0" }]);
    taps = await startRelays(lab);
    await lab.start(MANIFESTS);
  });
  after(() => lab?.stop());

  /** A first lease through the relay, a renewal and a release past it. Gives the address. */
  async function lease(client: RealClient, segment: "floor" | "desk" | "annex"): Promise<string> {
    const trail = new Trail(taps[segment], client);
    client.start();
    const ack = await trail.next("ACK");
    await client.untilUses(ack.yourAddress);
    client.renewNow();
    const renewing = await trail.next("REQUEST renewing");
    assert.ok(SERVERS.includes(renewing.to));
    assert.equal((await trail.next("ACK")).yourAddress, ack.yourAddress, "also past the relay");
    for (const member of alive) await lab.untilHistory(member, ["grant"], ack.yourAddress);
    client.release();
    for (const member of alive) await lab.untilHistory(member, ["release", "end"], ack.yourAddress);
    await client.stop();
    return ack.yourAddress;
  }

  /** What holds whether the partner is there or not. `number` tells the clients of the two rounds apart. */
  async function everyRelay(number: string): Promise<void> {
    const [one, two, three] = ["udhcpc", "dhclient", "udhcpc"].map(
      (kind, i) =>
        new RealClient(lab, kind, `02:00:00:00:${number}:0${i}`, ["floor", "desk", "annex"][i] ?? ""),
    ) as [RealClient, RealClient, RealClient];
    const [floor, desk, annex] = await Promise.all([
      lease(one, "floor"),
      lease(two, "desk"),
      lease(three, "annex"),
    ]);
    assert.match(floor, /^10\.40\.1\.1\d\d$/);
    assert.equal(desk, PRINTER, "the address reserved for the circuit");
    assert.match(annex, /^10\.40\.3\.1\d\d$/);
    for (const [client, circuit] of [
      [one, toHex(Buffer.from("floor"))],
      [two, DESK_CIRCUIT],
    ] as const) {
      const asked = optionOf(taps.core, client, "DISCOVER").filter((option) => option !== null);
      assert.ok(asked.length > 0 && asked.every((option) => option.includes(circuit)));
      const answered = optionOf(taps.core, client, "OFFER");
      assert.ok(answered.length > 0);
      assert.deepEqual(new Set(answered), new Set(asked), "option 82 is echoed as it came");
    }
    for (const tap of [taps.floor, taps.desk]) {
      const toClients = tap.seen.filter(({ what }) => what === "OFFER" || what === "ACK");
      assert.ok(
        toClients.every(({ relayInformation }) => relayInformation === null),
        "and kept from clients",
      );
    }
  }

  test("dhcrelay -a and dnsmasq: leases, renewals past the relay, option 82 echoed, an address by circuit", () =>
    everyRelay("0a"));

  test("a relay that knows one member only is found by the gauge, and no other is", async () => {
    const macs = Array.from({ length: 64 }, (_, i) => `02000000ee${i.toString(16).padStart(2, "0")}`);
    const partners = macs.filter((mac) => {
      const [clientIdentifier, hardwareAddress] = [fromHex(`01${mac}`), fromHex(mac)];
      assert.ok(clientIdentifier !== null && hardwareAddress !== null);
      return bucketOwner({ clientIdentifier, hardwareType: 1, hardwareAddress }, 50) === "secondary";
    });
    const clients = partners.slice(0, 3).map((mac) => {
      return new RealClient(lab, "udhcpc", mac.replace(/(..)(?=.)/g, "$1:"), "shed");
    });
    for (const client of clients) client.start();
    await lab.untilMetric("a", /leasepair_dhcp_relay_knows_one_member\{relay="10\.40\.4\.1"[^}]*\} 1/);
    await lab.untilLogged("a", /"event":"relay-knows-one-member".*10\.40\.4\.1/);
    assert.doesNotMatch(lab.metrics("a"), /knows_one_member\{relay="10\.40\.[123]\.1"[^}]*\} 1/);
    for (const client of clients) await client.stop();
  });

  test("the same with the partner gone (COMMUNICATIONS-INTERRUPTED)", async () => {
    await lab.endEngine("b", "SIGKILL");
    await lab.untilLogged("a", /"to":"COMMUNICATIONS-INTERRUPTED"/);
    alive = ["a"];
    await everyRelay("0b");
  });
});
