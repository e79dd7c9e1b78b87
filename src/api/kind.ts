// What a kind of our API group is: names, columns and schema. The kinds themselves say it with defineKind(), one file each.

import { z } from "zod";

export const API_GROUP = "leasepair.io";
export const API_VERSION = "v1alpha1";
/** What stands in `apiVersion` of every object of ours. */
export const API_GROUP_VERSION = `${API_GROUP}/${API_VERSION}` as const;

/** One column of `kubectl get`. Source: CustomResourceColumnDefinition of apiextensions.k8s.io/v1. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  readonly jsonPath: string;
  readonly description: string;
  /** 0 is always shown, 1 with `-o wide` only. */
  readonly priority: 0 | 1;
}

export interface KindNames<Name extends string = string> {
  readonly group: typeof API_GROUP;
  readonly version: typeof API_VERSION;
  readonly kind: Name;
  readonly plural: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly printerColumns: readonly PrinterColumn[];
}

/** A kind's descriptor with its schemas. `Spec` and `Status` are zod schemas. */
export interface Kind<
  Name extends string = string,
  Spec extends z.ZodType = z.ZodType,
  Status extends z.ZodType = z.ZodType,
> extends KindNames<Name> {
  readonly spec: Spec;
  readonly status: Status;
}

/** An object of kind K with every default filled in. */
export interface KindObject<Name extends string, Spec, Status> {
  apiVersion: typeof API_GROUP_VERSION;
  kind: Name;
  metadata: ObjectMeta;
  spec: Spec;
  status?: Status | undefined;
}

/** Metadata as far as we read it; the rest of it passes through unread. */
export const objectMetaSchema = z.looseObject({
  name: z.string().min(1).max(253),
  namespace: z.string().min(1).max(63).default("default"),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

export type ObjectMeta = z.output<typeof objectMetaSchema>;

/** Fills in what follows from the other names. */
export function defineKind<const Name extends string, Spec extends z.ZodType, Status extends z.ZodType>(
  kind: Omit<Kind<Name, Spec, Status>, "group" | "version" | "listKind" | "singular">,
): Kind<Name, Spec, Status> {
  return {
    ...kind,
    group: API_GROUP,
    version: API_VERSION,
    singular: kind.kind.toLowerCase(),
    listKind: `${kind.kind}List`,
  };
}

/** A column that every kind ends with. */
export const AGE_COLUMN: PrinterColumn = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Time since the object was created.",
  priority: 0,
};

/** A column that shows the status of one condition. */
export function conditionColumn(type: string, description: string, priority: 0 | 1 = 0): PrinterColumn {
  const jsonPath = `.status.conditions[?(@.type=="${type}")].status`;
  return { name: type, type: "string", jsonPath, description, priority };
}
