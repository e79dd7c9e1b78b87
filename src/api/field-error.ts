// What a person is told about a field: where it is, its value, what is allowed.

import type { z } from "zod";
import { metaOf, schemaAt, shapeOf } from "./zod-walk.ts";

export interface FieldError {
  /** Such as `spec.ranges[0].start`; "" for the object as a whole. */
  readonly field: string;
  /** The value, what is wrong with it, what is allowed. */
  readonly message: string;
}

export type Path = readonly PropertyKey[];

/** `["spec", "ranges", 0, "start"]` as `spec.ranges[0].start`. Keys that are no plain word stand in brackets. */
export function formatPath(path: Path): string {
  let textual = "";
  for (const segment of path) {
    if (typeof segment === "number") textual += `[${segment}]`;
    else if (/^[A-Za-z_][-A-Za-z0-9_]*$/.test(String(segment))) {
      textual += textual === "" ? String(segment) : `.${String(segment)}`;
    } else textual += `[${JSON.stringify(String(segment))}]`;
  }
  return textual;
}

const SHOWN_MAX = 60;

/** A value as it is quoted in messages: JSON, cut to a readable length. */
export function showValue(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length <= SHOWN_MAX ? json : `${json.slice(0, SHOWN_MAX - 3)}...`;
}

/** The value at `path`, undefined where the way to it breaks off. */
export function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const segment of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, segment)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[segment];
  }
  return found;
}

/** Turns zod's issues into field errors, in order, the first of each field. `input` is what was parsed. */
export function fieldErrors(
  schema: z.ZodType,
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
): FieldError[] {
  const first = new Map<string, FieldError>();
  for (const error of allErrors(schema, issues, input)) {
    if (!first.has(error.field)) first.set(error.field, error);
  }
  return [...first.values()];
}

function allErrors(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], input: unknown): FieldError[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        field: formatPath([...issue.path, key]),
        message: unknownField(key, schemaAt(schema, issue.path)),
      }));
    }
    const value = valueAt(input, issue.path);
    const field = formatPath(issue.path);
    if (value === undefined) return [{ field, message: requiredField(schemaAt(schema, issue.path)) }];
    if (issue.code === "invalid_type") return [{ field, message: wrongType(issue.expected, value) }];
    return [{ field, message: `${showValue(value)}: ${issue.message}` }];
  });
}

function unknownField(key: string, parent: z.ZodType | null): string {
  const known = parent === null ? null : shapeOf(parent);
  const names = known === null ? [] : Object.keys(known);
  const meant = names.find((name) => name.toLowerCase() === key.toLowerCase()) ?? closest(key, names);
  const hint = meant === null ? `the fields here are ${names.join(", ")}` : `did you mean ${meant}?`;
  return `unknown field: ${hint}`;
}

/** The name that differs least from `key`, when it differs by a typing error at most. */
function closest(key: string, names: readonly string[]): string | null {
  const near = names
    .map((name) => ({ name, distance: editDistance(key, name) }))
    .filter(({ distance }) => distance <= (key.length > 3 ? 2 : 1))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.name ?? null;
}

/** Levenshtein's distance, stopped at 3 for words whose lengths alone differ by more. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function requiredField(schema: z.ZodType | null): string {
  const description = schema === null ? undefined : metaOf(schema)["description"];
  const sentence = typeof description === "string" ? description.split(/\.(?: |$)/)[0] : undefined;
  return sentence === undefined || sentence === "" ? "is required" : `is required: ${sentence}`;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a string",
  int: "a whole number",
  number: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function wrongType(expected: string, value: unknown): string {
  const hint = expected === "string" && typeof value !== "object" ? "; put it in quotes" : "";
  const unquote =
    (expected === "int" || expected === "number") && typeof value === "string"
      ? "; leave the quotes away"
      : "";
  return `${showValue(value)}: must be ${TYPE_WORDS[expected] ?? expected}${hint}${unquote}`;
}
