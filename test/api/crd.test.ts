// The generated definitions: structural, limited, described, and of one mind with the zod schemas on every manifest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv } from "ajv";
import { parseAllDocuments } from "yaml";
import { customResourceDefinition, openApiSchema, type SchemaNode } from "../../src/api/crd.ts";
import { TIME_PATTERN } from "../../src/api/fields.ts";
import type { Kind } from "../../src/api/kind.ts";
import { KINDS } from "../../src/api/kinds.ts";
import { YAML_OPTIONS } from "../../src/api/manifests.ts";
import { objectSchema } from "../../src/api/parse.ts";
import { parseIpv4 } from "../../src/base/ipv4.ts";
import { corpusCases } from "./corpus.ts";

/** Every node of a schema with its path. */
function nodes(path: string, node: SchemaNode): [string, SchemaNode][] {
  const properties = Object.entries(node.properties ?? {}).flatMap(([name, field]) =>
    nodes(`${path}.${name}`, field),
  );
  const items = node.items === undefined ? [] : nodes(`${path}[]`, node.items);
  const values = node.additionalProperties === undefined ? [] : nodes(`${path}{}`, node.additionalProperties);
  return [[path, node], ...properties, ...items, ...values];
}

const ALL = KINDS.flatMap((kind) => nodes(kind.kind, openApiSchema(kind)));

/** Below `spec` and `status`, where the fields are ours. */
const OURS = ALL.filter(([path]) => /\.(spec|status)\b/.test(path));

test("every node has a type, and no keyword that a structural schema may not have", () => {
  const known = new Set([
    "description",
    "type",
    "format",
    "enum",
    "default",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "items",
    "properties",
    "additionalProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
  ]);
  for (const [path, node] of ALL) {
    assert.ok(
      ["object", "array", "string", "integer", "boolean"].includes(node.type ?? ""),
      `${path}: ${node.type}`,
    );
    assert.deepEqual(
      Object.keys(node).filter((keyword) => !known.has(keyword)),
      [],
      path,
    );
  }
});

test("every field is described", () => {
  const bare = OURS.filter(
    ([path, node]) => !path.endsWith("[]") && !path.endsWith("{}") && !node.description,
  );
  assert.deepEqual(
    bare.map(([path]) => path),
    [],
  );
});

test("every string, list and map has a limit, which the cost of CEL rules needs", () => {
  for (const [path, node] of OURS) {
    if (node.type === "string") assert.ok(node.maxLength !== undefined || node.enum !== undefined, path);
    if (node.type === "array") assert.ok(node.maxItems !== undefined, path);
    if (node.additionalProperties !== undefined) assert.ok(node.maxProperties !== undefined, path);
    if (node.type === "integer") assert.ok(node.minimum !== undefined && node.maximum !== undefined, path);
  }
});

test("every list says how it is merged, and the keys of a map are required fields of its entries", () => {
  for (const [path, node] of OURS) {
    if (node.type !== "array") continue;
    assert.ok(["atomic", "set", "map"].includes(node["x-kubernetes-list-type"] ?? ""), path);
    for (const key of node["x-kubernetes-list-map-keys"] ?? [])
      assert.ok(node.items?.required?.includes(key), path);
  }
});

test("a field with a default is not required, and its default is one of its own values", () => {
  for (const [path, node] of OURS) {
    for (const [name, field] of Object.entries(node.properties ?? {})) {
      if (field.default === undefined) continue;
      assert.ok(!node.required?.includes(name), `${path}.${name}`);
      if (field.enum !== undefined) assert.ok(field.enum.includes(field.default), `${path}.${name}`);
    }
  }
});

test("only what a person must decide is required in a spec", () => {
  const required = Object.fromEntries(
    KINDS.map((kind) => [kind.kind, openApiSchema(kind).properties?.["spec"]?.required]),
  );
  assert.deepEqual(required, {
    FailoverRelationship: ["mode", "primary", "members"],
    FailoverMember: ["relationshipRef", "member"],
    FailoverOperation: ["relationshipRef", "type", "reason"],
    DHCPScope: ["relationshipRef", "subnet", "ranges"],
    DHCPReservationSet: ["scopeRef", "entries"],
  });
});

test("names, category and status subresource are as the conventions want them", () => {
  for (const kind of KINDS) {
    const { metadata, spec } = customResourceDefinition(kind);
    assert.equal(metadata.name, `${spec.names.plural}.leasepair.io`);
    assert.deepEqual(spec.names.categories, ["dhcp"]);
    assert.equal(spec.names.singular, kind.kind.toLowerCase());
    assert.deepEqual(
      spec.versions.map(({ name, subresources }) => [name, subresources]),
      [["v1alpha1", { status: {} }]],
    );
  }
});

