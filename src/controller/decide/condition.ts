// One condition as Kubernetes shows it. The transition time moves only when the status does, so that an unchanged
// verdict is an unchanged object and costs no write.
// Source: Kubernetes API conventions, "Typical status properties".

import { formatTime } from "../../base/time.ts";
import type { UnixSeconds } from "../../base/units.ts";

export type ConditionStatus = "True" | "False" | "Unknown";

/** A verdict before it has a place in time. */
export interface Verdict {
  readonly type: string;
  readonly status: ConditionStatus;
  /** CamelCase, stable. */
  readonly reason: string;
  readonly message: string;
}

export interface Condition extends Verdict {
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

/** The conditions now, in the verdicts' order, each keeping its transition time while its status stays.
 *  What is in `before` and not among the verdicts is dropped: kstatus reads an absent Stalled as "not stalled". */
export function conditionsOf(
  verdicts: readonly Verdict[],
  before: unknown,
  generation: number,
  now: UnixSeconds,
): readonly Condition[] {
  const known = readConditions(before);
  return verdicts.map((verdict) => {
    const old = known.find((condition) => condition.type === verdict.type);
    const since =
      old !== undefined && old.status === verdict.status ? old.lastTransitionTime : formatTime(now);
    return { ...verdict, observedGeneration: generation, lastTransitionTime: since };
  });
}

/** status.conditions as found; entries that are no conditions are skipped. */
export function readConditions(value: unknown): readonly Condition[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (entry): entry is Condition =>
      typeof entry === "object" &&
      entry !== null &&
      typeof entry.type === "string" &&
      typeof entry.status === "string" &&
      typeof entry.lastTransitionTime === "string",
  );
}
