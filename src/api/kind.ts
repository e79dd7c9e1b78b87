// What a kind of our API group is: names, columns and schema. The kinds themselves say it with defineKind(), one file each.

import { z } from "zod";
import { dnsLabel, dnsSubdomain, timeText } from "./fields.ts";

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
  /** The form of metadata.name where it is narrower than Kubernetes'. */
  readonly objectName?: z.ZodType<string>;
}

/** An object of kind K with every default filled in. */
export interface KindObject<Name extends string, Spec, Status> {
  apiVersion: typeof API_GROUP_VERSION;
  kind: Name;
  metadata: ObjectMeta;
  spec: Spec;
  status?: Status | undefined;
}

const labelsSchema = z.record(
  z.string().regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/),
  z.string().regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/, {
    error: "must be a label value: letters, digits, hyphens, underscores and dots, at most 63 characters",
  }),
);

/** Metadata as the API server knows it. We read the first lines; what only the API server minds passes unread. */
export const objectMetaSchema = z.strictObject({
  name: dnsSubdomain("Name of the object, unique among its kind in the namespace."),
  namespace: dnsLabel("Namespace of the object.").default("default"),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: timeText("When the object was created.").optional(),
  deletionTimestamp: timeText("When the object was deleted.").optional(),
  deletionGracePeriodSeconds: z.int().optional(),
  labels: labelsSchema.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(z.unknown()).optional(),
  managedFields: z.array(z.unknown()).optional(),
  generateName: z.string().optional(),
  selfLink: z.string().optional(),
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
