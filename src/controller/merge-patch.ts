// JSON merge patches, and the equality of JSON that they go by.
// Source: RFC 7396.

/** The merge patch (RFC 7396) that turns `before` into `after`; null when they are equal. Lists are replaced whole. */
export function mergePatchOf(before: unknown, after: unknown): Readonly<Record<string, unknown>> | null {
  const patch: Record<string, unknown> = {};
  const old = isMap(before) ? before : {};
  const next = isMap(after) ? after : {};
  for (const name of Object.keys(old)) if (next[name] === undefined) patch[name] = null;
  for (const [name, value] of Object.entries(next)) {
    if (value === undefined || sameJson(old[name], value)) continue;
    patch[name] = isMap(value) && isMap(old[name]) ? (mergePatchOf(old[name], value) ?? {}) : value;
  }
  return Object.keys(patch).length === 0 ? null : patch;
}

/** The target with the merge patch (RFC 7396) in it; null removes a field. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const merged = isMap(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Equality of JSON values; the order of keys does not count. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => sameJson(value, b[index]));
  }
  if (isMap(a) && isMap(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].every((name) => sameJson(a[name], b[name]));
  }
  return Object.is(a, b);
}
