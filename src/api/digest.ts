// Digests over plain JSON values: the same value gives the same digest whatever the order of its keys.

import { hash } from "node:crypto";

/** JSON with keys sorted at every depth and nothing between the tokens. Fields that are undefined are left out. */
export function canonicalJson(value: unknown): string {
  // Several times as fast, which counts for a hundred thousand reservations.
  if (isSorted(value)) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const fields = Object.entries(value as object)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`);
  return `{${fields.join(",")}}`;
}

/** Whether keys are in order at every depth already. */
function isSorted(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  const fields = value as Readonly<Record<string, unknown>>;
  let before = "";
  for (const key of Object.keys(fields)) {
    if (key < before || !isSorted(fields[key])) return false;
    before = key;
  }
  return true;
}

/** Lower-case hex SHA-256 over the canonical JSON of a value. */
export function digestOf(value: unknown): string {
  return hash("sha256", canonicalJson(value));
}
