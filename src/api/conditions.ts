// The conditions of every status, in the shape of metav1.Condition, so that `kubectl wait` and kstatus understand them.
// Which types exist is listed here once; a reason is CamelCase and stable, a message is for people.

import { z } from "zod";
import { choice, integer, list, text, timeText } from "./fields.ts";

export const CONDITION_TYPES = {
  FailoverRelationship: [
    "Accepted",
    "Ready",
    "Available",
    "PartnerDown",
    "ConfigInSync",
    "WitnessHealthy",
    "LinkSecure",
    "ClocksSound",
    "CarriersPresent",
    "Reconciling",
    "Stalled",
  ],
  FailoverMember: ["ConfigAccepted", "Serving"],
  FailoverOperation: ["Complete", "Failed"],
  DHCPScope: ["Accepted", "Programmed"],
  DHCPReservationSet: ["Accepted", "Programmed"],
} as const;

const conditionSchema = z.object({
  type: text({
    description: "Type of the condition in CamelCase.",
    form: "CamelCase, at most 316 characters",
    pattern: /^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$/,
    lengthMax: 316,
  }),
  status: choice(["True", "False", "Unknown"], "Whether the condition holds: True, False or Unknown."),
  observedGeneration: integer(
    0,
    Number.MAX_SAFE_INTEGER,
    "The metadata.generation that this condition speaks about. Lower than the object's: the condition is out of date.",
  ).optional(),
  lastTransitionTime: timeText("When the status last changed from one value to another."),
  reason: text({
    description: "Why, as one CamelCase word that scripts may rely on.",
    form: "CamelCase letters and digits, at most 1024 characters",
    pattern: /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/,
    lengthMax: 1024,
  }),
  message: text({
    description: "What happened and what to do about it, for people.",
    form: "at most 32768 characters",
    lengthMin: 0,
    lengthMax: 32768,
  }),
});

export type Condition = z.output<typeof conditionSchema>;

export function conditionsField(description: string) {
  return list(conditionSchema, { max: 32, type: ["type"], description });
}

/** The status field that every kind has. */
export function observedGenerationField() {
  return integer(
    0,
    Number.MAX_SAFE_INTEGER,
    "The metadata.generation that this status speaks about. Lower than the object's: the status is out of date.",
  );
}
