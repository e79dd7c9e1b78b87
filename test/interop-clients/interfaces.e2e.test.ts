// Members that stand on several networks at once, by interfaces of several kinds: a plain one, a macvlan, a bridge, and a
// VLAN where the kernel has them. And a probe for an address that keeps one client waiting and no other.
// Source: RFC 2131 4.1, 4.3.1; RFC 5227 2.1 (ARP probe).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { Trail } from "./life.ts";
import { ip } from "./network.ts";
import { MEMBERS, type Member, PairLab } from "./pair-lab.ts";
import { RealClient } from "./real-client.ts";
import { Tap } from "./tap.ts";

const skip = unmet("root", "ip", "busybox", "tcpdump");

/** How an interface of that kind is made on `under`, which hangs on the segment. */
const STACKED: Readonly<Record<string, (node: string, under: string, name: string) => void>> = {
  macvlan: (node, under, name) =>
    ip("-n", node, "link", "add", "link", under, "name", name, "type", "macvlan", "mode", "bridge"),
  bridge: (node, under, name) => {
    ip("-n", node, "link", "add", name, "type", "bridge", "forward_delay", "0");
    ip("-n", node, "link", "set", under, "master", name);
  },
  vlan: (node, under, name) =>
    ip("-n", node, "link", "add", "link", under, "name", name, "type", "vlan", "id", "7"),
};

/** Kernels without VLANs are common in small virtual machines; nothing else here may be missing. */
function kernelHasVlans(lab: PairLab): boolean {
  const node = lab.network.namespace("vlan-try");
  lab.network.connect(node, "under", "lan0");
  try {
    STACKED["vlan"]?.(node, "under", "vlan");
    return true;
  } catch {
    return false;
  }
}

interface Place {
  readonly kind: string;
  readonly segment: string;
  /** The members' interface. */
  readonly link: string;
  readonly network: string;
}

function manifests(places: readonly Place[]): string {
  const interfaces = ["lan0", ...places.map(({ link }) => link)].join(", ");
  const scopes = [{ kind: "plain", network: "10.20.0" }, ...places].map(
    ({ kind, network }) => `---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: ${kind}, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: ${network}.0/24
  ranges: [{ start: ${network}.100, end: ${network}.199 }]
  options: { routers: [${network}.1] }
  addressProbe: ${kind === "macvlan" ? "Enabled" : "Disabled"}
`,
  );
  return `apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  maxClientLeadTimeSeconds: 60
  members:
    - { name: a, nodeName: node-1, address: 10.20.0.11, interfaces: [${interfaces}] }
    - { name: b, nodeName: node-2, address: 10.20.0.12, interfaces: [${interfaces}] }
${scopes.join("")}`;
}

