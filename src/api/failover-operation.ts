// FailoverOperation: one act of an operator, done once, kept as a record. Its spec never changes (rules-operation.ts).

import { z } from "zod";
import { conditionsField, observedGenerationField } from "./conditions.ts";
import { choice, dnsLabel, integer, reference, text, timeText } from "./fields.ts";
import { AGE_COLUMN, conditionColumn, defineKind, type KindObject } from "./kind.ts";

const operationSpecSchema = z
  .strictObject({
    relationshipRef: reference("FailoverRelationship", "The relationship to act on."),
    type: choice(["DeclarePartnerDown"], "What to do. The field of the same name holds the arguments."),
    declarePartnerDown: z
      .strictObject({
        survivor: dnsLabel("Name of the member that shall go on alone.", 15),
        partnerIs: choice(
          ["Unreachable", "Destroyed"],
          "Unreachable: nothing is claimed but that nobody reaches it. Destroyed: its machine is powered off or gone for good, or its disk is lost; only this takes a grant away from it, and if it is not true, addresses are given twice. Unset: Unreachable.",
        ).optional(),
      })
      .optional()
      .meta({
        description:
          "Declare that the survivor's partner is down, so that the survivor serves all clients and, after the MCLT, takes the partner's addresses. With fencing None the partner must really be stopped: if it still serves, one address can go to two clients.",
      }),
    reason: text({
      description: "Why, for the record: who decided and on what evidence. 1 to 1024 characters.",
      form: "a text of 1 to 1024 characters",
      lengthMax: 1024,
    }),
    notAfter: timeText(
      "The operation fails instead of starting after this time, so that a file applied again later does no harm. Unset: no limit.",
    ).optional(),
    expectedEpoch: integer(
      0,
      Number.MAX_SAFE_INTEGER,
      "The operation fails unless status.witness.epoch of the relationship is exactly this, so that a repeat does no harm. Unset: not checked.",
    ).optional(),
  })
  .meta({ description: "The act. It cannot be changed; create another operation instead." });

const operationStatusSchema = z
  .object({
    observedGeneration: observedGenerationField().optional(),
    startTime: timeText("When the controller started it.").optional(),
    completionTime: timeText("When it completed or failed.").optional(),
    epoch: integer(0, Number.MAX_SAFE_INTEGER, "Epoch of the grant that it made.").optional(),
    message: text({
      description: "What happened, for people.",
      form: "at most 1024 characters",
      lengthMin: 0,
      lengthMax: 1024,
    }).optional(),
    conditions: conditionsField("Complete or Failed, as a Job's.").optional(),
  })
  .meta({ description: "How far the operation is." });

export const failoverOperationKind = defineKind({
  kind: "FailoverOperation",
  plural: "failoveroperations",
  shortNames: ["dhcpop"],
  description: "A FailoverOperation is one act on a pair, done once and kept as a record.",
  spec: operationSpecSchema,
  status: operationStatusSchema,
  printerColumns: [
    {
      name: "Relationship",
      type: "string",
      jsonPath: ".spec.relationshipRef.name",
      description: "The relationship.",
      priority: 0,
    },
    { name: "Type", type: "string", jsonPath: ".spec.type", description: "What is done.", priority: 0 },
    conditionColumn("Complete", "Whether it is done."),
    conditionColumn("Failed", "Whether it failed."),
    AGE_COLUMN,
    { name: "Reason", type: "string", jsonPath: ".spec.reason", description: "Why.", priority: 1 },
    {
      name: "Message",
      type: "string",
      jsonPath: ".status.message",
      description: "What happened.",
      priority: 1,
    },
  ],
});

export type FailoverOperationSpec = z.output<typeof operationSpecSchema>;
export type FailoverOperationStatus = z.output<typeof operationStatusSchema>;
export type FailoverOperationObject = KindObject<
  "FailoverOperation",
  FailoverOperationSpec,
  FailoverOperationStatus
>;
