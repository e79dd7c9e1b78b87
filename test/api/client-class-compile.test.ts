import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "../../src/api/compile.ts";
import { readCompiled } from "../../src/api/compiled-read.ts";
import { formatIpv4 } from "../../src/base/ipv4.ts";
import { configOf, objectSet, relationshipJson, scopeJson } from "./objects.ts";

const PHONES = {
  name: "phones",
  match: `vendorClass.startsWith("Phone")`,
  options: { ntpServers: ["10.20.0.5"] },
  boot: { nextServer: "10.20.0.6", fileName: "phone.cfg" },
  leaseTime: { defaultSeconds: 600 },
};
type Fields = Readonly<Record<string, unknown>>;
const LAB = { name: "lab", match: `"lab" in userClasses` };
const limits = {
  client: { requestsPerSecond: 5 },
  circuit: { requestsPerSecond: 20, burst: 100, leases: 16 },
};

const ranges = (...ends: readonly (readonly [number, number, string[]?])[]) =>
  ends.map(([start, end, allowedClasses]) => ({
    start: `10.20.0.${start}`,
    end: `10.20.0.${end}`,
    ...(allowedClasses !== undefined && { allowedClasses }),
  }));
const shown = (pools: readonly { readonly start: number; readonly end: number }[]) =>
  pools.map(({ start, end }) => `${formatIpv4(start as never)}-${formatIpv4(end as never)}`);

test("classes come in their order, with options as bytes and unset lease times as null", () => {
  const { clientClasses } = configOf(relationshipJson({ clientClasses: [PHONES, LAB] }), scopeJson());
  assert.deepEqual(
    clientClasses.map(({ name }) => name),
    ["phones", "lab"],
  );
  const [phones] = clientClasses;
  assert.deepEqual(phones?.options, [{ code: 42, hex: "0a140005" }]);
  assert.deepEqual(phones?.boot, { nextServer: 0x0a140006, serverName: null, fileName: "phone.cfg" });
  assert.deepEqual([phones?.lease.defaultSeconds, phones?.lease.maxSeconds], [600, null]);
});

test("ranges of the same classes are one pool, none of it is in the pool for all, and holes are cut from each", () => {
  const scope = scopeJson({
    ranges: ranges([10, 19], [20, 29, ["phones"]], [40, 49, ["lab", "phones"]], [30, 39, ["phones"]]),
    exclusions: [{ start: "10.20.0.25" }],
    reservations: [{ address: "10.20.0.45", hardwareAddress: "02:00:00:00:00:45" }],
  });
  const [compiled] = configOf(relationshipJson({ clientClasses: [PHONES, LAB] }), scope).scopes;
  assert.deepEqual(shown(compiled?.pools ?? []), ["10.20.0.10-10.20.0.10", "10.20.0.13-10.20.0.19"]);
  assert.deepEqual(
    compiled?.classPools.map((pool) => [pool.classes, shown(pool.ranges)]),
    [
      [
        ["lab", "phones"],
        ["10.20.0.40-10.20.0.44", "10.20.0.46-10.20.0.49"],
      ],
      [["phones"], ["10.20.0.20-10.20.0.24", "10.20.0.26-10.20.0.39"]],
    ],
  );
});

test("which range is for which classes is part of the shape; what a class sets, and limits, are not", () => {
  const shapeOf = (relationship: Fields, scope: Fields) =>
    configOf(relationshipJson({ clientClasses: [PHONES, LAB], ...relationship }), scopeJson(scope)).shape;
  const plain = shapeOf({}, { ranges: ranges([100, 199]) });
  assert.equal(shapeOf({ clientClasses: [LAB, PHONES], limits }, { ranges: ranges([100, 199]) }), plain);
  assert.equal(shapeOf({}, { ranges: ranges([100, 199]), allowedClasses: ["lab"] }), plain);
  assert.notEqual(shapeOf({}, { ranges: ranges([100, 199, ["lab"]]) }), plain);
});

test("limits that are not set limit nothing, and a burst that is not set is four seconds' worth", () => {
  const of = (spec: Fields) => configOf(relationshipJson(spec), scopeJson()).limits;
  assert.deepEqual(of({}), { perClient: null, perCircuit: null, leasesPerCircuit: null });
  assert.deepEqual(of({ limits }), {
    perClient: { perSecond: 5, burst: 20 },
    perCircuit: { perSecond: 20, burst: 100 },
    leasesPerCircuit: 16,
  });
  assert.deepEqual(of({ limits: { circuit: { leases: 3 } } }).perCircuit, null);
});

test("a configuration with classes and limits is read back from a snapshot; a spoilt expression is not", () => {
  const scope = scopeJson({ ranges: ranges([100, 199, ["phones"]]), addressProbe: "Enabled" });
  const config = configOf(relationshipJson({ clientClasses: [PHONES, LAB], limits }), scope);
  const json = JSON.parse(JSON.stringify(config)) as typeof config;
  assert.deepEqual(readCompiled(json), { kind: "ok", config });
  const [phones] = json.clientClasses;
  const spoilt = { ...json, clientClasses: [{ ...phones, match: "vendorClass ==" }] };
  const read = readCompiled(spoilt);
  assert.ok(
    read.kind === "invalid" && read.errors[0]?.field === "clientClasses[0].match",
    JSON.stringify(read),
  );
});

test("a bad expression refuses the relationship with the class and the position, and every bad one is named", () => {
  const clientClasses = [{ name: "one", match: "vendorClas == 1" }, LAB, { name: "three", match: "true &&" }];
  const result = compile(objectSet(relationshipJson({ clientClasses }), scopeJson()), "default", "campus");
  assert.ok(result.kind === "rejected");
  assert.deepEqual(
    result.rejections.map(({ kind, field, message }) => [kind, field, message.split(":")[0]]),
    [
      ["FailoverRelationship", "spec.clientClasses[0].match", 'class "one", position 1'],
      ["FailoverRelationship", "spec.clientClasses[2].match", 'class "three", position 8'],
    ],
  );
});

test("a class that a scope still needs, but that was taken away, stays in force for that scope", () => {
  const limited = scopeJson({ allowedClasses: ["phones"], ranges: ranges([100, 199, ["lab"]]) });
  const before = configOf(relationshipJson({ clientClasses: [PHONES, LAB] }), limited);
  const objects = objectSet(relationshipJson({ clientClasses: [{ ...LAB, match: "false" }] }), limited);
  const result = compile(objects, "default", "campus", before);
  assert.ok(result.kind === "compiled");
  assert.deepEqual(
    result.rejected.map(({ reason, field }) => `${reason} ${field}`),
    ["ClientClassNotFound spec.allowedClasses[0]"],
  );
  assert.deepEqual(
    result.config.clientClasses.map(({ name, match }) => [name, match]),
    [
      ["lab", "false"],
      ["phones", PHONES.match],
    ],
  );
});
