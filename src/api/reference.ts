// docs/reference/api.md from the kinds: every field with type, default, limits and rules, as `kubectl explain` has them.
// Pure and deterministic. Never edit that page by hand.

import { openApiSchema, type SchemaNode } from "./crd.ts";
import { API_GROUP_VERSION, type Kind } from "./kind.ts";
import { KINDS } from "./kinds.ts";

const INTRODUCTION = `# API reference

Generated from \`src/api/\` by \`npm run crds\`; do not edit.

Group and version: \`${API_GROUP_VERSION}\`. All kinds are namespaced, have the category \`dhcp\` (\`kubectl get dhcp\` lists
them all) and need Kubernetes 1.31 or newer. \`kubectl explain KIND.spec --recursive\` shows the same descriptions.

A field marked **required** must be set. Unknown fields are refused. References are to objects of the same namespace,
durations are whole seconds. What a single object cannot show (subnets that overlap, a reference to nothing, a client
reserved twice) is judged by the controller and the servers: the object gets the condition \`Accepted=False\` with reason
and field, and the rest stays in force.
`;

/** The page as Markdown. */
export function apiReference(): string {
  const contents = KINDS.map(
    ({ kind, description }) => `- [${kind}](#${kind.toLowerCase()}): ${description}`,
  );
  return [INTRODUCTION, contents.join("\n"), "", ...KINDS.map(kindSection)].join("\n");
}

function kindSection(kind: Kind): string {
  const schema = openApiSchema(kind);
  const names = `Short name \`${kind.shortNames.join("`, `")}\`, plural \`${kind.plural}\`.`;
  const { metadata, spec, status } = schema.properties ?? {};
  const nameSchema = metadata?.properties?.["name"];
  const nameRow = nameSchema === undefined ? [] : [fieldRow("metadata.name", nameSchema, true)];
  return [
    `## ${kind.kind}`,
    "",
    kind.description,
    "",
    names,
    "",
    "### Spec",
    "",
    TABLE_HEAD,
    ...nameRow,
    ...(spec === undefined ? [] : rows("spec", spec)),
    "",
    ...rulesSection(schema),
    "### Status",
    "",
    TABLE_HEAD,
    ...(status === undefined ? [] : rows("status", status)),
    "",
    "### Columns",
    "",
    "| column | shows |",
    "| --- | --- |",
    ...kind.printerColumns.map(
      ({ name, description, priority }) => `| ${name}${priority === 0 ? "" : " (wide)"} | ${description} |`,
    ),
    "",
  ].join("\n");
}

const TABLE_HEAD = ["| field | type | default | description |", "| --- | --- | --- | --- |"].join("\n");

/** One row per field below `path`, depth first, in the order of the schema. Conditions are the same everywhere. */
function rows(path: string, schema: SchemaNode): string[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const below = field.type === "array" ? field.items : field;
    const fieldPath = `${path}.${name}${field.type === "array" ? "[]" : ""}`;
    const row = fieldRow(fieldPath, field, required.has(name));
    return name === "conditions" || below === undefined ? [row] : [row, ...rows(fieldPath, below)];
  });
}

function fieldRow(path: string, field: SchemaNode, required: boolean): string {
  const shownDefault =
    field.default === undefined || typeof field.default === "object" ? "" : `\`${field.default}\``;
  const columns = [
    `\`${path}\``,
    typeText(field),
    required ? "**required**" : shownDefault,
    field.description ?? "",
  ];
  return `| ${columns.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** Type and limits in a few words. */
function typeText(field: SchemaNode): string {
  if (field.enum !== undefined) return field.enum.map((word) => `\`${word}\``).join(" or ");
  switch (field.type) {
    case "integer":
      return `integer ${bounds(field.minimum, field.maximum)}`;
    case "array":
      return `list of ${field.items === undefined ? "values" : typeText(field.items)}, ${bounds(field.minItems ?? 0, field.maxItems)} entries${listText(field)}`;
    case "object":
      return field.additionalProperties === undefined
        ? "object"
        : `map to ${typeText(field.additionalProperties)}`;
    case "string":
      if (field.format === "ipv4") return "IPv4 address";
      if (field.format === "date-time") return "time";
      return field.maxLength === undefined ? "string" : `string, at most ${field.maxLength} characters`;
    default:
      return field.type ?? "value";
  }
}

function listText(field: SchemaNode): string {
  if (field["x-kubernetes-list-type"] === "set") return ", no doubles";
  const keys = field["x-kubernetes-list-map-keys"];
  return keys === undefined ? "" : `, unique by ${keys.join(", ")}`;
}

function bounds(min: number | undefined, max: number | undefined): string {
  if (max === Number.MAX_SAFE_INTEGER) return `from ${min ?? 0}`;
  return min === max ? `${max}` : `${min} to ${max}`;
}

function rulesSection(schema: SchemaNode): string[] {
  const found = rulesBelow("", schema);
  if (found.length === 0) return [];
  return ["### Rules", "", ...found, ""];
}

function rulesBelow(path: string, node: SchemaNode): string[] {
  const own = (node["x-kubernetes-validations"] ?? []).map(
    ({ message, fieldPath }) => `- \`${path}${fieldPath ?? ""}\`: ${message}.`,
  );
  const below = Object.entries(node.properties ?? {}).flatMap(([name, property]) =>
    rulesBelow(path === "" ? name : `${path}.${name}`, property),
  );
  const items = node.items === undefined ? [] : rulesBelow(`${path}[]`, node.items);
  return [...own, ...below, ...items];
}
