// Reads objects of our kinds: shape by the zod schemas, list keys, then the rules over several fields. What passes here
// passes the API server with our CRDs, and the other way round (test/corpus/manifests). Never throws.

import { z } from "zod";
import { type FieldError, fieldErrors, formatPath, type Path, showValue, valueAt } from "./field-error.ts";
import { API_GROUP_VERSION, type Kind, objectMetaSchema } from "./kind.ts";
import { KINDS, type KindName, type ObjectOf } from "./kinds.ts";
import { runRules } from "./rule.ts";
import { RULES } from "./rules.ts";
import { elementOf, listKeysOf, shapeOf } from "./zod-walk.ts";

export type Parsed<T> =
  /** Every default is filled in. */
  | { readonly kind: "ok"; readonly object: T }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] };

export type ParsedObject<Name extends KindName> = Parsed<ObjectOf<Name>>;

type AnyParsed = { readonly [Name in KindName]: ParsedObject<Name> }[KindName];

/** `previous`: the stored object that `value` replaces; rules on changes need it, here and below. */
export function parseFailoverRelationship(
  value: unknown,
  previous?: unknown,
): ParsedObject<"FailoverRelationship"> {
  return parseAs("FailoverRelationship", value, previous);
}

export function parseFailoverMember(value: unknown, previous?: unknown): ParsedObject<"FailoverMember"> {
  return parseAs("FailoverMember", value, previous);
}

export function parseFailoverOperation(
  value: unknown,
  previous?: unknown,
): ParsedObject<"FailoverOperation"> {
  return parseAs("FailoverOperation", value, previous);
}

export function parseDHCPScope(value: unknown, previous?: unknown): ParsedObject<"DHCPScope"> {
  return parseAs("DHCPScope", value, previous);
}

export function parseDHCPReservationSet(
  value: unknown,
  previous?: unknown,
): ParsedObject<"DHCPReservationSet"> {
  return parseAs("DHCPReservationSet", value, previous);
}

/** Reads an object of whichever of our kinds it says it is. */
export function parseObject(value: unknown, previous?: unknown): AnyParsed {
  const name = valueAt(value, ["kind"]);
  const kind = KINDS.find((candidate) => candidate.kind === name);
  if (kind !== undefined) return parseAs(kind.kind, value, previous) as AnyParsed;
  const kinds = KINDS.map((known) => known.kind).join(", ");
  const shown = name === undefined ? "is required: " : `${showValue(name)}: must be `;
  return { kind: "invalid", errors: [{ field: "kind", message: `${shown}one of ${kinds}` }] };
}

const SCHEMAS = new Map<KindName, z.ZodType>(KINDS.map((kind) => [kind.kind, objectSchema(kind)]));

/** The schema of whole objects of a kind, as the CRD's openAPIV3Schema is. */
export function objectSchema(kind: Kind): z.ZodType {
  const metadata =
    kind.objectName === undefined ? objectMetaSchema : objectMetaSchema.extend({ name: kind.objectName });
  return z
    .strictObject({
      apiVersion: z.literal(API_GROUP_VERSION, { error: `must be ${API_GROUP_VERSION}` }),
      kind: z.literal(kind.kind, { error: `must be ${kind.kind}` }),
      metadata,
      spec: kind.spec,
      status: kind.status.optional(),
    })
    .meta({ description: kind.description });
}

function parseAs<Name extends KindName>(name: Name, value: unknown, previous: unknown): ParsedObject<Name> {
  const schema = SCHEMAS.get(name) as z.ZodType;
  if (isDeeperThan(value, DEPTH_MAX)) {
    return { kind: "invalid", errors: [{ field: "", message: `nests deeper than ${DEPTH_MAX} levels` }] };
  }
  const input = withoutNulls(value);
  const result = schema.safeParse(input);
  if (!result.success) return { kind: "invalid", errors: fieldErrors(schema, result.error.issues, input) };
  const errors = [...doubledKeys(schema, result.data, []), ...runRules(RULES[name], result.data, previous)];
  if (errors.length > 0) return { kind: "invalid", errors };
  return { kind: "ok", object: result.data as ObjectOf<Name> };
}

/** Twice what any of our kinds needs; recursion below relies on it. */
const DEPTH_MAX = 32;

/** Looks level by level, so that no nesting can exhaust the stack. */
function isDeeperThan(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= levels; depth++) {
    level = level.flatMap((item) => (typeof item === "object" && item !== null ? Object.values(item) : []));
    if (level.length === 0) return false;
  }
  return true;
}

/** Fields set to null count as unset, as the API server drops them from what is not nullable. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([key, field]) => [key, withoutNulls(field)]));
}

/** Entries of sets and maps that repeat an earlier one. The API server refuses them by the list's type. */
function doubledKeys(schema: z.ZodType, value: unknown, path: Path): FieldError[] {
  if (Array.isArray(value)) {
    const element = elementOf(schema);
    const keys = listKeysOf(schema);
    const doubled = keys === null ? [] : doubledEntries(keys, value, path);
    if (element === null) return doubled;
    return [...doubled, ...value.flatMap((item, i) => doubledKeys(element, item, [...path, i]))];
  }
  const shape = shapeOf(schema);
  if (shape === null || typeof value !== "object" || value === null) return [];
  return Object.entries(shape).flatMap(([key, field]) =>
    doubledKeys(field, valueAt(value, [key]), [...path, key]),
  );
}

function doubledEntries(keys: readonly string[], entries: readonly unknown[], path: Path): FieldError[] {
  const seen = new Map<string, number>();
  const errors: FieldError[] = [];
  for (const [i, entry] of entries.entries()) {
    const key =
      keys.length === 0 ? showValue(entry) : keys.map((name) => showValue(valueAt(entry, [name]))).join(", ");
    const first = seen.get(key);
    if (first === undefined) seen.set(key, i);
    else {
      const field = formatPath([...path, i, ...keys.slice(0, 1)]);
      errors.push({ field, message: `${key}: must be unique, entry ${first} has it already` });
    }
  }
  return errors;
}
