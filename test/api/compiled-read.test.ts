import assert from "node:assert/strict";
import { test } from "node:test";
import { readCompiled } from "../../src/api/compiled-read.ts";
import { digestOf } from "../../src/api/digest.ts";
import { configOf, relationshipJson, reservationSetJson, scopeJson } from "./objects.ts";

const config = configOf(
  relationshipJson(),
  scopeJson({ options: { routers: ["10.20.0.1"] }, boot: { fileName: "x" }, relayAddresses: ["10.9.9.1"] }),
  reservationSetJson(),
);
const stored = () => JSON.parse(JSON.stringify(config));

test("a stored configuration is read back as it was", () => {
  assert.deepEqual(readCompiled(stored()), { kind: "ok", config });
});

test("a configuration of an older version, without the fields of today, is read with their defaults", () => {
  const { revision: _revision, shape, ...body } = stored();
  for (const field of ["limits", "clientClasses", "leasequeryFrom", "excludedAddresses"]) delete body[field];
  for (const scope of body.scopes) {
    for (const field of ["allowedClasses", "classPools", "policy"]) delete scope[field];
    for (const reservation of scope.reservations) delete reservation.relayAgent;
  }
  const result = readCompiled({ ...body, shape, revision: digestOf(body) });
  assert.ok(result.kind === "ok", JSON.stringify(result));
  assert.deepEqual({ ...result.config, revision: config.revision }, config);
});

test("any changed value is found by the revision", () => {
  const changed = stored();
  changed.scopes[0].lease.maxSeconds += 1;
  const result = readCompiled(changed);
  assert.equal(result.kind, "invalid");
  assert.equal(result.errors[0]?.field, "revision");
});

test("a changed value with a matching revision is still checked for its form", () => {
  const resigned = (change: (json: ReturnType<typeof stored>) => void) => {
    const json = stored();
    change(json);
    const { revision: _revision, shape, ...body } = json;
    return readCompiled({ ...body, shape, revision: digestOf(body) });
  };
  const fieldOf = (change: (json: ReturnType<typeof stored>) => void) => {
    const result = resigned(change);
    return result.kind === "invalid" ? result.errors[0]?.field : "none";
  };
  assert.equal(
    fieldOf(() => {}),
    "none",
  );
  assert.equal(
    fieldOf((json) => (json.primary = "c")),
    "primary",
  );
  assert.equal(
    fieldOf((json) => (json.scopes[0].pools[0].end = 1)),
    "scopes[0].pools[0]",
  );
  assert.equal(
    fieldOf((json) => (json.scopes[0].options[0].hex = "0")),
    "scopes[0].options[0].hex",
  );
  assert.equal(
    fieldOf((json) => json.members.pop()),
    "members",
  );
  assert.equal(
    fieldOf((json) => (json.unknown = 1)),
    "unknown",
  );
  assert.equal(
    fieldOf((json) => delete json.scopes[0].boot),
    "scopes[0].boot",
  );
});

test("what is no configuration at all is an error, never an exception", () => {
  for (const json of [undefined, null, 5, "text", [], {}]) assert.equal(readCompiled(json).kind, "invalid");
});