describe("several interfaces", { skip }, () => {
  let lab: PairLab;
  let places: readonly Place[] = [];
  const taps = new Map<string, Tap>();

  before(async () => {
    lab = new PairLab([{ name: "lan0", network: "10.20.0" }]);
    const { network } = lab;
    const kinds = ["macvlan", "bridge", ...(kernelHasVlans(lab) ? ["vlan"] : [])];
    places = kinds.map((kind, i) => {
      return { kind, segment: `lan${i + 1}`, link: `${kind}0`, network: `10.20.${i + 1}` };
    });
    for (const place of places) {
      network.segment(place.segment);
      ip("-n", network.sw, "addr", "add", `${place.network}.1/24`, "dev", place.segment);
      for (const member of MEMBERS) {
        network.connect(lab.nodes[member], `under-${place.segment}`, place.segment);
        makeLink(member, place);
      }
      taps.set(place.kind, await Tap.open(network, place.segment));
    }
    taps.set("plain", await Tap.open(network, "lan0"));
    await lab.start(manifests(places));
  });
  after(() => lab?.stop());

  function makeLink(member: Member, { kind, segment, link, network }: Place): void {
    const node = lab.nodes[member];
    STACKED[kind]?.(node, `under-${segment}`, link);
    ip("-n", node, "addr", "add", `${network}.1${MEMBERS.indexOf(member) + 1}/24`, "dev", link);
    ip("-n", node, "link", "set", link, "up");
  }

  function client(kind: string, hardwareAddress: string): { client: RealClient; trail: Trail } {
    const segment = places.find((place) => place.kind === kind)?.segment ?? "lan0";
    const one = new RealClient(lab, "udhcpc", hardwareAddress, segment);
    return { client: one, trail: new Trail(taps.get(kind) as Tap, one) };
  }

  test("clients of a plain interface, a macvlan and a bridge are served each from its own network", async (t) => {
    if (!places.some(({ kind }) => kind === "vlan")) t.diagnostic("this kernel has no VLANs: not tried");
    const all = [{ kind: "plain", network: "10.20.0" }, ...places];
    await Promise.all(
      all.map(async ({ kind, network }, i) => {
        const { client: one, trail } = client(kind, `02:00:00:00:0e:0${i}`);
        one.start();
        const ack = await trail.next("ACK");
        assert.ok(ack.yourAddress.startsWith(`${network}.1`), `${kind}: ${ack.yourAddress}`);
        await one.untilUses(ack.yourAddress);
        one.renewNow();
        await trail.next("REQUEST renewing");
        assert.equal((await trail.next("ACK")).yourAddress, ack.yourAddress);
        one.release();
        for (const member of MEMBERS) await lab.untilHistory(member, ["release", "end"], ack.yourAddress);
        await one.stop();
      }),
    );
  });

  test("a probe keeps its own client waiting and no other; an address that answers is not offered", async () => {
    await lab.endEngine("b", "SIGKILL");
    await lab.untilLogged("a", /"to":"COMMUNICATIONS-INTERRUPTED"/);
    const tap = taps.get("macvlan") as Tap;
    const { client: holder, trail: held } = client("macvlan", "02:00:00:00:0f:00");
    holder.start();
    const { yourAddress } = await held.next("ACK");
    await holder.untilUses(yourAddress);
    // A machine with the next address set by hand, so that the newcomer's first probe finds somebody.
    const next = yourAddress.replace(/\d+$/, (last) => String(Number(last) + 1));
    ip("-n", lab.network.sw, "addr", "add", `${next}/32`, "dev", places[0]?.segment ?? "");
    for (let round = 1; ; round++) {
      const { client: newcomer, trail } = client("macvlan", `02:00:00:00:0f:0${round.toString(16)}`);
      newcomer.start();
      const discover = await trail.next("DISCOVER");
      holder.renewNow();
      const request = await held.next("REQUEST renewing");
      const ack = await held.next("ACK");
      const offer = await trail.next("OFFER");
      await newcomer.stop();
      assert.ok(offer.at - discover.at >= 0.5, "the address was looked for");
      assert.notEqual(offer.yourAddress, next);
      // On a busy machine the renewal may come too late to tell: once more, with another newcomer.
      if (request.at > discover.at && ack.at < offer.at) break;
      assert.ok(round < 10, "who renews does not wait for somebody else's probe");
    }
    await lab.untilMetric(
      "a",
      /leasepair_address_conflicts_total\{scope="macvlan",found_by="probe"[^}]*\} 1/,
    );
    assert.ok(tap.seen.every(({ what, yourAddress: given }) => what !== "ACK" || given !== next));
    await holder.stop();
  });

  test("an interface that goes and comes back is served again, and the member says so", async () => {
    const [macvlan] = places;
    assert.ok(macvlan !== undefined);
    const since = lab.output("a").length;
    ip("-n", lab.nodes.a, "link", "del", macvlan.link);
    await lab.untilLogged("a", /"event":"address-not-open".*macvlan0/, since);
    makeLink("a", macvlan);
    await lab.untilLogged("a", /"event":"address-open-again"/, since);
    const { client: one, trail } = client("macvlan", "02:00:00:00:0e:77");
    one.start();
    assert.match((await trail.next("ACK")).yourAddress, /^10\.20\.1\.1\d\d$/);
    await one.stop();
  });
});
