// A reservation for an address that another client has: it waits, and is honoured at that client's renewal; both are told.
// What docs/guides/reservations.md promises, with real clients and a real pair.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { Trail } from "./life.ts";
import { until } from "./network.ts";
import { MEMBERS, PairLab } from "./pair-lab.ts";
import { RealClient } from "./real-client.ts";
import { Tap } from "./tap.ts";

const OWNER = "02:00:00:00:1e:01";
const STEP_MS = 60_000;

function manifests(reservation: string): string {
  return `apiVersion: leasepair.io/v1alpha1
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
${reservation}`;
}

describe("a reservation for an address in use", { skip: unmet("root", "ip", "busybox", "tcpdump") }, () => {
  let lab: PairLab;
  let tap: Tap;
  before(async () => {
    lab = new PairLab([{ name: "lan0", network: "10.20.0" }]);
    tap = await Tap.open(lab.network, "lan0");
    await lab.start(manifests(""));
  });
  after(() => lab?.stop());

  test("waits, says so, and sends the other client away when it renews", async () => {
    const holder = new RealClient(lab, "udhcpc", "02:00:00:00:1e:02", "lan0");
    const held = new Trail(tap, holder);
    holder.start();
    const { yourAddress: address } = await held.next("ACK");
    await holder.untilUses(address);

    const since = MEMBERS.map((member) => lab.output(member).length);
    lab.configure(manifests(`  reservations: [{ address: ${address}, hardwareAddress: "${OWNER}" }]\n`));
    const active = /"event":"configuration-activated"/;
    await Promise.all(MEMBERS.map((member, i) => lab.untilLogged(member, active, since[i] ?? 0)));
    const owner = new RealClient(lab, "udhcpc", OWNER, "lan0");
    const owned = new Trail(tap, owner);
    owner.start();
    const { yourAddress: meanwhile } = await owned.next("ACK");
    assert.notEqual(meanwhile, address);
    await owner.untilUses(meanwhile);
    // What an engine says and counts may be seen a moment later than what it does.
    const isSaid = (event: string) =>
      until(
        () => `somebody says ${event}`,
        STEP_MS,
        () => MEMBERS.some((member) => lab.output(member).includes(`"event":"${event}"`)),
      );
    await isSaid("reservation-waits");

    holder.renewNow();
    await held.next("NAK");
    const { yourAddress: other } = await held.next("ACK");
    assert.notEqual(other, address);
    await holder.untilUses(other);
    await isSaid("reservation-honoured");

    const count = (result: string) => {
      const line = new RegExp(
        `leasepair_reservations_total\\{scope="users",result="${result}"[^}]*\\} (\\d+)`,
      );
      return MEMBERS.reduce((sum, member) => sum + Number(line.exec(lab.metrics(member))?.[1] ?? 0), 0);
    };
    for (const result of ["waits", "honoured"])
      await until(
        () => `${result} is counted`,
        STEP_MS,
        () => count(result) >= 1,
      );
    await Promise.all([holder.stop(), owner.stop()]);
  });
});
