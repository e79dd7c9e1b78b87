// Two engines are a pair only while both reckon the same digest of the shape, each from the objects by its own code: of every
// manifest of the corpus that the first green version could read, it and this version reckon the same.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { compile } from "../../src/api/compile.ts";
import { readManifests } from "../../src/api/manifests.ts";
import { corpusCases } from "../api/corpus.ts";
import { type FirstGreen, unpackFirstGreen } from "./first-green.ts";

interface Api {
  readonly readManifests: typeof readManifests;
  readonly compile: typeof compile;
}

describe("the shape's digest", () => {
  let old: FirstGreen;
  let api: Api;
  before(async () => {
    old = unpackFirstGreen();
    const module = (path: string) => import(pathToFileURL(`${old.root}/src/api/${path}`).href);
    api = { ...(await module("compile.ts")), ...(await module("manifests.ts")) };
  });
  after(() => old?.remove());

  it("is what the first green version reckons, of every relationship with every scope of the corpus", () => {
    const cases = corpusCases("good").filter(({ text }) => !text.includes("\n---"));
    const of = (kind: string) => cases.filter(({ text }) => text.includes(`kind: ${kind}\n`));
    const now: Api = { readManifests, compile };
    let compared = 0;
    for (const relationship of of("FailoverRelationship")) {
      for (const scope of of("DHCPScope")) {
        const files = [relationship, scope].map(({ name, text }) => ({ file: name, text }));
        const [then, today] = [shapeOf(api, files), shapeOf(now, files)];
        if (then === null || today === null) continue;
        assert.equal(today, then, files.map(({ file }) => file).join(" with "));
        compared += 1;
      }
    }
    assert.ok(compared > 100, `${compared} compared`);
  });
});

/** Null where this version refuses the objects, or none of the scopes belongs to the relationship. */
function shapeOf(api: Api, files: Parameters<typeof readManifests>[0]): string | null {
  const { objects } = api.readManifests(files);
  const [relationship] = objects.relationships;
  if (relationship === undefined) return null;
  const { namespace = "default", name } = relationship.metadata;
  const compiled = api.compile(objects, namespace, name);
  return compiled.kind === "compiled" && compiled.config.scopes.length > 0 ? compiled.config.shape : null;
}
