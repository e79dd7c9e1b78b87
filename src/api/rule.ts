// A rule over several fields of one object: the same sentence as CEL for the API server and as TypeScript for us.
// Both must give the same verdict on every object; test/corpus/manifests holds them to it.
// Source: Kubernetes, "Validation rules" of CustomResourceDefinitions; ip() and cidr() are there from 1.31 on.

import type { FieldError, Path } from "./field-error.ts";
import { formatPath, showValue, valueAt } from "./field-error.ts";

export interface Rule {
  /** Which values it judges, such as `spec` or `spec.ranges[]` (each entry). Absent values are not judged. */
  readonly at: string;
  /** Compares with the object before the change (`oldSelf`); holds when there was none. */
  readonly transition: boolean;
  readonly cel: string;
  /** Completes the sentence after the field's value: "must be ...". */
  readonly message: string;
  /** Where the API server points, below `at`, such as `.primary`; "" for the value itself. */
  readonly fieldPath: string;
  /** Paths, below the value, of what breaks the rule; none = it holds. Never throws on what the schema accepts. */
  readonly check: (self: never, oldSelf: never) => readonly Path[];
}

/** Writes a rule with the type that its values have. */
export function rule<Self>(entry: {
  readonly at: string;
  readonly cel: string;
  readonly message: string;
  readonly fieldPath?: string;
  readonly check: (self: Self) => readonly Path[];
}): Rule {
  return { fieldPath: "", transition: false, ...entry };
}

/** A rule on a change: it judges the value together with what it was before. */
export function transitionRule<Self>(entry: {
  readonly at: string;
  readonly cel: string;
  readonly message: string;
  readonly fieldPath: string;
  readonly check: (self: Self, oldSelf: Self) => readonly Path[];
}): Rule {
  return { transition: true, ...entry };
}

/** A value that stays as it was when the object was created. */
export function immutable(at: string, message: string): Rule {
  const check = (self: unknown, oldSelf: unknown) => (sameJson(self, oldSelf) ? HOLDS : BROKEN);
  return { at, cel: "self == oldSelf", message, fieldPath: "", transition: true, check };
}

export const HOLDS: readonly Path[] = [];
/** The value as a whole breaks the rule. */
export const BROKEN: readonly Path[] = [[]];

/** The path alone when `holds` is false. */
export function unless(holds: boolean, ...path: PropertyKey[]): readonly Path[] {
  return holds ? HOLDS : [path];
}

/** Runs rules over an object that its schema has accepted. `previous`: the object before the change, if any. */
export function runRules(rules: readonly Rule[], object: unknown, previous: unknown): FieldError[] {
  return rules.flatMap((entry) =>
    locate(object, parseAt(entry.at), []).flatMap((path) => {
      const self = valueAt(object, path);
      const oldSelf = valueAt(previous, path);
      if (entry.transition && oldSelf === undefined) return [];
      return entry.check(self as never, oldSelf as never).map((below) => {
        const full = [...path, ...below];
        const value = valueAt(object, full);
        const shown = value === undefined || typeof value === "object" ? "" : `${showValue(value)}: `;
        return { field: formatPath(full), message: `${shown}${entry.message}` };
      });
    }),
  );
}

/** `spec.ranges[].start` as ["spec", "ranges", "[]", "start"]. */
export function parseAt(at: string): readonly string[] {
  return at === "" ? [] : at.replaceAll("[]", ".[]").split(".");
}

/** The paths of all values that `segments` reaches. */
function locate(value: unknown, segments: readonly string[], path: Path): Path[] {
  const [segment, ...rest] = segments;
  if (value === undefined) return [];
  if (segment === undefined) return [path];
  if (segment === "[]") {
    return Array.isArray(value) ? value.flatMap((item, i) => locate(item, rest, [...path, i])) : [];
  }
  return locate(valueAt(value, [segment]), rest, [...path, segment]);
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => sameJson(valueAt(a, [key]), valueAt(b, [key])));
}
