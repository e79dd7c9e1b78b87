// compile() for the controller: asked again only when something that it reads has changed. Most looks at a relationship come
// from reports and statuses, and compiling a hundred thousand reservations for each would keep the process from renewing
// its Lease.

import { compile } from "../api/compile.ts";
import type { EffectiveStatus } from "../api/failover-relationship-status.ts";
import type { CompileResult, ObjectSet } from "../api/object-set.ts";
import { areSame } from "../base/memo.ts";

/** The last compilation of each relationship, by its key, and what it was made of. */
export type Compilations = Map<
  string,
  { readonly inputs: readonly unknown[]; readonly result: CompileResult }
>;

/** Compiles the relationship `namespace/name` of `set` as it stands once its status says `effective`. Objects of which one is
 *  the very same as before (api/parse-once.ts) have not changed. */
export function compileOnce(
  known: Compilations,
  set: ObjectSet,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  effective: EffectiveStatus,
): CompileResult {
  const key = `${namespace}/${name}`;
  const inputs = [JSON.stringify(effective), ...set.relationships, ...set.scopes, ...set.reservationSets];
  const before = known.get(key);
  if (before !== undefined && areSame(before.inputs, inputs)) return before.result;
  const relationships = set.relationships.map((relationship) =>
    relationship.metadata.namespace === namespace && relationship.metadata.name === name
      ? { ...relationship, status: { effective } }
      : relationship,
  );
  const result = compile({ ...set, relationships }, namespace, name);
  known.set(key, { inputs, result });
  return result;
}
