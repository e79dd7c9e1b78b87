// Digests over plain JSON values: the same value gives the same digest whatever the order of its keys.

import { createHash } from "node:crypto";
import { Memo } from "../base/memo.ts";

const texts = new Memo<object, string>();

/** JSON with keys sorted at every depth and nothing between the tokens. Fields that are undefined are left out. The text of a
 *  frozen object is made once and kept as long as the object: what is inside it must not change either. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  return Object.isFrozen(value) ? texts.get(value, [], () => objectJson(value)) : objectJson(value);
}

function objectJson(value: object): string {
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`);
  return `{${fields.join(",")}}`;
}

/** Lower-case hex SHA-256 over the canonical JSON of a value. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
