// Measures what a large number of reservations costs on its way into force: `npm run bench -- reservations [COUNT ...]`. The
// configuration thread parses, compiles and packs them; the DHCP thread, and with it every client, waits only for the swap.
// By CPU time, which tells the same on a machine that is busy with other things. Two rounds: the second as in a process that runs.

import { compile, RESERVATIONS_MAX } from "../src/api/compile.ts";
import type { CompiledRelationship } from "../src/api/compiled.ts";
import { readCompiled } from "../src/api/compiled-read.ts";
import type { KindName, ObjectOf } from "../src/api/kinds.ts";
import { parseObject } from "../src/api/parse.ts";
import { assert } from "../src/base/assert.ts";
import { formatIpv4, type Ipv4 } from "../src/base/ipv4.ts";
import { bootMs, type Instant, unixSeconds } from "../src/base/units.ts";
import { createEngine, step } from "../src/dhcp/engine/engine.ts";
import { packConfig } from "../src/dhcp/server/engine-config.ts";
import { Report } from "./report.ts";

const PER_SET = 1024;
const ROUNDS = 2;
/** Clients must not notice. */
const SWAP_MS_MAX = 50;
const FIRST_ADDRESS = 0x0a00_0100;
const NOW: Instant = { boot: bootMs(1_000), wall: unixSeconds(1_800_000_000) };

/** Prints the figures of the last round for each count, as far as a relationship may have so many; returns how many are missed. */
export function benchReservations(counts: readonly number[]): number {
  const report = new Report();
  for (const count of new Set(counts.map((each) => Math.min(each, RESERVATIONS_MAX)))) {
    for (let round = 1; round <= ROUNDS; round++) {
      const figures = measure(count);
      if (round < ROUNDS) continue;
      console.log(`\n${count} reservations`);
      for (const [name, milliseconds] of figures) {
        report.line(name, milliseconds, name === SWAP ? SWAP_MS_MAX : null, "ms");
      }
    }
  }
  return report.missed;
}

const SWAP = "DHCP thread: take it over";

function measure(count: number): ReadonlyMap<string, number> {
  const figures = new Map<string, number>();
  const cpu = <T>(name: string, work: () => T): T => {
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    figures.set(name, (user + system) / 1000);
    return result;
  };
  const jsons = setsOf(count);
  const sets = cpu("configuration thread: parse", () =>
    jsons.map((json) => parsed("DHCPReservationSet", json)),
  );
  compiled(sets.slice(1));
  const config = cpu("configuration thread: compile after one more set", () => compiled(sets));
  const packed = cpu("configuration thread: pack", () => packConfig(config));
  const engine = createEngine({
    member: "a",
    config: { ...compiled([]), shape: config.shape },
    identity: { store: "61".repeat(16), generation: 1, position: 0, fresh: true },
    records: [],
    bootId: "bench",
    random: { uint32: () => 1 },
    now: NOW,
  });
  cpu(SWAP, () => {
    const message = structuredClone(packed.config, { transfer: packed.buffers });
    step(engine, { kind: "configured", config: message }, NOW);
  });
  const text = JSON.stringify(config);
  cpu("start: read what was kept", () => readCompiled(JSON.parse(text)));
  return figures;
}

function parsed<Name extends KindName>(kind: Name, json: unknown): ObjectOf<Name> {
  const result = parseObject(json);
  assert(result.kind === "ok" && result.object.kind === kind, `the bench's ${kind} is good`);
  return result.object as unknown as ObjectOf<Name>;
}

function compiled(reservationSets: readonly ObjectOf<"DHCPReservationSet">[]): CompiledRelationship {
  const relationships = [parsed("FailoverRelationship", RELATIONSHIP)];
  const scopes = [parsed("DHCPScope", SCOPE)];
  const result = compile({ relationships, scopes, reservationSets, operations: [] }, "bench", "engine");
  assert(result.kind === "compiled" && result.rejected.length === 0, "the bench's objects fit together");
  return result.config;
}

function object(kind: KindName, name: string, spec: object): object {
  return { apiVersion: "leasepair.io/v1alpha1", kind, metadata: { name, namespace: "bench" }, spec };
}

const RELATIONSHIP = object("FailoverRelationship", "engine", {
  mode: "LoadBalance",
  primary: "a",
  members: [
    { name: "a", nodeName: "node-1", address: "127.99.0.1" },
    { name: "b", nodeName: "node-2", address: "127.99.0.2" },
  ],
});

const SCOPE = object("DHCPScope", "users", {
  relationshipRef: { name: "engine" },
  subnet: "10.0.0.0/8",
  ranges: [{ start: "10.255.0.0", end: "10.255.255.250" }],
});

function setsOf(count: number): readonly object[] {
  const entries = Array.from({ length: count }, (_, index) => ({
    address: formatIpv4((FIRST_ADDRESS + index) as Ipv4),
    hardwareAddress: `02:00${index.toString(16).padStart(8, "0").replaceAll(/../g, ":$&")}`,
  }));
  return Array.from({ length: Math.ceil(count / PER_SET) }, (_, number) =>
    object("DHCPReservationSet", `set-${number}`, {
      scopeRef: { name: "users" },
      entries: entries.slice(number * PER_SET, (number + 1) * PER_SET),
    }),
  );
}
