// A member whose client interface has lost its carrier says so, and its partner answers all clients at once: from its own
// addresses, in the state it is in, and only for as long as it is told so on a link that stands.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainClient } from "../../../src/dhcp/engine/explain.ts";
import type { ClientIdentity } from "../../../src/dhcp/lease/binding.ts";
import { readExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import { type Node, Pair, relationship } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const CUT = { kind: "carrier", lost: ["lan0"] } as const;
const WHOLE = { kind: "carrier", lost: [] } as const;

const newcomer = (n: number) => `0200000003${n.toString(16).padStart(2, "0")}`;

/** Those of these clients whom the member offers an address in their first try. */
function answered(pair: Pair, node: Node, clients: readonly string[]): number {
  return clients.filter((mac) => pair.ask({ type: "DISCOVER", mac }, [node]).length > 0).length;
}

const CLIENTS = Array.from({ length: 8 }, (_, n) => newcomer(n));

describe("a member that has lost the carrier of a client interface", () => {
  for (const mode of ["LoadBalance", "HotStandby"] as const) {
    test(`${mode}: its partner answers all clients at once, both stay in NORMAL`, () => {
      const pair = new Pair(relationship({ mode, reservePercent: 50 })).startBoth().untilNormal();
      assert.ok(answered(pair, pair.b, CLIENTS) < CLIENTS.length);
      pair.deliver(pair.a, CUT);
      pair.run(10);
      assert.equal(answered(pair, pair.b, CLIENTS), CLIENTS.length);
      assert.deepEqual([pair.a.state, pair.b.state], ["NORMAL", "NORMAL"]);
      assert.deepEqual([pair.a.report.carrierLost, pair.b.report.partnerCarrierLost], [["lan0"], true]);
    });
  }

  test("the partner gives its own addresses alone", () => {
    const pair = new Pair().startBoth().untilNormal();
    const own = [...pair.b.engine.leases.candidates(0, "BACKUP")].map(({ address }) => address);
    pair.deliver(pair.a, CUT);
    pair.run(10);
    for (const mac of CLIENTS) {
      const [offer] = pair.ask({ type: "DISCOVER", mac }, [pair.b]);
      assert.ok(offer !== undefined && own.includes(offer.message.yourAddress));
    }
  });

  test("it still answers its own clients, for some of them may reach it by another interface", () => {
    const pair = new Pair().startBoth().untilNormal();
    const before = answered(pair, pair.a, CLIENTS);
    assert.ok(before > 0);
    pair.deliver(pair.a, CUT);
    pair.run(10);
    assert.equal(answered(pair, pair.a, CLIENTS), before);
  });

  test("with the carrier back each answers its own again", () => {
    const pair = new Pair().startBoth().untilNormal();
    const before = answered(pair, pair.b, CLIENTS);
    pair.deliver(pair.a, CUT);
    pair.run(10);
    pair.deliver(pair.a, WHOLE);
    pair.run(10);
    assert.equal(answered(pair, pair.b, CLIENTS), before);
    assert.equal(pair.b.report.partnerCarrierLost, false);
  });

  test("it is told on the next connection too, and what the one before said is forgotten", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.deliver(pair.a, CUT);
    pair.run(10);
    pair.cut();
    pair.until("interrupted", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
    assert.equal(pair.b.report.partnerCarrierLost, false);
    pair.heal();
    pair.untilNormal();
    assert.equal(pair.b.report.partnerCarrierLost, true);
    pair.cut();
    pair.until("interrupted again", () => pair.b.state === "COMMUNICATIONS-INTERRUPTED");
    pair.deliver(pair.a, WHOLE);
    pair.heal();
    pair.untilNormal();
    assert.equal(pair.b.report.partnerCarrierLost, false);
  });

  test("both say so of both, once: lost with the interfaces, and back", () => {
    const pair = new Pair().startBoth().untilNormal();
    for (const event of [CUT, WHOLE]) {
      pair.deliver(pair.a, event);
      pair.run(2_000);
    }
    const lines = (node: Node) =>
      node.log
        .filter(({ event }) => event.startsWith("carrier-"))
        .map(({ event, fields }) => `${event} ${fields["of"]} ${fields["interfaces"]}`);
    assert.deepEqual(lines(pair.a), ["carrier-lost a lan0", "carrier-back a "]);
    assert.deepEqual(lines(pair.b), ["carrier-lost a ", "carrier-back a "]);
  });

  test("explain says that both answer a client of the one that is cut off", () => {
    const pair = new Pair().startBoth().untilNormal();
    pair.deliver(pair.a, CUT);
    pair.run(10);
    const answers = CLIENTS.flatMap((mac) => {
      const hardwareAddress = Buffer.from(mac, "hex");
      const client: ClientIdentity = { clientIdentifier: null, hardwareType: 1, hardwareAddress };
      return explainClient(pair.b.engine, client, pair.now).flatMap(({ facts }) => facts);
    }).filter(({ about }) => about === "answered by");
    const also = answers.filter(({ text }) => /; and b too, while a has lost carrier$/.test(text));
    assert.ok(also.length > 0 && also.length < answers.length);
  });
});

test("a dhcpd is told nothing: it would not understand", () => {
  const partner = new ScriptedPartner({ dialect: "ISC" }).becomeNormal();
  const before = partner.heard.length;
  partner.deliver(CUT);
  assert.equal(partner.heard.length, before);
});

test("a Leasepair partner is told in STATE at once, and once for several interfaces", () => {
  const partner = new ScriptedPartner().becomeNormal();
  const words = () =>
    partner.heard.flatMap(({ message }) =>
      message.type === "STATE" ? [readExtras(message.extras).carrierLost === true] : [],
    );
  const before = words().length;
  for (const lost of [["lan0"], ["lan0", "lan1"], ["lan1"], []]) partner.deliver({ kind: "carrier", lost });
  assert.deepEqual(words().slice(before), [true, false]);
});
