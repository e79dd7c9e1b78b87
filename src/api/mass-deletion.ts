// Holds a configuration that lost most of its scopes at once: a wrong `kubectl delete`, a repository that was emptied, a CRD that
// is gone. `kubectl delete --all` takes one object after the other, so "at once" is a while, and what stood at its
// beginning is what stays. A human lets it pass by an annotation that names the very revision. Pure; the clock is the caller's.

import { type Seconds, seconds, type UnixSeconds } from "../base/units.ts";
import type { CompiledRelationship } from "./compiled.ts";
import type { ObjectMeta } from "./kind.ts";
import type { Rejection } from "./object-set.ts";

/** `"REVISION"` (or its first 12 digits) lets exactly this configuration pass. */
export const ANNOTATION_ALLOW_MASS_DELETION = "leasepair.io/allow-mass-deletion";

const WINDOW: Seconds = seconds(600);
/** Fewer are looked through by the human who deletes them. */
const SCOPES_MIN = 3;
const REVISION_DIGITS = 12;

/** What was in force within the window, the oldest first; each later one has fewer scopes than the one before. */
export type ScopeHistory<Value> = readonly {
  readonly since: UnixSeconds;
  readonly scopes: number;
  readonly value: Value;
}[];

export type DeletionVerdict<Value> =
  | { readonly kind: "pass"; readonly history: ScopeHistory<Value> }
  /** `stays`: what was in force when the deletions began. */
  | { readonly kind: "held"; readonly stays: Value; readonly before: number };

/** Judges `next` against what was in force lately. `isAllowed`: a human has named its revision. */
export function judgeDeletion<Value>(
  history: ScopeHistory<Value>,
  next: { readonly scopes: number; readonly value: Value; readonly isAllowed: boolean },
  now: UnixSeconds,
): DeletionVerdict<Value> {
  // One that was followed by another before the window began counts no more.
  const recent = history.filter((_, index) => {
    const follower = history[index + 1];
    return follower === undefined || follower.since > now - WINDOW;
  });
  const [first] = recent;
  const entry = { since: now, scopes: next.scopes, value: next.value };
  if (first === undefined || next.isAllowed) return { kind: "pass", history: [entry] };
  if (first.scopes >= SCOPES_MIN && next.scopes * 2 < first.scopes) {
    return { kind: "held", stays: first.value, before: first.scopes };
  }
  return { kind: "pass", history: [...recent.filter(({ scopes }) => scopes > next.scopes), entry] };
}

/** Whether the relationship's annotation lets this revision pass. */
export function allowsMassDeletion(
  annotations: Readonly<Record<string, string>> | undefined,
  revision: string,
): boolean {
  const named = annotations?.[ANNOTATION_ALLOW_MASS_DELETION] ?? "";
  return named.length >= REVISION_DIGITS && revision.startsWith(named);
}

/** The refusal as it is shown, with what to type when it was meant. */
export function massDeletionHeld(
  { namespace, name }: Pick<ObjectMeta, "namespace" | "name">,
  { revision, scopes }: Pick<CompiledRelationship, "revision" | "scopes">,
  before: number,
): Rejection {
  const digits = revision.slice(0, REVISION_DIGITS);
  const message =
    `of ${before} scopes ${scopes.length} are left, so the deletion is held and all are served as before. Bring them back; ` +
    `or, if it was meant: kubectl annotate --overwrite -n ${namespace} dhcpfo ${name} ${ANNOTATION_ALLOW_MASS_DELETION}=${digits}`;
  const field = `metadata.annotations["${ANNOTATION_ALLOW_MASS_DELETION}"]`;
  return { kind: "FailoverRelationship", namespace, name, reason: "MassDeletionHeld", field, message };
}
