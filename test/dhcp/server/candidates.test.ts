import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import { bootMs } from "../../../src/base/units.ts";
import { CandidateCursors } from "../../../src/dhcp/server/candidates.ts";
import { asReply, clientMessage, hardwareClient, ip, local, scope, World } from "./world.ts";

/** Takes the first candidate, as an allocation does. */
function take(cursors: CandidateCursors, world: World, ms = 0): string | null {
  for (const candidate of cursors.search(world.view, 0, "FREE", bootMs(world.boot + ms))) {
    return formatIpv4(candidate.address);
  }
  return null;
}

test("a search goes on where the one before stopped, comes around, and starts over after a second", () => {
  const cursors = new CandidateCursors();
  const world = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.12"])]);
  assert.deepEqual(
    [take(cursors, world), take(cursors, world), take(cursors, world)],
    ["10.0.0.10", "10.0.0.11", "10.0.0.12"],
  );
  assert.equal(take(cursors, world), "10.0.0.10");
  assert.equal(take(cursors, world, 999), "10.0.0.11");
  assert.equal(take(cursors, world, 1000), "10.0.0.10");
});

test("one search misses no candidate, wherever it began", () => {
  const cursors = new CandidateCursors();
  const world = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.12"])]);
  take(cursors, world);
  const shown = [...cursors.search(world.view, 0, "FREE", world.now.boot)].map(({ address }) =>
    formatIpv4(address),
  );
  assert.deepEqual(new Set(shown), new Set(["10.0.0.10", "10.0.0.11", "10.0.0.12"]));
  assert.ok(shown.length <= 5);
});

test("what is taken meanwhile is not shown, what becomes free is found at once in a small pool", () => {
  const cursors = new CandidateCursors();
  const world = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.11"])]);
  take(cursors, world);
  world.record("10.0.0.11", "ACTIVE", hardwareClient());
  assert.equal(take(cursors, world), "10.0.0.10");
  world.record("10.0.0.10", "ACTIVE", hardwareClient());
  assert.equal(take(cursors, world), null);
  world.record("10.0.0.11", "FREE", hardwareClient());
  assert.equal(take(cursors, world), "10.0.0.11");
});

test("another configuration starts every search over", () => {
  const cursors = new CandidateCursors();
  const before = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.12"])]);
  const after = new World([scope("small", "10.0.0.0/24", ["10.0.0.20", "10.0.0.22"])]);
  take(cursors, before);
  assert.equal(take(cursors, after), "10.0.0.20");
});

test("a flood of new clients passes over each held address about once a second, not once a DISCOVER", () => {
  const world = new World([scope("big", "10.0.0.0/16", ["10.0.0.10", "10.0.255.250"])]);
  let asked = 0;
  world.authority.refuse = () => {
    asked++;
    return false;
  };
  const discover = (i: number) =>
    clientMessage({ type: "DISCOVER", mac: `06${i.toString(16).padStart(10, "0")}` });
  const seen = new Set<number>();
  for (let i = 0; i < 2000; i++) seen.add(asReply(world.send(discover(i), local())).address);
  assert.equal(seen.size, 2000);
  assert.ok(asked <= 2100, `${asked} addresses were considered for 2000 clients`);
  assert.ok(seen.has(ip("10.0.0.10")));
});

const mac = (i: number) => `06${i.toString(16).padStart(10, "0")}`;

test("new clients get what nobody had yet, then the address that has been free for longest", () => {
  const world = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.14"])]);
  // In this order their leases ended; .13 and .14 were never used.
  for (const address of ["10.0.0.12", "10.0.0.10", "10.0.0.11"]) {
    world.record(address, "ACTIVE", hardwareClient(mac(1_000 + ip(address))));
    world.pass(60);
    world.record(address, "FREE", hardwareClient(mac(1_000 + ip(address))));
  }
  const offered = Array.from({ length: 5 }, (_, i) => {
    world.pass(2);
    return formatIpv4(asReply(world.send(clientMessage({ type: "DISCOVER", mac: mac(i) }), local())).address);
  });
  assert.deepEqual(offered, ["10.0.0.13", "10.0.0.14", "10.0.0.12", "10.0.0.10", "10.0.0.11"]);
});

test("a new client of a /8 costs one question, however many leases there are", () => {
  const world = new World([scope("eight", "10.0.0.0/8", ["10.0.1.0", "10.255.255.250"])]);
  for (let i = 0; i < 50_000; i++) {
    const address = formatIpv4(((ip("10.0.1.0") + i) >>> 0) as ReturnType<typeof ip>);
    world.record(address, i % 2 === 0 ? "ACTIVE" : "FREE", hardwareClient(mac(i)));
  }
  for (let i = 0; i < 100; i++) {
    world.authority.questions.length = 0;
    const outcome = world.send(clientMessage({ type: "DISCOVER", mac: mac(100_000 + i) }), local());
    assert.equal(asReply(outcome).address, ip("10.0.1.0") + 50_000 + i);
    const asked = world.authority.questions.filter((question) => question.startsWith("allocate"));
    assert.ok(asked.length <= 2, `${asked.length} addresses were considered`);
  }
});

/** A pool of so many addresses, all but `given` refused as those are that the partner may still hold. */
function refusing(
  pool: readonly [string, string],
  given: string | null = null,
): { world: World; asked: () => number } {
  const world = new World([scope("big", "10.0.0.0/15", pool)]);
  let asked = 0;
  world.authority.refuse = ({ address }) => {
    asked++;
    return given === null || address !== ip(given);
  };
  return { world, asked: () => asked };
}

test("new clients who can be given nothing do not have a large pool searched for each of them", () => {
  const { world, asked } = refusing(["10.0.0.10", "10.0.127.255"]);
  for (let i = 0; i < 200; i++) {
    world.send(clientMessage({ type: "DISCOVER", mac: mac(i) }), local());
    world.boot += 10;
  }
  assert.ok(asked() < 3 * 32_768, `${asked()} addresses were considered for 200 clients in 2 seconds`);
});

test("the last address of a large pool is found, however seldom a client asks", () => {
  const { world } = refusing(["10.0.0.10", "10.0.255.250"], "10.0.255.250");
  const offered: string[] = [];
  for (let i = 0; i < 10 && offered.length === 0; i++) {
    world.pass(60);
    const outcome = world.send(clientMessage({ type: "DISCOVER", mac: mac(i) }), local());
    if (outcome.kind === "reply") offered.push(formatIpv4(asReply(outcome).address));
  }
  assert.deepEqual(offered, ["10.0.255.250"]);
});
