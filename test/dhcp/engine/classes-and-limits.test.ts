import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_LIMITS } from "../../../src/api/compiled.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { ip, scope } from "../server/world.ts";
import { Pair, relationship } from "./pair.ts";

const NO_LEASE = {
  defaultSeconds: null,
  minSeconds: null,
  maxSeconds: null,
  renewSeconds: null,
  rebindSeconds: null,
};
const PHONE = { code: OPTION.VENDOR_CLASS, value: new TextEncoder().encode("Phone 7") };
const mac = (i: number) => `0200000000${i.toString(16).padStart(2, "0")}`;

/** Twenty addresses for phones, twenty for all. */
function classPair(): Pair {
  const classPools = [{ classes: ["phones"], ranges: [{ start: ip("10.0.0.100"), end: ip("10.0.0.119") }] }];
  const clientClasses = [
    {
      name: "phones",
      match: `vendorClass.startsWith("Phone")`,
      options: [],
      boot: { nextServer: null, serverName: null, fileName: null },
      lease: NO_LEASE,
    },
  ];
  const scopes = [scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], { classPools })];
  return new Pair(relationship({ clientClasses }, scopes)).startBoth();
}

const last = (address: number) => address & 255;

for (const situation of ["NORMAL", "COMMUNICATIONS-INTERRUPTED"] as const) {
  test(`in ${situation} each member gives a class's addresses to its members and no others`, () => {
    const pair = classPair().untilNormal();
    if (situation !== "NORMAL") {
      pair.cut();
      pair.until("both alone", () => [pair.a, pair.b].every(({ state }) => state === situation));
    }
    for (const node of [pair.a, pair.b]) {
      // secs makes either member answer; so both must have addresses of the class's own.
      const offers = (options: (typeof PHONE)[]) =>
        Array.from({ length: 5 }, (_, i) => {
          const client = mac(i + (node === pair.a ? 0 : 20) + options.length * 50);
          const [reply] = pair.ask({ type: "DISCOVER", mac: client, secs: 10, options }, [node]);
          assert.ok(reply !== undefined, `${node.name} answers`);
          return last(reply.message.yourAddress);
        });
      assert.ok(
        offers([PHONE]).every((host) => host >= 100),
        "phones",
      );
      assert.ok(
        offers([]).every((host) => host < 30),
        "others",
      );
    }
  });
}

test("a class's range is a pool of its own: balanced like the other, counted with its scope", () => {
  const pair = classPair().untilNormal();
  for (const pool of [0, 1]) {
    const { FREE, BACKUP } = pair.a.engine.leases.counts(pool);
    assert.deepEqual([FREE, BACKUP], [10, 10], `pool ${pool}`);
  }
  const { total, free, backup } = pair.a.report.addresses["first"]!;
  assert.deepEqual({ total, free, backup }, { total: 40, free: 20, backup: 20 });
});

test("a circuit's cap counts the leases that the partner gave, and holds through a restart", () => {
  const limits = { ...NO_LIMITS, leasesPerCircuit: 4 };
  const pair = new Pair(relationship({ limits })).startBoth().untilNormal();
  const port = (name: string) => {
    const id = toHex(new TextEncoder().encode(name));
    return `01${name.length.toString(16).padStart(2, "0")}${id}`;
  };
  const lease = (client: number, name: string, node: Pair["a"]) => {
    const parts = { mac: mac(client), secs: 10, relayInformation: port(name) };
    const [offer] = pair.ask({ type: "DISCOVER", ...parts }, [node]);
    if (offer === undefined) return false;
    const requested = [24, 16, 8, 0].map((s) => (offer.message.yourAddress >>> s) & 255).join(".");
    const server = node === pair.a ? "192.0.2.1" : "192.0.2.2";
    const [ack] = pair.ask({ type: "REQUEST", ...parts, requested, server }, [node]);
    pair.run(500);
    return ack?.message.messageType === "ACK";
  };
  const nodes = [pair.a, pair.b];
  const given = Array.from({ length: 10 }, (_, i) => lease(i, "port1", nodes[i % 2]!));
  assert.equal(given.filter(Boolean).length, 4);
  assert.ok(lease(20, "port2", pair.a));
  pair.kill(pair.a);
  pair.run(1_000);
  pair.start(pair.a);
  pair.untilNormal();
  assert.equal(lease(30, "port1", pair.a), false, "a restarted member counts what its store holds");
  assert.ok(lease(31, "port2", pair.a));
});
