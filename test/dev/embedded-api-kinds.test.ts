// Our kinds in the embedded API: what the CRDs say holds here as it would in a cluster, and what the API refuses is
// what our own reading of manifests refuses.
// biome-ignore-all lint/suspicious/noExplicitAny: specs are edited freely here

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { type EmbeddedApi, startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { StatusError } from "../../dev/embedded-api/status-error.ts";
import { parseObject } from "../../src/api/parse.ts";
import type { KubeObject } from "../../src/kube/resource.ts";

let api: EmbeddedApi;

before(async () => {
  api = await startEmbeddedApi();
});

after(() => api.stop());

function readExamples(name: string): KubeObject[] {
  const text = readFileSync(new URL(`../../examples/${name}.yaml`, import.meta.url), "utf8");
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

function kindOf(object: KubeObject) {
  return api.kind(`${object.kind?.toLowerCase()}s`);
}

function apply(object: KubeObject): KubeObject {
  const { name = "", namespace = "default" } = object.metadata;
  const target = { kind: kindOf(object), namespace, name, subresource: "" as const };
  return api.objects.apply(target, object, { fieldManager: "test" });
}

function refusal(act: () => unknown): StatusError {
  try {
    act();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "it was accepted" });
}

for (const name of ["load-balance", "hot-standby", "relays", "network-boot"]) {
  test(`examples/${name}.yaml is accepted, with the same defaults that our own reading fills in`, () => {
    for (const object of readExamples(name)) {
      const stored = apply(object);
      const parsed = parseObject(object);
      assert.ok(parsed.kind === "ok", JSON.stringify(parsed));
      assert.deepEqual(stored["spec"], parsed.object.spec);
    }
  });
}

test("applying the same again changes nothing", () => {
  for (const object of readExamples("load-balance")) {
    assert.equal(apply(object).metadata.resourceVersion, apply(object).metadata.resourceVersion);
  }
});

type Edit = (spec: any) => void;
const BAD: [what: string, kind: string, edit: Edit, field: string][] = [
  ["a missing field", "FailoverRelationship", (spec) => delete spec.primary, "spec.primary"],
  ["a wrong word", "FailoverRelationship", (spec) => (spec.mode = "Both"), "spec.mode"],
  ["a wrong type", "FailoverRelationship", (spec) => (spec.maxSeconds = "3"), "spec.maxSeconds"],
  [
    "too small",
    "FailoverRelationship",
    (spec) => (spec.maxClientLeadTimeSeconds = 1),
    "spec.maxClientLeadTimeSeconds",
  ],
  ["a rule across fields", "FailoverRelationship", (spec) => (spec.primary = "c"), "spec.primary"],
  ["a member twice", "FailoverRelationship", (spec) => (spec.members[1].name = "a"), "spec.members"],
  [
    "an end outside of the subnet",
    "DHCPScope",
    (spec) => (spec.ranges[0].end = "10.99.0.1"),
    "spec.ranges[0].end",
  ],
];

for (const [what, kind, edit, field] of BAD) {
  test(`${what} is refused with its field, here and by our own reading`, () => {
    const object = structuredClone(readExamples("load-balance").find((one) => one.kind === kind)!);
    object.metadata.name = "bad";
    edit(object["spec"]);
    const error = refusal(() => api.objects.create(kindOf(object), "default", object));
    assert.deepEqual(
      [error.code, error.reason, error.details.causes?.[0]?.field],
      [422, "Invalid", field],
      error.message,
    );
    assert.match(error.message, /^\w+ "bad" is invalid: spec\./);
    assert.equal(parseObject(object).kind, "invalid");
  });
}

test("an unknown field is refused", () => {
  const object = structuredClone(readExamples("load-balance")[0]!);
  (object["spec"] as any).members[0].colour = "red";
  const { code, message } = refusal(() => apply(object));
  assert.deepEqual([code, message], [400, 'strict decoding error: unknown field "spec.members[0].colour"']);
});

test("what may not change is refused on update", () => {
  const operation: KubeObject = {
    apiVersion: "leasepair.io/v1alpha1",
    kind: "FailoverOperation",
    metadata: { name: "op" },
    spec: { relationshipRef: { name: "campus" }, reason: "drill" },
  };
  const kind = kindOf(operation);
  const types = (kind.schema as any).properties.spec.properties.type.enum as string[];
  assert.ok(types.includes("DeclarePartnerDown"), "the example below needs this type");
  operation["spec"] = {
    ...(operation["spec"] as object),
    type: "DeclarePartnerDown",
    declarePartnerDown: { survivor: "a" },
  };
  const made = api.objects.create(kind, "default", operation);
  const target = { kind, namespace: "default", name: "op", subresource: "" as const };
  const changed = { ...made, spec: { ...(made["spec"] as object), reason: "another" } };
  const { code, message } = refusal(() => api.objects.update(target, changed));
  assert.equal(code, 422);
  assert.match(message, /cannot be changed/);
});
