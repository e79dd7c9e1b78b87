// Parsing a hundred thousand reservations anew at every look would be most of the work: a spec out of a cache never
// changes, so what it was read as is kept for as long as the spec is (kube/reflector.ts keeps it while it says the same).

import { Memo } from "../base/memo.ts";
import type { Parsed } from "./parse.ts";

interface Cached {
  readonly metadata?: { readonly namespace?: string; readonly name?: string; readonly uid?: string };
  readonly [field: string]: unknown;
}

const parses = new Memo<object, Parsed<unknown>>();

/** What `parse` says of the object; asked once for each object's spec, which must not be changed after that. Of the rest of the
 *  object only what never changes may be read from the answer: names, UID and creation. Not for kinds whose status counts. */
export function parseOnce<T>(object: Cached, parse: (value: unknown) => Parsed<T>): Parsed<T> {
  const { metadata, spec } = object;
  const key = typeof spec === "object" && spec !== null ? spec : object;
  const of = [metadata?.namespace, metadata?.name, metadata?.uid];
  return parses.get(key, of, () => parse(object)) as Parsed<T>;
}
