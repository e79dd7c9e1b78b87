// Small objects for the tests of src/api; each test changes what it is about.

import assert from "node:assert/strict";
import { compile } from "../../src/api/compile.ts";
import type { CompiledRelationship } from "../../src/api/compiled.ts";
import type { KindName, ObjectOf } from "../../src/api/kinds.ts";
import type { ObjectSet, Rejection } from "../../src/api/object-set.ts";
import { parseObject } from "../../src/api/parse.ts";

type Fields = Readonly<Record<string, unknown>>;

function objectOf(kind: KindName, name: string, spec: Fields, meta: Fields): Record<string, unknown> {
  return {
    apiVersion: "leasepair.io/v1alpha1",
    kind,
    metadata: { name, namespace: "default", ...meta },
    spec,
  };
}

export function relationshipJson(spec: Fields = {}, meta: Fields = {}) {
  const members = [
    { name: "a", nodeName: "node-1", address: "10.20.0.11" },
    { name: "b", nodeName: "node-2", address: "10.20.0.12" },
  ];
  return objectOf(
    "FailoverRelationship",
    "campus",
    { mode: "LoadBalance", primary: "a", members, ...spec },
    meta,
  );
}

export function scopeJson(spec: Fields = {}, meta: Fields = {}) {
  const base = {
    relationshipRef: { name: "campus" },
    subnet: "10.20.0.0/24",
    ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
  };
  return objectOf("DHCPScope", "users", { ...base, ...spec }, meta);
}

export function reservationSetJson(spec: Fields = {}, meta: Fields = {}) {
  const base = {
    scopeRef: { name: "users" },
    entries: [{ address: "10.20.0.50", hardwareAddress: "02:00:00:00:00:50" }],
  };
  return objectOf("DHCPReservationSet", "printers", { ...base, ...spec }, meta);
}

export function operationJson(spec: Fields = {}, meta: Fields = {}) {
  const base = {
    relationshipRef: { name: "campus" },
    type: "DeclarePartnerDown",
    declarePartnerDown: { survivor: "a" },
    reason: "b is switched off",
  };
  return objectOf("FailoverOperation", "b-is-off", { ...base, ...spec }, meta);
}

/** Parses objects that must be good and sorts them by kind. */
export function objectSet(...jsons: readonly unknown[]): ObjectSet {
  const objects = jsons.map((json) => {
    const parsed = parseObject(json);
    assert.equal(parsed.kind, "ok", JSON.stringify(parsed));
    return parsed.object;
  });
  const of = <Name extends KindName>(kind: Name) =>
    objects.filter((object) => object.kind === kind) as unknown as ObjectOf<Name>[];
  return {
    relationships: of("FailoverRelationship"),
    scopes: of("DHCPScope"),
    reservationSets: of("DHCPReservationSet"),
    operations: of("FailoverOperation"),
  };
}

/** Compiles default/campus, which must be possible. */
export function compiled(...jsons: readonly unknown[]): {
  readonly config: CompiledRelationship;
  readonly rejected: readonly Rejection[];
} {
  const result = compile(objectSet(...jsons), "default", "campus");
  assert.equal(result.kind, "compiled", JSON.stringify(result));
  return result;
}

/** The config, from which nothing was left out. */
export function configOf(...jsons: readonly unknown[]): CompiledRelationship {
  const { config, rejected } = compiled(...jsons);
  assert.deepEqual(rejected, []);
  return config;
}
