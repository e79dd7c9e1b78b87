import assert from "node:assert/strict";
import { test } from "node:test";
import { type CompiledLimits, NO_LIMITS } from "../../../src/api/compiled.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { bootMs } from "../../../src/base/units.ts";
import { elapsedSeconds } from "../../../src/dhcp/server/client-request.ts";
import { RateLimiter } from "../../../src/dhcp/server/rate-limit.ts";
import { decodeMessage } from "../../../src/dhcp/wire/message.ts";
import {
  answer,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  local,
  routed,
  scope,
  World,
} from "./world.ts";

const RELAY = "10.0.0.1";
/** Option 82 with this circuit id and a remote id. */
const circuit = (name: string) => `01${byte(name.length)}${toHex(Buffer.from(name))}0202aabb`;
const byte = (value: number) => value.toString(16).padStart(2, "0");
const mac = (i: number) => `0200000${i.toString(16).padStart(5, "0")}`;

function world(limits: Partial<CompiledLimits>): World {
  const pool = scope("first", "10.0.0.0/16", ["10.0.1.0", "10.0.2.255"]);
  return new World([pool], {}, { limits: { ...NO_LIMITS, ...limits } });
}

const from = (name: string | null, parts: ClientMessage) =>
  clientMessage({ giaddr: RELAY, ...parts, ...(name !== null && { relayInformation: circuit(name) }) });

/** DISCOVER and REQUEST; the outcome of the last message that got an answer or none. */
function lease(w: World, name: string | null, client: string): string {
  const offer = w.send(from(name, { type: "DISCOVER", mac: client }), routed(RELAY));
  if (offer.kind !== "reply") return answer(offer);
  const requested = asReply(offer).address;
  const text = [24, 16, 8, 0].map((shift) => (requested >>> shift) & 255).join(".");
  const request = { type: "REQUEST", mac: client, requested: text, server: "192.0.2.1" } as const;
  return answer(w.send(from(name, request), routed(RELAY)));
}

test("a bucket gives its burst at once, then its rate, and is never fuller than its burst", () => {
  const limiter = new RateLimiter(10);
  const rate = { perSecond: 2, burst: 3 };
  const take = (at: number) => limiter.take("a", rate, bootMs(at));
  assert.deepEqual([0, 0, 0, 0, 499, 500, 501, 1000].map(take), [
    ...[true, true, true, false],
    ...[false, true, false, true],
  ]);
  assert.deepEqual([1e9, 1e9, 1e9, 1e9].map(take), [true, true, true, false]);
});

test("buckets are bounded: the one unused for longest goes, and starts full again", () => {
  const limiter = new RateLimiter(2);
  const rate = { perSecond: 1, burst: 1 };
  const take = (key: string) => limiter.take(key, rate, bootMs(0));
  assert.deepEqual(["a", "b", "a", "c", "a", "b"].map(take), [true, true, false, true, false, true]);
  assert.equal(limiter.size, 2);
  const full = new RateLimiter(2);
  const again = ["a", "b", "b", "a"].map((key) => full.take(key, rate, bootMs(0)));
  assert.deepEqual(again, [true, true, false, false], "one that is there already pushes nobody out");
});

test("a client that asks too often is dropped and served again later; others are not touched", () => {
  const w = world({ perClient: { perSecond: 1, burst: 2 } });
  const discover = (client: string) =>
    answer(w.send(from(null, { type: "DISCOVER", mac: client }), routed(RELAY)));
  assert.deepEqual(
    [1, 1, 1, 2].map((i) => discover(mac(i))),
    ["OFFER", "OFFER", "client-rate", "OFFER"],
  );
  w.pass(1);
  assert.equal(discover(mac(1)), "OFFER");
  assert.equal(w.counters.outcomes.get("dropped:client-rate"), 1);
});

test("who forges a client's address elsewhere does not use up that client's bucket", () => {
  const w = world({ perClient: { perSecond: 1, burst: 1 } });
  const discover = (giaddr: string) =>
    answer(w.send(clientMessage({ type: "DISCOVER", giaddr, mac: mac(1) }), routed(giaddr)));
  assert.deepEqual(["10.0.0.2", "10.0.0.2", "10.0.0.1"].map(discover), ["OFFER", "client-rate", "OFFER"]);
});

test("a circuit that asks too often is dropped, other circuits are not, and leases held are renewed", () => {
  const w = world({ perCircuit: { perSecond: 1, burst: 2 } });
  w.record("10.0.1.200", "ACTIVE", hardwareClient(mac(99)));
  const flood = Array.from({ length: 50 }, (_, i) => lease(w, "port1", mac(i)));
  assert.deepEqual(flood.slice(0, 3), ["ACK", "circuit-rate", "circuit-rate"]);
  assert.equal(lease(w, "port2", mac(60)), "ACK");
  const renewal = from("port1", { type: "REQUEST", mac: mac(99), ciaddr: "10.0.1.200" });
  assert.equal(answer(w.send(renewal, routed(RELAY))), "ACK");
});

