// What the objects around a relationship are told: operations how they stand, scopes and reservation sets whether they are
// accepted and served. Each only when it changed. Finished operations go when their time as a record is over.

import type { Effect, StatusTarget } from "../effect.ts";
import { mergePatchOf } from "../merge-patch.ts";
import type { Observed } from "../observed.ts";
import { asWritten, type Unkept } from "../unkept.ts";
import { operationEvent } from "./events.ts";
import { deletionTime, type OperationStep } from "./operation-outcome.ts";
import { operationStatus } from "./operation-status.ts";
import type { Pair } from "./pair.ts";
import { reservationSetStatus, scopeStatus } from "./scope-status.ts";

export function operationEffects(pair: Pair, steps: readonly OperationStep[]): readonly Effect[] {
  const { observed } = pair;
  const { namespace } = observed.relationship;
  return steps.flatMap((step): Effect[] => {
    if (step.kind !== "report") return [];
    const { operation, outcome } = step;
    const patch = mergePatchOf(asWritten(operation), operationStatus(observed, operation, outcome));
    if (patch === null) return [];
    const target: StatusTarget = { kind: "FailoverOperation", namespace, name: operation.name };
    const { resourceVersion } = operation;
    const told = operationEvent(pair, operation, outcome);
    return [
      { kind: "write-status", target, resourceVersion, patch, verify: [] },
      ...(told === null ? [] : [told]),
    ];
  });
}

/** Operations that were kept as a record for as long as they asked for. */
export function tidyEffects({
  now,
  namespace,
  operations,
}: Pick<Observed, "now" | "operations"> & { readonly namespace: string }): readonly Effect[] {
  return operations.flatMap((operation): Effect[] => {
    const due = deletionTime(operation);
    if (due === null || due > now) return [];
    const { name, resourceVersion, uid } = operation;
    return [{ kind: "delete-operation", namespace, name, uid, resourceVersion }];
  });
}

/** More are left to the next look: with thousands of scopes their counts alone are written for a minute, and meanwhile one worker
 *  would see no other relationship, nor that this one has lost a member. */
export const STATUSES_PER_LOOK = 100;

export function scopeEffects(pair: Pair): readonly Effect[] {
  const { observed } = pair;
  const { namespace } = observed.relationship;
  const revision = observed.compiled.kind === "compiled" ? observed.compiled.config.revision : null;
  const effects: Effect[] = [];
  const write = (kind: StatusTarget["kind"], object: WrittenObject, after: unknown) => {
    const patch = mergePatchOf(asWritten(object), after);
    if (patch === null) return;
    const target: StatusTarget = { kind, namespace, name: object.name };
    effects.push({
      kind: "write-status",
      target,
      resourceVersion: object.resourceVersion,
      patch,
      verify: [],
    });
  };
  for (const scope of observed.scopes) write("DHCPScope", scope, scopeStatus(pair, scope, revision).status);
  for (const set of observed.reservationSets) {
    write("DHCPReservationSet", set, reservationSetStatus(pair, set, revision));
  }
  return effects;
}

interface WrittenObject {
  readonly name: string;
  readonly resourceVersion: string;
  readonly status: Readonly<Record<string, unknown>>;
  readonly unkept?: Unkept;
}
