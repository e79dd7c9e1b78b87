// Parsing a hundred thousand reservations anew at every look would be most of the work: an object out of a cache never
// changes, so what it was read as is kept for as long as the object is.

import type { Parsed } from "./parse.ts";

const known = new WeakMap<object, Parsed<unknown>>();

/** What `parse` says of the object; asked once for each object, which must not be changed after that. */
export function parseOnce<T>(object: object, parse: (value: unknown) => Parsed<T>): Parsed<T> {
  const before = known.get(object);
  if (before !== undefined) return before as Parsed<T>;
  const parsed = parse(object);
  known.set(object, parsed);
  return parsed;
}
