// What may be stored: unknown fields found and pruned, defaults filled in, the CRD's schema checked, causes worded as
// Kubernetes words them. Built-in kinds get only the few checks our code has stumbled over before.
// Source: Kubernetes CRD validation (pruning, defaulting, openAPIV3Schema); MicroTime for Leases and Events.

import { isIPv4 } from "node:net";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { KindName } from "../../src/api/kinds.ts";
import { runRules } from "../../src/api/rule.ts";
import { RULES } from "../../src/api/rules.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { kindId, type SchemaNode, type ServedKind } from "./kinds.ts";
import { badRequest, type Cause } from "./status-error.ts";

const FORMATS = {
  ipv4: isIPv4,
  cidr: (text: string) => isIPv4(text.split("/")[0] ?? "") && /\/\d{1,2}$/.test(text),
  "date-time": (text: string) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text)),
};

export class Validator {
  readonly #ajv = new Ajv({
    strict: false,
    allErrors: true,
    useDefaults: true,
    verbose: true,
    logger: false,
  });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor() {
    for (const [name, validate] of Object.entries(FORMATS)) this.#ajv.addFormat(name, validate);
  }

  /** Prunes and defaults `object` in place. Gives the paths of the fields that were unknown. */
  admit(kind: ServedKind, object: KubeObject): string[] {
    const unknown: string[] = [];
    if (kind.schema !== null) prune(kind.schema, object, "", unknown);
    this.#schemaOf(kind)?.(object);
    checkMicroTimes(kind, object);
    return unknown;
  }

  /** Everything wrong with an object that went through `admit`. */
  causes(kind: ServedKind, object: KubeObject, old: KubeObject | null): Cause[] {
    const validate = this.#schemaOf(kind);
    if (validate === null) return kind.kind === "StatefulSet" ? frozenStatefulSetFields(object, old) : [];
    const causes = validate(object) ? [] : (validate.errors ?? []).map(causeOf);
    if (kind.schema !== null) duplicateKeys(kind.schema, object, "", causes);
    return causes.length > 0 ? causes : crossFieldCauses(kind, object, old);
  }

  #schemaOf(kind: ServedKind): ValidateFunction | null {
    if (kind.schema === null) return null;
    const known = this.#compiled.get(kindId(kind)) ?? this.#ajv.compile(kind.schema);
    this.#compiled.set(kindId(kind), known);
    return known;
  }
}

/** A real API server evaluates the CEL of the same rules, and like here only when the schema holds. */
function crossFieldCauses(kind: ServedKind, object: KubeObject, old: KubeObject | null): Cause[] {
  const rules = RULES[kind.kind as KindName] ?? [];
  return runRules(rules, object, old ?? undefined).map((error) => ({
    reason: "FieldValueInvalid",
    ...error,
    message: `Invalid value: ${error.message}`,
  }));
}

function prune(schema: SchemaNode, value: unknown, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (schema.items !== undefined) prune(schema.items, item, `${path}[${index}]`, unknown);
    }
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (path === "" && (name === "metadata" || name === "apiVersion" || name === "kind")) continue;
    const at = path === "" ? name : `${path}.${name}`;
    const rest = schema.additionalProperties;
    const child = schema.properties?.[name] ?? (typeof rest === "object" ? rest : undefined);
    if (child !== undefined) {
      if (fields[name] === null && child.nullable !== true) delete fields[name];
      else prune(child, fields[name], at, unknown);
    } else if (rest !== true && schema["x-kubernetes-preserve-unknown-fields"] !== true) {
      delete fields[name];
      unknown.push(at);
    }
  }
}

/** `/spec/ranges/0/end` as `spec.ranges[0].end`. */
function fieldPath(pointer: string): string {
  const parts = pointer.split("/").slice(1);
  const path = parts.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part.replaceAll("~1", "/")}`));
  return path.join("").replace(/^\./, "");
}

function causeOf(error: ErrorObject): Cause {
  const field = fieldPath(error.instancePath);
  const shown = JSON.stringify(error.data);
  switch (error.keyword) {
    case "required": {
      const missing = String(error.params["missingProperty"]);
      const path = field === "" ? missing : `${field}.${missing}`;
      return { reason: "FieldValueRequired", field: path, message: "Required value" };
    }
    case "enum": {
      const allowed = (error.params["allowedValues"] as unknown[])
        .map((value) => JSON.stringify(value))
        .join(", ");
      const message = `Unsupported value: ${shown}: supported values: ${allowed}`;
      return { reason: "FieldValueNotSupported", field, message };
    }
    case "type": {
      const message = `Invalid value: ${shown}: ${field} in body must be of type ${error.params["type"]}`;
      return { reason: "FieldValueTypeInvalid", field, message };
    }
    default: {
      const message = `Invalid value: ${shown}: ${field} in body ${error.message ?? "is not valid"}`;
      return { reason: "FieldValueInvalid", field, message };
    }
  }
}

function duplicateKeys(schema: SchemaNode, value: unknown, path: string, causes: Cause[]): void {
  if (Array.isArray(value)) {
    const keys = schema["x-kubernetes-list-map-keys"] ?? [];
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      const at = `${path}[${index}]`;
      if (schema.items !== undefined) duplicateKeys(schema.items, item, at, causes);
      if (!["map", "set"].includes(schema["x-kubernetes-list-type"] ?? "")) continue;
      const fields = item as Record<string, unknown>;
      const key = JSON.stringify(
        keys.length === 0 ? item : Object.fromEntries(keys.map((name) => [name, fields[name]])),
      );
      if (seen.has(key))
        causes.push({ reason: "FieldValueDuplicate", field: at, message: `Duplicate value: ${key}` });
      seen.add(key);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [name, child] of Object.entries(value)) {
      const node = schema.properties?.[name];
      if (node !== undefined) duplicateKeys(node, child, path === "" ? name : `${path}.${name}`, causes);
    }
  }
}

const STATEFUL_SET_MUTABLE = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

function frozenStatefulSetFields(object: KubeObject, old: KubeObject | null): Cause[] {
  const frozen = (of: KubeObject) =>
    JSON.stringify(
      Object.entries(of["spec"] ?? {})
        .filter(([name]) => !STATEFUL_SET_MUTABLE.includes(name))
        .sort(),
    );
  if (old === null || frozen(object) === frozen(old)) return [];
  const names = STATEFUL_SET_MUTABLE.map((name) => `'${name}'`).join(", ");
  const message = `Forbidden: updates to statefulset spec for fields other than ${names} are forbidden`;
  return [{ reason: "FieldValueForbidden", field: "spec", message }];
}

/** MicroTime has exactly six digits after the point: a plain ISO string is refused by the real decoder. */
function checkMicroTimes(kind: ServedKind, object: KubeObject): void {
  const places: Record<string, readonly string[]> = {
    Lease: ["acquireTime", "renewTime"],
    Event: ["eventTime"],
  };
  for (const name of places[kind.kind] ?? []) {
    const holder = (kind.kind === "Lease" ? object["spec"] : object) as Record<string, unknown> | undefined;
    const value = holder?.[name];
    if (typeof value !== "string" || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$/.test(value))
      continue;
    throw badRequest(
      `${kind.kind} in version "${kind.version}" cannot be handled: ${name} "${value}" is not a MicroTime`,
    );
  }
}
