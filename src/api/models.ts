// Model classes of our kinds, as users of @kubernetes-models know them: `new DHCPScope({...})` fills in apiVersion and
// kind, toJSON() gives the object, validate() throws with every error of parse.ts. For clients and tests; our own code
// passes plain objects around.

import { Model } from "@kubernetes-models/base";
import type { z } from "zod";
import { dhcpReservationSetKind } from "./dhcp-reservation-set.ts";
import { dhcpScopeKind } from "./dhcp-scope.ts";
import { failoverMemberKind } from "./failover-member.ts";
import { failoverOperationKind } from "./failover-operation.ts";
import { failoverRelationshipKind } from "./failover-relationship.ts";
import type { FieldError } from "./field-error.ts";
import { API_GROUP_VERSION, type Kind } from "./kind.ts";
import { parseObject } from "./parse.ts";

/** An object as a person writes it: fields with a default may be left out. */
export interface ModelInput<K extends Kind> {
  apiVersion: typeof API_GROUP_VERSION;
  kind: K["kind"];
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: z.input<K["spec"]>;
  status?: z.input<K["status"]>;
}

/** Thrown by `validate()` of a model, as the base class's models do; holds every error found. */
export class InvalidObjectError extends Error {
  override readonly name = "InvalidObjectError";
  readonly errors: readonly FieldError[];

  constructor(kind: string, errors: readonly FieldError[]) {
    super(`${kind}: ${errors.map(({ field, message }) => `${field}: ${message}`).join("; ")}`);
    this.errors = errors;
  }
}

type ModelClass<K extends Kind> = new (
  data?: Omit<ModelInput<K>, "apiVersion" | "kind">,
) => Model<ModelInput<K>> & ModelInput<K>;

function modelOf<K extends Kind>(kind: K): ModelClass<K> {
  const model = class extends Model<ModelInput<K>> {
    apiVersion = API_GROUP_VERSION;
    kind: K["kind"] = kind.kind;

    constructor(data?: Omit<ModelInput<K>, "apiVersion" | "kind">) {
      super();
      // Not by super(data): the fields above would be set after it.
      this.setDefinedProps(data as never);
    }

    override validate(): void {
      const parsed = parseObject(this.toJSON());
      if (parsed.kind === "invalid") throw new InvalidObjectError(kind.kind, parsed.errors);
    }
  };
  Object.defineProperty(model, "name", { value: kind.kind });
  return model as unknown as ModelClass<K>;
}

export const FailoverRelationship = modelOf(failoverRelationshipKind);
export const FailoverMember = modelOf(failoverMemberKind);
export const FailoverOperation = modelOf(failoverOperationKind);
export const DHCPScope = modelOf(dhcpScopeKind);
export const DHCPReservationSet = modelOf(dhcpReservationSetKind);
