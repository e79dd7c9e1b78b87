// compile() keeps what it made of objects that have not changed: whatever came before, its answer is the one that it gives when
// it has never seen any of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "../../src/api/compile.ts";
import type { CompiledRelationship } from "../../src/api/compiled.ts";
import type { ObjectSet } from "../../src/api/object-set.ts";
import { objectSet, relationshipJson, reservationSetJson, scopeJson } from "./objects.ts";
import { seededRandom } from "./random.ts";

const SEQUENCES = 60;
const CHANGES = 25;
const SCOPES = 3;
const SETS = 5;

type Random = (bound: number) => number;

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random(choices.length)] as T;
}

/** Members, defaults and classes of which scopes and reservations are made besides their own objects. */
function someRelationship(random: Random) {
  const members = [
    { name: "a", nodeName: "node-1", address: pick(random, ["10.20.0.11", "10.20.0.51", "10.21.0.100"]) },
    { name: "b", nodeName: "node-2", address: "10.20.0.12" },
  ];
  const scopeDefaults = pick(random, [
    {},
    { leaseTime: { defaultSeconds: 600 } },
    { options: { routers: [pick(random, ["10.20.0.101", "10.21.0.1"])], domainName: "campus.example" } },
  ]);
  const clientClasses = pick(random, [[], [{ name: "phones", match: "vendorClass == 'phone'" }]]);
  const spec = { members, scopeDefaults, clientClasses, mode: pick(random, ["LoadBalance", "HotStandby"]) };
  return relationshipJson(spec, { uid: pick(random, ["one", "one", "one", "two"]) });
}

function someReservations(random: Random, network: string) {
  const hosts = new Set(
    Array.from({ length: 1 + random(4) }, () => pick(random, [49, 50, 51, 52, 100, 255])),
  );
  return [...hosts].map((host) => ({
    address: `${network}.${host}`,
    hardwareAddress: `02:00:00:00:00:${10 + random(20)}`,
    ...(random(3) === 0 && { hostname: `host-${random(3)}` }),
    ...(random(12) === 0 && { options: { extra: [{ code: 224, type: "ipList", value: "10.0.0" }] } }),
  }));
}

function someScope(random: Random, number: number, meta: Record<string, unknown>) {
  const network = pick(random, ["10.20.0", "10.21.0", `10.22.${number}`]);
  const ranges = pick(random, [
    [{ start: `${network}.100`, end: `${network}.199` }],
    [{ start: `${network}.50`, end: `${network}.60`, allowedClasses: ["phones"] }],
    [
      { start: `${network}.10`, end: `${network}.150` },
      { start: `${network}.${140 + random(20)}`, end: `${network}.254` },
    ],
  ]);
  const reservations = random(3) === 0 ? someReservations(random, network) : undefined;
  const state = pick(random, ["Enabled", "Disabled"]);
  return scopeJson({ subnet: `${network}.0/24`, ranges, reservations, state }, meta);
}

function someSet(random: Random, meta: Record<string, unknown>) {
  const scopeRef = { name: `scope-${random(SCOPES)}` };
  const network = pick(random, ["10.20.0", "10.21.0"]);
  return reservationSetJson({ scopeRef, entries: someReservations(random, network) }, meta);
}

/** One object more, less, changed or under another name with the spec of another. */
function changed<T extends { readonly metadata: { readonly name: string } }>(
  random: Random,
  objects: readonly T[],
  name: string,
  create: (meta: Record<string, unknown>) => T,
): readonly T[] {
  const others = objects.filter(({ metadata }) => metadata.name !== name);
  const age = { creationTimestamp: `2026-01-0${1 + random(3)}T00:00:00Z` };
  const model = pick(random, objects);
  switch (random(8)) {
    case 0:
      return others;
    case 1:
      return model === undefined
        ? others
        : [...others, { ...model, metadata: { ...model.metadata, ...age, name } }];
    default:
      return [...others, create({ name, ...age })];
  }
}

function next(random: Random, before: ObjectSet): ObjectSet {
  const number = random(SCOPES);
  switch (random(5)) {
    case 0:
      return { ...before, relationships: objectSet(someRelationship(random)).relationships };
    case 1: {
      const servedBy = pick(random, ["a", "b"] as const);
      const status = { effective: { fencing: pick(random, ["None", "Witness"] as const), servedBy } };
      return { ...before, relationships: before.relationships.map((one) => ({ ...one, status })) };
    }
    case 2: {
      const create = (meta: Record<string, unknown>) => objectSet(someScope(random, number, meta)).scopes[0]!;
      return { ...before, scopes: changed(random, before.scopes, `scope-${number}`, create) };
    }
    default: {
      const create = (meta: Record<string, unknown>) => objectSet(someSet(random, meta)).reservationSets[0]!;
      const name = `set-${random(SETS)}`;
      return { ...before, reservationSets: changed(random, before.reservationSets, name, create) };
    }
  }
}

test("after any changes the answer is that of a compilation that begins anew", () => {
  const seen = { compiled: 0, refused: 0, reservations: 0 };
  for (let seed = 0; seed < SEQUENCES; seed++) {
    const random = seededRandom(seed);
    let objects = objectSet(someRelationship(random));
    let lastGood: CompiledRelationship | null = null;
    for (let change = 0; change < CHANGES; change++) {
      objects = next(random, objects);
      const result = compile(objects, "default", "campus", lastGood);
      const anew = compile(structuredClone(objects), "default", "campus", structuredClone(lastGood));
      assert.deepEqual(result, anew, `seed ${seed}, change ${change}`);
      assert.ok(result.kind === "compiled");
      if (random(2) === 0) lastGood = result.config;
      seen.compiled += result.config.scopes.length;
      seen.refused += result.rejected.length;
      seen.reservations += result.config.scopes.flatMap(({ reservations }) => reservations).length;
    }
  }
  for (const [what, count] of Object.entries(seen)) assert.ok(count > SEQUENCES * 10, `${what}: ${count}`);
});

test("what an unchanged scope was compiled to is kept", () => {
  const objects = objectSet(relationshipJson(), scopeJson(), reservationSetJson());
  const compiledScopes = (set: ObjectSet) => {
    const result = compile(set, "default", "campus");
    assert.ok(result.kind === "compiled");
    return result.config.scopes;
  };
  const [users] = compiledScopes(objects);
  const ranges = [{ start: "10.21.0.100", end: "10.21.0.199" }];
  const { scopes } = objectSet(scopeJson({ subnet: "10.21.0.0/24", ranges }, { name: "other" }));
  const more = compiledScopes({ ...objects, scopes: [...objects.scopes, ...scopes] });
  assert.equal(more.length, 2);
  assert.equal(more[0], users);
  assert.equal(compiledScopes(objects)[0]?.reservations[0], users?.reservations[0]);
});
