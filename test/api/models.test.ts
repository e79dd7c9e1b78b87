import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS } from "../../src/api/kinds.ts";
import {
  DHCPReservationSet,
  DHCPScope,
  FailoverMember,
  FailoverOperation,
  FailoverRelationship,
  InvalidObjectError,
} from "../../src/api/models.ts";
import { parseObject } from "../../src/api/parse.ts";
import { scopeJson } from "./objects.ts";

const spec = {
  relationshipRef: { name: "campus" },
  subnet: "10.20.0.0/24",
  ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
};

test("a model fills in apiVersion and kind and gives plain JSON that parses", () => {
  const scope = new DHCPScope({ metadata: { name: "users", namespace: "default" }, spec });
  assert.deepEqual(scope.toJSON(), scopeJson());
  assert.equal(parseObject(scope.toJSON()).kind, "ok");
  scope.validate();
});

test("validate() throws with every field that is wrong", () => {
  const scope = new DHCPScope({
    metadata: { name: "users" },
    spec: { ...spec, subnet: "10.20.0.1/24" },
  });
  assert.throws(
    () => scope.validate(),
    (error) =>
      error instanceof InvalidObjectError &&
      error.errors[0]?.field === "spec.subnet" &&
      error.message.startsWith("DHCPScope: spec.subnet: "),
  );
});

test("there is a model for every kind", () => {
  const models = [FailoverRelationship, FailoverMember, FailoverOperation, DHCPScope, DHCPReservationSet];
  const names = KINDS.map(({ kind }) => kind);
  assert.deepEqual(
    models.map(({ name }) => name),
    names,
  );
  assert.deepEqual(
    models.map((model) => new model().kind),
    names,
  );
});
