// Objects that point to something that does not exist: they get a condition that says so, and nothing that could not be
// taken back, because what they point to may only not have been seen yet. Only finished operations whose time as a record is over go all the
// same.

import type { UnixSeconds } from "../../base/units.ts";
import type { Effect, StatusTarget } from "../effect.ts";
import { mergePatchOf } from "../merge-patch.ts";
import type { ObservedOperation, ObservedReservationSet, ObservedScope } from "../observed.ts";
import { conditionsOf, type Verdict } from "./condition.ts";
import { isFinished } from "./operation-outcome.ts";
import { tidyEffects } from "./tell.ts";

/** What points to nothing. */
export interface Orphans {
  readonly now: UnixSeconds;
  readonly namespace: string;
  /** What is missing, e.g. `FailoverRelationship campus`. */
  readonly missing: string;
  readonly reason: "RelationshipNotFound" | "ScopeNotFound";
  readonly scopes: readonly ObservedScope[];
  readonly reservationSets: readonly ObservedReservationSet[];
  readonly operations: readonly ObservedOperation[];
}

export function decideOrphans(orphans: Orphans): readonly Effect[] {
  const field = orphans.reason === "ScopeNotFound" ? "spec.scopeRef.name" : "spec.relationshipRef.name";
  const message = `${field}: there is no ${orphans.missing} in namespace ${orphans.namespace}. Create it, or correct the name.`;
  const refused: Verdict[] = [
    { type: "Accepted", status: "False", reason: orphans.reason, message },
    {
      type: "Programmed",
      status: "False",
      reason: "NotAccepted",
      message: "It is not accepted as it stands.",
    },
  ];
  const waiting: Verdict[] = ["Complete", "Failed"].map((type) => ({
    type,
    status: "False",
    reason: orphans.reason,
    message,
  }));
  const open = orphans.operations.filter((operation) => !isFinished(operation));
  return [
    ...orphans.scopes.flatMap((scope) => write(orphans, "DHCPScope", scope, refused)),
    ...orphans.reservationSets.flatMap((set) => write(orphans, "DHCPReservationSet", set, refused)),
    ...open.flatMap((operation) => write(orphans, "FailoverOperation", operation, waiting)),
    ...tidyEffects(orphans),
  ];
}

interface Orphan {
  readonly name: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly status: Readonly<Record<string, unknown>>;
}

function write(
  { now, namespace }: Orphans,
  kind: StatusTarget["kind"],
  object: Orphan,
  verdicts: readonly Verdict[],
): readonly Effect[] {
  const { generation, name, resourceVersion } = object;
  const conditions = conditionsOf(verdicts, object.status["conditions"], generation, now);
  const patch = mergePatchOf(object.status, { ...object.status, observedGeneration: generation, conditions });
  if (patch === null) return [];
  return [{ kind: "write-status", target: { kind, namespace, name }, resourceVersion, patch, verify: [] }];
}
