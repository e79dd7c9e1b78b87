// How the partner speaks, and under which name the relationship goes on the link.

import type { CompiledExternal, CompiledRelationship, Dialect } from "../../api/compiled.ts";

function externalOf({ members }: CompiledRelationship): CompiledExternal | null {
  return members.find(({ external }) => external !== null)?.external ?? null;
}

/** The relationship's name in messages and in certificates: NAMESPACE/NAME, or as an external partner has it.
 *  Source: failover draft 12.22. */
export function linkName(config: CompiledRelationship): string {
  return externalOf(config)?.relationshipName ?? `${config.namespace}/${config.name}`;
}

/** Source: docs/protocol/draft-errata.md. */
export function linkDialect(config: CompiledRelationship): Dialect {
  return externalOf(config)?.dialect ?? "Leasepair";
}
