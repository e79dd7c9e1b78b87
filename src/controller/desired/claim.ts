// Renders the claim of a member's store. Not a template of the StatefulSet: those have the set's name in theirs, so that a
// relationship of another name could not go on with them, and cannot be changed, so that no volume could ever grow.
// Source: docs/adr/0014-claims-named-by-store.md.

import type { CompiledMember, CompiledRelationship } from "../../api/compiled.ts";
import type { KubeObject } from "../../kube/resource.ts";
import { claimName, type Owner, storeLabels } from "./names.ts";

/** `v1` PersistentVolumeClaim; none for a store that lies on its node. */
export function renderClaim(
  { name, namespace }: CompiledRelationship,
  member: CompiledMember,
  { claim, storeUid }: Pick<Owner, "claim" | "storeUid">,
): readonly KubeObject[] {
  if (claim === null) return [];
  const { accessMode, size, storageClassName } = claim;
  return [
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name: claimName(storeUid, member.name),
        namespace,
        labels: storeLabels(name, member.name),
      },
      spec: {
        accessModes: [accessMode],
        resources: { requests: { storage: size } },
        ...(storageClassName === null ? {} : { storageClassName }),
      },
    },
  ];
}
