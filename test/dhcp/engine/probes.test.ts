import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { DECLINED_ALWAYS } from "../../../src/dhcp/server/decline.ts";
import { OFFER_UNTAKEN_MS } from "../../../src/dhcp/server/offers.ts";
import { PROBE_LOST_MS, PROBE_TRIES_MAX, PROBES_MAX } from "../../../src/dhcp/server/probe-table.ts";
import { clientMessage, ip, MAC_1, MAC_2, routed, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

const policy = { ...DEFAULT_SCOPE_POLICY, addressProbe: true };

/** Member a without its partner, so that it answers everybody. */
function alone(range: readonly [string, string] = ["10.0.0.10", "10.0.0.29"], prefix = "10.0.0.0/24"): Pair {
  const pair = new Pair(relationship({}, [scope("first", prefix, range, { policy })]))
    .startBoth()
    .untilNormal();
  pair.kill(pair.b);
  pair.run(5_000);
  assert.equal(pair.a.state, "COMMUNICATIONS-INTERRUPTED");
  return pair;
}

const discover = (pair: Pair, mac = MAC_1) => pair.ask({ type: "DISCOVER", mac }, [pair.a]);
const offers = (pair: Pair) => pair.replies.map(({ message }) => formatIpv4(message.yourAddress));

function result(pair: Pair, address: string, answered: boolean, hardwareAddress: string | null = null): void {
  const found = { address: ip(address), answered, hardwareAddress };
  pair.deliver(pair.a, { kind: "probe-result", result: found });
  pair.run(10);
}

/** The address that is being probed now. */
function probed(pair: Pair): string {
  const last = pair.a.probes.at(-1);
  assert.ok(last !== undefined, "something is probed");
  return last;
}

test("the offer waits for the probe, other clients do not, and a silent address is offered", () => {
  const pair = alone();
  assert.deepEqual(discover(pair), []);
  const first = probed(pair);
  discover(pair, MAC_2);
  const second = probed(pair);
  assert.notEqual(first, second);
  result(pair, second, false);
  assert.deepEqual(offers(pair), [second], "the later client is not held up by the earlier one");
  result(pair, first, false);
  assert.deepEqual(offers(pair), [second, first]);
  assert.equal(pair.a.engine.datagrams.received.get("discover"), 2, "each DISCOVER is counted once");
});

test("a client that asks again while its address is probed is answered on its newest message", () => {
  const pair = alone();
  discover(pair);
  const [before] = pair.a.probes;
  discover(pair);
  assert.deepEqual(pair.a.probes, [before], "no second probe");
  result(pair, String(before), false);
  const [reply] = pair.replies;
  const [next] = discover(pair);
  assert.equal(next?.message.xid, (reply?.message.xid ?? 0) + 1, "the answer had the newer message's xid");
});

test("an address that answers is quarantined and counted, and the client gets another one", () => {
  const pair = alone();
  discover(pair);
  const taken = probed(pair);
  result(pair, taken, true, "020000000099");
  assert.equal(pair.a.binding(taken)?.status, "ABANDONED");
  assert.equal(pair.a.engine.probes?.counts.conflicts, 1);
  assert.ok(pair.a.log.some(({ event, level }) => event === "address-conflict" && level === "warn"));
  const next = probed(pair);
  assert.notEqual(next, taken);
  result(pair, next, false);
  assert.deepEqual(offers(pair), [next]);
  assert.equal(pair.a.history.at(-1)?.event, "quarantine");
});

test("an answer by ARP from the client itself is no conflict", () => {
  const pair = alone();
  discover(pair);
  const own = probed(pair);
  result(pair, own, true, MAC_1);
  assert.deepEqual(offers(pair), [own]);
});

test("a client's own last address is offered without a probe", () => {
  const pair = alone();
  discover(pair);
  const address = probed(pair);
  result(pair, address, false);
  pair.ask({ type: "REQUEST", mac: MAC_1, requested: address, server: "192.0.2.1" }, [pair.a]);
  pair.run(10);
  assert.equal(pair.a.binding(address)?.status, "ACTIVE");
  const count = pair.a.probes.length;
  pair.run(70_000);
  discover(pair);
  assert.equal(pair.a.probes.length, count);
  assert.equal(offers(pair).at(-1), address);
});

test("a probe whose result never comes counts as silence", () => {
  const pair = alone();
  discover(pair);
  const address = probed(pair);
  pair.run(PROBE_LOST_MS + 2_000);
  assert.deepEqual(offers(pair), [address]);
  result(pair, address, true);
  assert.deepEqual(offers(pair), [address], "and the late result changes nothing");
  assert.notEqual(pair.a.binding(address)?.status, "ABANDONED");
});

test("somebody who answers for every address cannot close a scope, nor keep one DISCOVER going for ever", () => {
  const pair = alone();
  for (let i = 0; i < 12; i++) {
    const before = pair.a.probes.length;
    discover(pair, `0200000001${String(i).padStart(2, "0")}`);
    for (let done = before; done < pair.a.probes.length; done++)
      result(pair, String(pair.a.probes[done]), true);
    assert.ok(pair.a.probes.length - before <= PROBE_TRIES_MAX);
  }
  assert.equal(pair.a.report.addresses["first"]?.abandoned, DECLINED_ALWAYS);
  assert.deepEqual(offers(pair), []);
  discover(pair);
  result(pair, probed(pair), false);
  assert.equal(offers(pair).length, 1);
});

test("probes at the same time are bounded, and beyond the bound addresses are offered without", () => {
  const pair = alone(["10.1.0.10", "10.1.39.255"], "10.1.0.0/16");
  for (let i = 0; i < PROBES_MAX + 5; i++) {
    const mac = `02000000${i.toString(16).padStart(4, "0")}`;
    const bytes = clientMessage({ type: "DISCOVER", mac, giaddr: "10.1.0.1" });
    pair.deliver(pair.a, { kind: "client-datagram", bytes, arrival: routed("10.1.0.1") });
  }
  assert.equal(pair.a.engine.probes?.size, PROBES_MAX);
  assert.equal(pair.replies.length, 5);
  assert.equal(pair.a.engine.probes?.counts.skipped, 5);
});

test("an address that was offered and not taken is looked for anew before another client is offered it", () => {
  const pair = alone(["10.0.0.10", "10.0.0.11"]);
  discover(pair);
  const only = probed(pair);
  result(pair, only, false);
  pair.run(OFFER_UNTAKEN_MS);
  assert.deepEqual(discover(pair, MAC_2), []);
  assert.deepEqual(pair.a.probes, [only, only]);
  result(pair, only, false);
  assert.deepEqual(offers(pair), [only, only]);
  const late = pair.ask({ type: "REQUEST", mac: MAC_1, requested: only, server: "192.0.2.1" }, [pair.a]);
  assert.equal(late[0]?.message.messageType, "NAK");
});
