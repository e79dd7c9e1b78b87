// FailoverOperation: one act of an operator, done once, kept as a record. Its spec never changes (rules-operation.ts).

import { z } from "zod";
import { conditionsField, observedGenerationField } from "./conditions.ts";
import { choice, dnsLabel, integer, list, reference, secondsField, text, timeText } from "./fields.ts";
import { AGE_COLUMN, conditionColumn, defineKind, type KindObject } from "./kind.ts";

const operationSpecSchema = z
  .strictObject({
    relationshipRef: reference("FailoverRelationship", "The relationship to act on."),
    type: choice(
      ["DeclarePartnerDown", "Switchover", "TestFailover"],
      "What to do. The field of the same name holds the arguments.",
    ),
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
    switchover: z
      .strictObject({
        to: dnsLabel("Name of the member that shall serve all clients.", 15),
        style: choice(
          ["Soft", "Stop"],
          "Soft: both members stay in NORMAL, and the share of the clients changes; nobody is stopped. Stop: the other member is stopped in order, and the one that stays is granted PARTNER-DOWN at once, as for work on the other's machine. Unset: Soft.",
        ).optional(),
        forSeconds: secondsField(
          60,
          86400,
          "How long it lasts, in seconds, 60 to 86400; then everything is as the spec says again. Unset: 600.",
        ).optional(),
      })
      .optional()
      .meta({ description: "Let one member serve all clients for a while. The spec is not touched." }),
    testFailover: z
      .strictObject({
        silence: dnsLabel("Name of the member that is stopped in order.", 15),
        forSeconds: secondsField(
          30,
          600,
          "How long it is stopped, in seconds, 30 to 600; then it is started again. Unset: 60.",
        ).optional(),
      })
      .optional()
      .meta({
        description:
          "Stop one member for a moment and look whether the other one answers. Nothing is granted meanwhile, and the member is started again whatever happens.",
      }),
    deadlineSeconds: secondsField(
      60,
      86400,
      "How long the way there, and the way back, may take each, in seconds, 60 to 86400; afterwards the operation fails and everything is as the spec says again. Unset: 600. Not for DeclarePartnerDown, which has notAfter.",
    ).optional(),
    ttlSecondsAfterFinished: secondsField(
      0,
      31536000,
      "The object is deleted this long after it completed or failed, in seconds, 0 to 31536000. Unset: 604800, a week.",
    ).optional(),
    reason: text({
      description: "Why, for the record: who decided and on what evidence. 1 to 1024 characters.",
      form: "a text of 1 to 1024 characters",
      lengthMax: 1024,
    }),
    notAfter: timeText(
      "The operation fails instead of starting after this time, so that a file applied again later does no harm; a DeclarePartnerDown fails, too, when its survivor has not entered PARTNER-DOWN by then. Unset: no limit, but 600 seconds after its creation for a DeclarePartnerDown in a cluster.",
    ).optional(),
    expectedEpoch: integer(
      0,
      Number.MAX_SAFE_INTEGER,
      "The operation fails unless status.witness.epoch of the relationship is exactly this, and when a Switchover or TestFailover of the same name and spec was begun at it before, so that a repeat does no harm. Unset: not checked.",
    ).optional(),
  })
  .meta({ description: "The act. It cannot be changed; create another operation instead." });

const stepSchema = z.object({
  name: text({ description: "CamelCase name of the step.", form: "at most 64 characters", lengthMax: 64 }),
  startedAt: timeText("When it began."),
  message: text({
    description: "What it is about, for people.",
    form: "at most 1024 characters",
    lengthMin: 0,
    lengthMax: 1024,
  }),
});

const operationStatusSchema = z
  .object({
    observedGeneration: observedGenerationField().optional(),
    startTime: timeText("When the controller started it.").optional(),
    completionTime: timeText("When it completed or failed.").optional(),
    epoch: integer(0, Number.MAX_SAFE_INTEGER, "Epoch of the grant that it made.").optional(),
    steps: list(stepSchema, { max: 32, type: "atomic", description: "What was done, in order." }).optional(),
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
