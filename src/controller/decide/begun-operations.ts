// Which Switchovers and TestFailovers were begun, so that one which is created again (GitOps, after its time to live) is not carried out
// again. They are kept in the relationship's status, by name and spec, for as long as nothing else tells: with the next grant the
// epoch rises, and their expectedEpoch refuses them for good. A DeclarePartnerDown that did anything has raised it itself.

import { BEGUN_OPERATIONS_MAX, type BegunOperation } from "../../api/failover-relationship-status.ts";
import { maps, text } from "../json.ts";
import type { Observed, ObservedOperation } from "../observed.ts";
import { isStarted } from "./operation-outcome.ts";

/** With those of this look, the oldest first. `epoch`: the witness's. */
export function begunOperations(observed: Observed, epoch: number): readonly BegunOperation[] {
  const known = begunBefore(observed).filter((begun) => begun.expectedEpoch === epoch);
  const news = observed.operations.flatMap((operation): BegunOperation[] => {
    const { digest, expectedEpoch, name, survivor } = operation;
    const isGuarded = survivor === null && expectedEpoch === epoch && isStarted(operation);
    return isGuarded && !known.some((begun) => isOf(begun, operation))
      ? [{ name, digest, expectedEpoch }]
      : [];
  });
  return [...known, ...news].slice(-BEGUN_OPERATIONS_MAX);
}

/** Whether one of its name and spec was begun before, when it has not begun itself. */
export function wasBegun(observed: Observed, operation: ObservedOperation): boolean {
  return begunBefore(observed).some((begun) => isOf(begun, operation));
}

function begunBefore({ relationship }: Observed): readonly BegunOperation[] {
  return maps(relationship.status["begunOperations"]).map(({ digest, expectedEpoch, name }) => ({
    name: text(name),
    digest: text(digest),
    expectedEpoch: Number(expectedEpoch),
  }));
}

function isOf({ digest, name }: BegunOperation, operation: ObservedOperation): boolean {
  return name === operation.name && digest === operation.digest;
}
