import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "../../src/api/compile.ts";
import type { CompiledRelationship } from "../../src/api/compiled.ts";
import { formatIpv4 } from "../../src/base/ipv4.ts";
import { configOf, objectSet, relationshipJson, reservationSetJson, scopeJson } from "./objects.ts";

const overlapping = [
  { start: "10.20.0.100", end: "10.20.0.150" },
  { start: "10.20.0.140", end: "10.20.0.199" },
];
const entries = [50, 51, 52].map((n) => ({ address: `10.20.0.${n}`, clientIdentifier: `00${n}` }));

function compileOver(lastGood: CompiledRelationship | null, ...jsons: readonly unknown[]) {
  const result = compile(objectSet(...jsons), "default", "campus", lastGood);
  assert.equal(result.kind, "compiled");
  return result;
}

function reserved({ scopes }: CompiledRelationship): string[] {
  return scopes.flatMap(({ reservations }) =>
    reservations.map(({ address, clientIdentifier }) => `${formatIpv4(address)} ${clientIdentifier}`),
  );
}

test("a scope whose new version is refused stays as it was, with its reservations", () => {
  const before = configOf(relationshipJson(), scopeJson(), reservationSetJson());
  const edited = [relationshipJson(), scopeJson({ ranges: overlapping }), reservationSetJson()];
  const { config, rejected } = compileOver(before, ...edited);
  assert.deepEqual(
    rejected.map(({ kind, reason }) => `${kind} ${reason}`),
    ["DHCPScope RangesOverlap", "DHCPReservationSet ScopeNotAccepted"],
  );
  assert.deepEqual(config.scopes, before.scopes);
  assert.equal(compileOver(null, ...edited).config.scopes.length, 0);
});

test("the rest of the change is taken", () => {
  const before = configOf(relationshipJson(), scopeJson());
  const relationship = relationshipJson({ maxClientLeadTimeSeconds: 600 });
  const other = scopeJson(
    { subnet: "10.21.0.0/24", ranges: [{ start: "10.21.0.1", end: "10.21.0.9" }] },
    { name: "other" },
  );
  const { config } = compileOver(before, relationship, scopeJson({ ranges: overlapping }), other);
  assert.equal(config.mcltSeconds, 600);
  assert.deepEqual(
    config.scopes.map(({ name }) => name),
    ["users", "other"],
  );
});

test("a kept scope leases no address that a member has taken since", () => {
  const before = configOf(relationshipJson(), scopeJson());
  const members = [
    { name: "a", nodeName: "node-1", address: "10.20.0.100" },
    { name: "b", nodeName: "node-2", address: "10.20.0.12" },
  ];
  const { config } = compileOver(before, relationshipJson({ members }), scopeJson({ ranges: overlapping }));
  assert.deepEqual(
    config.scopes[0]?.pools.map(({ start, end }) => [formatIpv4(start), formatIpv4(end)]),
    [["10.20.0.101", "10.20.0.199"]],
  );
});

test("a deleted scope ends, and so does one whose subnet an accepted scope has taken", () => {
  const before = configOf(relationshipJson(), scopeJson());
  assert.deepEqual(compileOver(before, relationshipJson()).config.scopes, []);
  const heir = scopeJson({}, { name: "heir" });
  const { config } = compileOver(before, relationshipJson(), scopeJson({ ranges: overlapping }), heir);
  assert.deepEqual(
    config.scopes.map(({ name }) => name),
    ["heir"],
  );
});

test("another relationship's last good configuration is not kept", () => {
  const before = configOf(relationshipJson({}, { uid: "one" }), scopeJson());
  const edited = [relationshipJson({}, { uid: "two" }), scopeJson({ ranges: overlapping })];
  assert.deepEqual(compileOver(before, ...edited).config.scopes, []);
});

test("a refused set keeps the reservations that it had, for whom it had them", () => {
  const before = configOf(relationshipJson(), scopeJson(), reservationSetJson({ entries }));
  const edit = [
    { address: "10.20.0.50", clientIdentifier: "0050" },
    { address: "10.20.0.51", clientIdentifier: "ffff" },
    { address: "10.20.0.255", clientIdentifier: "0053" },
  ];
  const { config, rejected } = compileOver(
    before,
    relationshipJson(),
    scopeJson(),
    reservationSetJson({ entries: edit }),
  );
  assert.equal(rejected.length, 1);
  assert.deepEqual(reserved(config), ["10.20.0.50 0050", "10.20.0.51 0051"]);
});

test("what an accepted set reserves now is not kept for another", () => {
  const before = configOf(relationshipJson(), scopeJson(), reservationSetJson({ entries }, { name: "one" }));
  const broken = reservationSetJson(
    { entries: [...entries, { address: "10.20.0.255", clientIdentifier: "0053" }] },
    { name: "one" },
  );
  const taker = reservationSetJson(
    {
      entries: [
        { address: "10.20.0.51", clientIdentifier: "aa" },
        { address: "10.20.0.60", clientIdentifier: "0052" },
      ],
    },
    { name: "two" },
  );
  const { config } = compileOver(before, relationshipJson(), scopeJson(), broken, taker);
  assert.deepEqual(reserved(config), ["10.20.0.50 0050", "10.20.0.51 aa", "10.20.0.60 0052"]);
});
