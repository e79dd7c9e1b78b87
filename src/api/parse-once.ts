// Parsing a hundred thousand reservations anew at every look would be most of the work: a spec out of a cache never
// changes, so what it was read as is kept for as long as the spec is (kube/reflector.ts keeps it while it says the same).

import type { Parsed } from "./parse.ts";

const known = new WeakMap<object, Parsed<unknown>>();

/** What `parse` says of the object; asked once for each spec, which must not be changed after that. Of the rest of the object
 *  only what never changes may be read from the answer: names, UID and creation. Not for kinds whose status counts. */
export function parseOnce<T>(
  object: Readonly<Record<string, unknown>>,
  parse: (value: unknown) => Parsed<T>,
): Parsed<T> {
  const { spec } = object;
  const key = typeof spec === "object" && spec !== null ? spec : object;
  const before = known.get(key);
  if (before !== undefined) return before as Parsed<T>;
  const parsed = parse(object);
  known.set(key, parsed);
  return parsed;
}
