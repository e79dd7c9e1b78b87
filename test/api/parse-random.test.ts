// Parsing and compiling whatever comes: manifests of the corpus with random parts replaced, removed or doubled.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { compile, danglingReferences } from "../../src/api/compile.ts";
import { readCompiled } from "../../src/api/compiled-read.ts";
import { readManifests, YAML_OPTIONS } from "../../src/api/manifests.ts";
import { parseObject } from "../../src/api/parse.ts";
import { corpusCases } from "./corpus.ts";
import { seededRandom } from "./random.ts";

const ROUNDS = 1500;

const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  "",
  "x",
  "10.20.0.120",
  "10.20.0.0/24",
  "255.255.255.255",
  "0.0.0.0/0",
  "a".repeat(300),
  [],
  [null],
  ["10.20.0.1"],
  {},
  { name: "campus" },
  { start: "10.20.0.9", end: "10.20.0.1" },
  { __proto__: null },
  "\u0000",
  "🔌",
];

const DOCUMENTS: readonly unknown[] = (["good", "refused"] as const)
  .flatMap(corpusCases)
  .filter(({ name }) => name !== "reservation-set-full")
  .flatMap(({ text }) => {
    const documents = parseAllDocuments(text, YAML_OPTIONS);
    return Array.isArray(documents) ? documents.map((document) => document.toJS() as unknown) : [];
  });

/** Every place in a JSON value: its container and key. */
function places(value: unknown): [Record<string, unknown>, string][] {
  if (typeof value !== "object" || value === null) return [];
  const container = value as Record<string, unknown>;
  return Object.keys(container).flatMap(
    (key) => [[container, key], ...places(container[key])] as [Record<string, unknown>, string][],
  );
}

function mutate(document: unknown, random: (bound: number) => number): unknown {
  const copy = structuredClone(document);
  for (let i = random(2); i >= 0; i--) {
    const all = places(copy);
    const [container, key] = all[random(all.length)] ?? [{}, ""];
    const donor = places(DOCUMENTS[random(DOCUMENTS.length)]);
    const [from, name] = donor[random(donor.length)] ?? [{}, ""];
    const how = random(4);
    if (how === 0) delete container[key];
    else if (how === 1) container[key] = structuredClone(ODD_VALUES[random(ODD_VALUES.length)]);
    else if (how === 2) container[name] = structuredClone(from[name]);
    else if (Array.isArray(container)) container.push(structuredClone(container[0]));
    else container[`${key}x`] = container[key];
  }
  return copy;
}

test("random manifests never throw, every error names what is wrong, what is accepted compiles and reads back", () => {
  const random = seededRandom(20260131);
  const seen = { ok: 0, invalid: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const json = mutate(DOCUMENTS[random(DOCUMENTS.length)], random);
    const parsed = parseObject(json);
    seen[parsed.kind]++;
    if (parsed.kind === "invalid") {
      assert.notEqual(parsed.errors.length, 0);
      for (const { message } of parsed.errors) assert.match(message, /\w/);
    } else {
      // Defaults are filled in once: what was accepted is accepted again, unchanged.
      assert.deepEqual(parseObject(parsed.object), parsed);
    }
  }
  assert.ok(seen.ok > ROUNDS / 25 && seen.invalid > ROUNDS / 4, JSON.stringify(seen));
});

test("random sets of objects compile without throwing, and every configuration reads back", () => {
  const random = seededRandom(31);
  let compiled = 0;
  for (let round = 0; round < 200; round++) {
    const documents = Array.from({ length: 6 }, () => {
      const document = DOCUMENTS[random(DOCUMENTS.length)];
      return random(2) === 0 ? document : mutate(document, random);
    });
    const text = documents.map((document) => stringify(document)).join("---\n");
    const { objects } = readManifests([{ file: "random.yaml", text }]);
    danglingReferences(objects);
    for (const { metadata } of objects.relationships) {
      const result = compile(objects, metadata.namespace, metadata.name);
      if (result.kind === "rejected") continue;
      compiled++;
      const stored = JSON.parse(JSON.stringify(result.config));
      assert.deepEqual(readCompiled(stored), { kind: "ok", config: result.config });
    }
  }
  assert.ok(compiled > 50, `${compiled}`);
});
