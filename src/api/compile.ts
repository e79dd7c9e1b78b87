// The one pure judge across objects: which of them fit together, and what the engine runs on.

import type { CompileResult, ObjectSet } from "./object-set.ts";

/** Compiles one relationship with its scopes and reservations. */
export function compile(_objects: ObjectSet, namespace: string, name: string): CompileResult {
  const message = "not built yet";
  return {
    kind: "rejected",
    rejections: [{ kind: "FailoverRelationship", namespace, name, reason: "NotBuilt", field: "", message }],
  };
}
