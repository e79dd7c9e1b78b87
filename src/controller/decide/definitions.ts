// Whether a definition (CRD) is missing in the cluster, or older than this controller: such a one drops what it does not know, without an error.

import { API_GROUP } from "../../api/kind.ts";
import type { Observed } from "../observed.ts";
import { TYPES, type WatchedKind } from "../resource-types.ts";
import { type Unkept, unkeptPaths } from "../unkept.ts";

export const DEFINITION_OUTDATED = "DefinitionOutdated";
/** Puts definitions of this release in force, beside whoever else has written them; file names follow. */
export const APPLY_DEFINITIONS = "kubectl apply --server-side --force-conflicts";
const PATHS_MAX = 5;

/** For Stalled; null when all are there. */
export function missingDefinition({ undefinedKinds }: Pick<Observed, "undefinedKinds">): {
  readonly reason: string;
  readonly message: string;
} | null {
  if (undefinedKinds.length === 0) return null;
  const files = undefinedKinds
    .map((kind) => `-f crds/${fileOf(TYPES[kind as WatchedKind].plural)}`)
    .join(" ");
  const message =
    `The definition (CRD) of ${undefinedKinds.join(" and ")} was deleted, and all objects with it. Both members serve what they had. Bring ` +
    `it back, and then the objects, within ten minutes of each other: ${APPLY_DEFINITIONS} ${files}`;
  return { reason: "DefinitionMissing", message };
}

const fileOf = (plural: string) => `${API_GROUP}_${plural}.yaml`;

/** For Reconciling; null when everything that was written came back. */
export function outdatedDefinition({
  operations,
  relationship,
  reservationSets,
  scopes,
}: Pick<Observed, "operations" | "relationship" | "reservationSets" | "scopes">): {
  readonly reason: string;
  readonly message: string;
} | null {
  const found = [
    textOf("FailoverRelationship", [relationship]),
    textOf("DHCPScope", scopes),
    textOf("DHCPReservationSet", reservationSets),
    textOf("FailoverOperation", operations),
  ].filter((text) => text !== null);
  if (found.length === 0) return null;
  const message =
    `${found.join(" ")} Everything else goes on, but nobody sees what those fields would say, and of what people write into a spec the ` +
    "fields that it does not know are dropped as well. The helm chart of this release upgrades it too (crds.enabled). If it is of this " +
    "release, an admission policy or webhook takes the fields out: exempt the kind.";
  return { reason: DEFINITION_OUTDATED, message };
}

/** Of the first object that has something to say: the others of its kind would say the same. */
function textOf(
  kind: "DHCPReservationSet" | "DHCPScope" | "FailoverOperation" | "FailoverRelationship",
  objects: readonly { readonly unkept?: Unkept }[],
): string | null {
  const unkept = objects.find((object) => object.unkept !== undefined)?.unkept;
  if (unkept === undefined) return null;
  const { plural } = TYPES[kind];
  const paths = unkeptPaths(unkept).toSorted().slice(0, PATHS_MAX).join(", ");
  return (
    `The definition ${plural}.${API_GROUP} drops ${paths}: it is of another release than this controller. Upgrade it: ` +
    `${APPLY_DEFINITIONS} -f crds/${fileOf(plural)}.`
  );
}