/** Lengths of the usual values; kubectl puts three blanks between the columns, the object's name comes first. */
const WIDTHS: Readonly<Record<string, number>> = {
  Mode: 11,
  Primary: 15,
  Secondary: 16,
  Serving: 7,
  Takeover: 8,
  Ready: 5,
  Age: 4,
  Relationship: 12,
  State: 24,
  Partner: 24,
  Subnet: 18,
  Used: 6,
  Total: 6,
  Accepted: 8,
  Programmed: 10,
  Scope: 20,
  Entries: 7,
  Type: 18,
  Complete: 8,
  Failed: 6,
};

test("the columns fit a terminal of 100 characters", () => {
  for (const kind of KINDS) {
    const shown = kind.printerColumns.filter(({ priority }) => priority === 0);
    const widths = shown.map(({ name }) => Math.max(name.length, WIDTHS[name] ?? 10));
    const width = widths.reduce((sum, next) => sum + 3 + next, "campus-net".length);
    assert.ok(width <= 100, `${kind.kind}: ${width}`);
  }
});

test("a rule's CEL and message stay within what apiextensions takes", () => {
  const rules = ALL.flatMap(([path, node]) =>
    (node["x-kubernetes-validations"] ?? []).map((rule) => ({ path, rule })),
  );
  assert.ok(rules.length > 60);
  for (const { path, rule } of rules) {
    assert.ok(rule.message.length > 0 && rule.message.length <= 2048 && !rule.message.includes("\n"), path);
    assert.ok(rule.fieldPath === undefined || rule.fieldPath.startsWith("."), path);
    assert.equal((rule.rule.match(/\(/g) ?? []).length, (rule.rule.match(/\)/g) ?? []).length, rule.rule);
  }
});

/** The schema with unknown fields refused, as strict field validation does; metadata is the API server's own. */
function closed(node: SchemaNode): object {
  const { properties, items, additionalProperties, ...rest } = node;
  return {
    ...rest,
    ...(items !== undefined && { items: closed(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: closed(additionalProperties) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, field]) => [name, closed(field)]),
      ),
      additionalProperties: false,
    }),
  };
}

function compileAjv(kind: Kind) {
  const ajv = new Ajv({ strict: false, unicodeRegExp: true });
  ajv.addFormat("ipv4", (text) => parseIpv4(text) !== null);
  ajv.addFormat("date-time", (text) => TIME_PATTERN.test(text) && isDay(text.slice(0, 10)));
  for (const format of ["int32", "int64"])
    ajv.addFormat(format, { type: "number", validate: Number.isInteger });
  const schema = openApiSchema(kind);
  const properties = { ...schema.properties, metadata: { type: "object" } };
  return ajv.compile({ ...closed({ ...schema, properties: {} }), properties: { ...mapClosed(properties) } });
}

function mapClosed(properties: Readonly<Record<string, SchemaNode>>): object {
  return Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, closed(field)]));
}

function isDay(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) ?? false;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutNulls(field)]));
}

test("the CRDs' schemas and the zod schemas give the same verdict on every manifest of the corpus", () => {
  const validators = new Map<
    string,
    { schema: ReturnType<typeof objectSchema>; ajv: ReturnType<typeof compileAjv> }
  >(KINDS.map((kind) => [kind.kind, { schema: objectSchema(kind), ajv: compileAjv(kind) }]));
  const seen = { accepted: 0, refused: 0 };
  for (const { name, text } of (["good", "bad", "refused"] as const).flatMap(corpusCases)) {
    const documents = parseAllDocuments(text, YAML_OPTIONS);
    for (const document of Array.isArray(documents) ? documents : []) {
      const json = withoutNulls(document.toJS()) as { kind?: string; metadata?: unknown };
      const found = validators.get(json.kind ?? "");
      if (found === undefined) continue;
      const zod = found.schema.safeParse(json);
      const inMetadata = zod.error?.issues.some(
        ({ path }) => path[0] === "metadata" || path[0] === "apiVersion",
      );
      if (inMetadata) continue;
      const valid = found.ajv(json);
      assert.equal(
        valid,
        zod.success,
        `${name}: ajv ${JSON.stringify(found.ajv.errors)}, zod ${zod.error?.message}`,
      );
      seen[valid ? "accepted" : "refused"]++;
    }
  }
  assert.ok(seen.accepted > 100 && seen.refused > 90, JSON.stringify(seen));
});
