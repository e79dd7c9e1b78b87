// What compile() is given and what it answers.

import type { CompiledRelationship } from "./compiled.ts";
import type { DHCPReservationSetObject } from "./dhcp-reservation-set.ts";
import type { DHCPScopeObject } from "./dhcp-scope.ts";
import type { FailoverOperationObject } from "./failover-operation.ts";
import type { FailoverRelationshipObject } from "./failover-relationship.ts";
import type { KindName } from "./kinds.ts";

/** Objects of one or more namespaces, each parsed (parse.ts), in any order. */
export interface ObjectSet {
  readonly relationships: readonly FailoverRelationshipObject[];
  readonly scopes: readonly DHCPScopeObject[];
  readonly reservationSets: readonly DHCPReservationSetObject[];
  readonly operations: readonly FailoverOperationObject[];
}

export const EMPTY_OBJECT_SET: ObjectSet = {
  relationships: [],
  scopes: [],
  reservationSets: [],
  operations: [],
};

/** An object that cannot be used as it stands; becomes its condition Accepted=False. */
export interface Rejection {
  readonly kind: KindName;
  readonly namespace: string;
  readonly name: string;
  /** CamelCase and stable, such as "SubnetOverlap". */
  readonly reason: string;
  /** Such as "spec.ranges[0].start". */
  readonly field: string;
  /** The value, what is wrong with it and what to do. */
  readonly message: string;
}

export type CompileResult =
  /** The relationship can run. `rejected`: its scopes and reservation sets that were left out. */
  | {
      readonly kind: "compiled";
      readonly config: CompiledRelationship;
      readonly rejected: readonly Rejection[];
    }
  /** The relationship itself is refused or does not exist. */
  | { readonly kind: "rejected"; readonly rejections: readonly Rejection[] };
