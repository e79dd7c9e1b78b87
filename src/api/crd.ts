// CustomResourceDefinitions from the kinds: structural schemas with defaults, list types, limits, CEL rules, columns.
// Pure and deterministic: the same kinds give the same text. Never edit crds/ by hand.
// Source: apiextensions.k8s.io/v1; Kubernetes 1.31 or newer for ip() and cidr() in CEL.

import { z } from "zod";
import { assert } from "../base/assert.ts";
import { API_GROUP, API_VERSION, type Kind } from "./kind.ts";
import { KINDS, type KindName } from "./kinds.ts";
import { parseAt, type Rule } from "./rule.ts";
import { RULES } from "./rules.ts";

/** A JSON Schema as apiextensions takes it. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode;
  readonly required?: readonly string[];
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
  readonly "x-kubernetes-validations"?: readonly CelRule[];
}

interface CelRule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

/** Order of keywords in the generated files: what a reader looks for first comes first. */
const KEYWORDS = [
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
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
  "x-kubernetes-validations",
  "required",
  "items",
  "additionalProperties",
  "properties",
] as const satisfies readonly (keyof SchemaNode)[];

/** The openAPIV3Schema of a kind's objects. */
export function openApiSchema(kind: Kind): SchemaNode {
  const text = (description: string): SchemaNode => ({ description, type: "string" });
  const root: SchemaNode = {
    description: kind.description,
    type: "object",
    required: ["metadata", "spec"],
    properties: {
      apiVersion: text("Version of this representation of the object."),
      kind: text("The kind of object."),
      metadata: metadataSchema(kind),
      spec: structural(kind.spec),
      status: structural(kind.status),
    },
  };
  return RULES[kind.kind as KindName].reduce(
    (schema, entry) => attach(schema, parseAt(entry.at), entry),
    root,
  );
}

/** The whole object, plain JSON, for the API or for a file. */
export function customResourceDefinition(kind: Kind) {
  const { group, version, plural, singular, listKind, shortNames } = kind;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      labels: { "app.kubernetes.io/name": "leasepair", "app.kubernetes.io/part-of": "leasepair" },
    },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind: kind.kind,
        listKind,
        plural,
        singular,
        shortNames: [...shortNames],
        categories: ["dhcp"],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.printerColumns.map(({ priority, ...column }) =>
            priority === 0 ? column : { ...column, priority },
          ),
          schema: { openAPIV3Schema: openApiSchema(kind) },
        },
      ],
    },
  };
}

/** All definitions in the order of the kinds, each with the name of its file. */
export function allDefinitions() {
  return KINDS.map((kind) => ({
    file: `${API_GROUP}_${kind.plural}.yaml`,
    version: API_VERSION,
    definition: customResourceDefinition(kind),
  }));
}

function metadataSchema(kind: Kind): SchemaNode {
  if (kind.objectName === undefined) return { type: "object" };
  return { type: "object", properties: { name: structural(kind.objectName) } };
}

function structural(schema: z.ZodType): SchemaNode {
  const json = z.toJSONSchema(schema, { io: "input", target: "openapi-3.0", unrepresentable: "throw" });
  return ordered(json as SchemaNode);
}

/** Keeps the keywords that apiextensions knows, in our order. `additionalProperties: false` goes: unknown fields are
 *  pruned by the API server, and refused before that by strict field validation. */
function ordered(node: SchemaNode): SchemaNode {
  const pattern = typeof node.pattern === "string" ? { pattern: node.pattern } : {};
  const source: SchemaNode = { ...node, ...pattern };
  const out: Record<string, unknown> = {};
  for (const keyword of KEYWORDS) {
    const value = source[keyword];
    if (value === undefined || (keyword === "additionalProperties" && typeof value !== "object")) continue;
    out[keyword] = orderedKeyword(keyword, value);
  }
  return out;
}

function orderedKeyword(keyword: keyof SchemaNode, value: unknown): unknown {
  if (keyword === "items" || keyword === "additionalProperties") return ordered(value as SchemaNode);
  if (keyword !== "properties") return value;
  const properties = Object.entries(value as Record<string, SchemaNode>);
  return Object.fromEntries(properties.map(([name, property]) => [name, ordered(property)]));
}

/** The schema with the rule at the place that its path names. */
function attach(node: SchemaNode, path: readonly string[], entry: Rule): SchemaNode {
  const [segment, ...rest] = path;
  if (segment === undefined) {
    const validations = [...(node["x-kubernetes-validations"] ?? []), celRule(entry)];
    return ordered({ ...node, "x-kubernetes-validations": validations });
  }
  if (segment === "[]") {
    assert(node.items !== undefined, `rule at ${entry.at}: a list stands there`);
    return { ...node, items: attach(node.items, rest, entry) };
  }
  const property = node.properties?.[segment];
  assert(property !== undefined, `rule at ${entry.at}: the schema has a field ${segment}`);
  return { ...node, properties: { ...node.properties, [segment]: attach(property, rest, entry) } };
}

function celRule({ cel, message, fieldPath }: Rule): CelRule {
  return { rule: cel, message, ...(fieldPath !== "" && { fieldPath }) };
}
