// What the API server leaves out of a status that is written: a definition (CRD) older than this controller drops, without an error,
// the fields that it does not know. Written again at every look it would never come back, and with more scopes than one look tells
// the rest would never be told. So what did not come back counts as written, until it would be something else; one object of each kind is
// tried again now and then, and once it comes back, all are.

import type { UnixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import { map } from "./json.ts";
import { mergePatch, sameJson } from "./merge-patch.ts";

/** Of one object, by the field of its status: what was written, and what the API server made of it. */
type Fields = Readonly<Record<string, { readonly written: unknown; readonly kept: unknown }>>;

export interface Unkept {
  readonly fields: Fields;
  /** It is this object's turn to be tried again. */
  readonly isDue: boolean;
}

/** By kind: when one of them was last tried again, and what was not kept of each, by UID. */
export type UnkeptByKind = Map<
  string,
  { readonly triedAt: UnixSeconds; readonly byUid: Map<string, Fields> }
>;

export const TRY_AGAIN_SECONDS = 60;

/** Takes what the API server made of a status that `patch` was written into. */
export function noteStatus(
  unkept: UnkeptByKind,
  patch: Readonly<Record<string, unknown>>,
  kept: KubeObject,
  now: UnixSeconds,
): void {
  const { kind = "", metadata } = kept;
  const { uid = "" } = metadata;
  const status = map(kept["status"]);
  const before = unkept.get(kind)?.byUid.get(uid) ?? {};
  const after = { ...before };
  for (const [field, value] of Object.entries(patch)) {
    // Engines read it there: what is not there is not in force, however often it was written.
    if (field === "witness") continue;
    const written = mergePatch(status[field], value) ?? undefined;
    if (sameJson(written, status[field])) delete after[field];
    else after[field] = { written, kept: status[field] };
  }
  // The definition was upgraded: it keeps the others' too.
  if (Object.keys(before).some((field) => !(field in after) && patch[field] !== null)) unkept.delete(kind);
  const known = unkept.get(kind) ?? { triedAt: now, byUid: new Map<string, Fields>() };
  known.byUid.delete(uid);
  if (Object.keys(after).length > 0) unkept.set(kind, { ...known, byUid: known.byUid.set(uid, after) });
}

/** What was not kept of the object's status. */
export function unkeptOf(
  unkept: UnkeptByKind,
  { kind = "", metadata }: KubeObject,
  now: UnixSeconds,
): { readonly unkept?: Unkept } {
  const { uid = "" } = metadata;
  const known = unkept.get(kind);
  const fields = known?.byUid.get(uid);
  if (known === undefined || fields === undefined) return {};
  const [next] = known.byUid.keys();
  if (now - known.triedAt < TRY_AGAIN_SECONDS || uid !== next) return { unkept: { fields, isDue: false } };
  // Behind the others, whether or not anything is written now.
  known.byUid.delete(uid);
  unkept.set(kind, { triedAt: now, byUid: known.byUid.set(uid, fields) });
  return { unkept: { fields, isDue: true } };
}

/** The status as it would stand, had everything been kept that was written into it. */
export function asWritten({
  status,
  unkept,
}: {
  readonly status: Readonly<Record<string, unknown>>;
  readonly unkept?: Unkept;
}): Readonly<Record<string, unknown>> {
  if (unkept === undefined || unkept.isDue) return status;
  const whole = { ...status };
  for (const [field, { kept, written }] of Object.entries(unkept.fields)) {
    if (!sameJson(kept, status[field])) continue;
    if (written === undefined) delete whole[field];
    else whole[field] = written;
  }
  return whole;
}

/** Where they lie, as `status.members[].carrier`. */
export function unkeptPaths({ fields }: Unkept): readonly string[] {
  return Object.entries(fields).flatMap(([field, { kept, written }]) =>
    differing(written, kept, `status.${field}`),
  );
}

function differing(written: unknown, kept: unknown, path: string): readonly string[] {
  if (sameJson(written, kept)) return [];
  if (Array.isArray(written) && Array.isArray(kept) && written.length === kept.length)
    return [...new Set(written.flatMap((value, i) => differing(value, kept[i], `${path}[]`)))];
  if (Array.isArray(written) || Object.keys(map(written)).length === 0 || kept === undefined) return [path];
  return Object.keys({ ...map(written), ...map(kept) }).flatMap((name) =>
    differing(map(written)[name], map(kept)[name], `${path}.${name}`),
  );
}
