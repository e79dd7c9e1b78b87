// The controller compiles again when something that counts has changed, and only then.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Compilations, compileOnce } from "../../src/controller/compile-once.ts";
import { objectSet, relationshipJson, scopeJson } from "../api/objects.ts";

const CAMPUS = { namespace: "default", name: "campus" };

test("the same objects are compiled once; another scope, another effective status, another relationship anew", () => {
  const known: Compilations = new Map();
  const effective = { fencing: "Witness" } as const;
  const set = objectSet(relationshipJson(), scopeJson());
  const first = compileOnce(known, set, CAMPUS, effective);
  assert.ok(first.kind === "compiled" && first.config.fencing === "Witness");
  assert.equal(compileOnce(known, { ...set }, CAMPUS, { ...effective }), first);

  const { scopes } = objectSet(scopeJson({ ranges: [{ start: "10.20.0.100", end: "10.20.0.101" }] }));
  const changed = compileOnce(known, { ...set, scopes }, CAMPUS, effective);
  assert.ok(changed.kind === "compiled" && changed.config.shape !== first.config.shape);
  const fewer = compileOnce(known, { ...set, scopes: [] }, CAMPUS, effective);
  assert.ok(fewer.kind === "compiled" && fewer.config.scopes.length === 0);
  const without = compileOnce(known, { ...set, scopes: [] }, CAMPUS, { fencing: "None" });
  assert.ok(without.kind === "compiled" && without.config.fencing === "None");
  assert.equal(compileOnce(known, set, { ...CAMPUS, name: "other" }, effective).kind, "rejected");
});