test("random hardware addresses from one port cannot drain a scope when leases per circuit are capped", () => {
  const w = world({ leasesPerCircuit: 4 });
  const taken = Array.from({ length: 600 }, (_, i) => lease(w, "port1", mac(i)));
  assert.deepEqual(taken.slice(0, 5), ["ACK", "ACK", "ACK", "ACK", "circuit-leases"]);
  assert.equal(taken.filter((result) => result === "ACK").length, 4);
  assert.equal(lease(w, "port2", mac(700)), "ACK");
  // Without a cap the same flood takes everything.
  const open = world({});
  for (let i = 0; i < 600; i++) lease(open, "port1", mac(i));
  assert.equal(lease(open, "port2", mac(700)), "no-free-address");
});

test("offers count towards a circuit's cap, so that a flood of DISCOVERs alone holds no more either", () => {
  const w = world({ leasesPerCircuit: 4 });
  const discover = (i: number) =>
    answer(w.send(from("port1", { type: "DISCOVER", mac: mac(i) }), routed(RELAY)));
  assert.deepEqual([1, 2, 3, 4, 5, 4].map(discover), [
    ..."OFFER ".repeat(4).trim().split(" "),
    "circuit-leases",
    "OFFER",
  ]);
  w.pass(61);
  assert.equal(discover(6), "OFFER", "offers that nobody took count no more");
});

test("a client at a full circuit keeps and renews its lease, and a released one makes room", () => {
  const w = world({ leasesPerCircuit: 1 });
  assert.equal(lease(w, "port1", mac(1)), "ACK");
  assert.equal(lease(w, "port1", mac(1)), "ACK", "again, by the same client");
  assert.equal(lease(w, "port1", mac(2)), "circuit-leases");
  const held = w.leases.byClient(hardwareClient(mac(1)))[0];
  assert.ok(held !== undefined);
  const address = [24, 16, 8, 0].map((shift) => (held.address >>> shift) & 255).join(".");
  const release = { type: "RELEASE", mac: mac(1), ciaddr: address, server: "192.0.2.1" } as const;
  assert.equal(answer(w.send(from("port1", release), routed(RELAY))), "released");
  assert.equal(lease(w, "port1", mac(2)), "ACK");
});

test("a cap counts the leases that were there before it was set", () => {
  const w = world({});
  assert.equal(lease(w, "port1", mac(1)), "ACK");
  const config = { ...w.view.config, limits: { ...NO_LIMITS, leasesPerCircuit: 1 } };
  w.limits.configure(config, w.leases);
  assert.equal(w.limits.leases?.size, 1);
  assert.deepEqual(
    w.limits.use().find(({ limit }) => limit === "circuits"),
    { limit: "circuits", used: 1, max: null },
  );
});

test("packets that are too short, too long or cut are dropped by name", () => {
  const w = world({});
  const good = clientMessage({ type: "DISCOVER", mac: mac(1) });
  const padded = (length: number) => Uint8Array.from({ length }, (_, i) => good[i] ?? 0);
  const table: readonly (readonly [number, string])[] = [
    [0, "malformed-length"],
    [239, "malformed-length"],
    [4095, "OFFER"],
    [4096, "oversize"],
    [65_507, "oversize"],
  ];
  for (const [length, expected] of table)
    assert.equal(answer(w.send(padded(length), local())), expected, `${length}`);
});

test("hops of a message that goes in circles, and secs of a client that lies, do no harm", () => {
  const w = world({});
  const discover = (parts: Partial<ClientMessage>) =>
    answer(w.send(clientMessage({ type: "DISCOVER", mac: mac(1), giaddr: RELAY, ...parts }), routed(RELAY)));
  assert.equal(discover({ hops: 16 }), "OFFER");
  assert.equal(discover({ hops: 17 }), "too-many-hops");
  for (const [secs, meant] of [
    [0, 0],
    [255, 255],
    [0x0300, 3],
    [0xffff, 0xffff],
  ] as const) {
    const read = decodeMessage(clientMessage({ type: "DISCOVER", secs }));
    assert.ok(read.kind === "message");
    assert.equal(elapsedSeconds(read.message), meant);
    assert.equal(discover({ secs }), "OFFER");
  }
});

test("a RELEASE that gets the address, the client or the server wrong changes nothing", () => {
  const w = world({});
  const record = w.record("10.0.1.5", "ACTIVE", hardwareClient(mac(1)));
  const good = { type: "RELEASE", mac: mac(1), ciaddr: "10.0.1.5", server: "192.0.2.1" } as const;
  for (const forged of [
    { mac: mac(2) },
    { ciaddr: "10.0.1.6" },
    { server: "198.51.100.1" },
    { clientId: "01aa" },
  ]) {
    const outcome = w.send(clientMessage({ ...good, ...forged }), routed("10.0.1.5"));
    assert.equal(outcome.kind, "dropped", JSON.stringify(forged));
    assert.deepEqual(w.leases.get(ip("10.0.1.5")), record);
  }
  assert.equal(answer(w.send(clientMessage(good), routed("10.0.1.5"))), "released");
});
