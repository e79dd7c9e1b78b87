// DHCPReservationSet: up to 1024 reservations of one scope, so that 100,000 of them are some hundred objects.

import { z } from "zod";
import { conditionsField, observedGenerationField } from "./conditions.ts";
import { integer, list, reference } from "./fields.ts";
import { AGE_COLUMN, conditionColumn, defineKind, type KindObject } from "./kind.ts";
import { reservationSchema } from "./reservation.ts";

const reservationSetSpecSchema = z
  .strictObject({
    scopeRef: reference("DHCPScope", "The scope whose addresses are reserved. Cannot be changed."),
    entries: list(reservationSchema, {
      min: 1,
      max: 1024,
      type: ["address"],
      description: "The reservations, 1 to 1024, each address once.",
    }),
  })
  .meta({ description: "Which addresses are kept for whom." });

const reservationSetStatusSchema = z
  .object({
    observedGeneration: observedGenerationField().optional(),
    entries: integer(0, 1024, "Number of reservations in the set.").optional(),
    conditions: conditionsField(
      "Accepted: the set fits its scope. Programmed: both members know it.",
    ).optional(),
  })
  .meta({ description: "What became of the set." });

export const dhcpReservationSetKind = defineKind({
  kind: "DHCPReservationSet",
  plural: "dhcpreservationsets",
  shortNames: ["dhcprs"],
  description: "A DHCPReservationSet keeps up to 1024 addresses of one scope for one client each.",
  spec: reservationSetSpecSchema,
  status: reservationSetStatusSchema,
  printerColumns: [
    {
      name: "Scope",
      type: "string",
      jsonPath: ".spec.scopeRef.name",
      description: "The scope.",
      priority: 0,
    },
    {
      name: "Entries",
      type: "integer",
      jsonPath: ".status.entries",
      description: "Number of reservations.",
      priority: 0,
    },
    conditionColumn("Accepted", "Whether the set fits its scope."),
    AGE_COLUMN,
  ],
});

export type DHCPReservationSetSpec = z.output<typeof reservationSetSpecSchema>;
export type DHCPReservationSetStatus = z.output<typeof reservationSetStatusSchema>;
export type DHCPReservationSetObject = KindObject<
  "DHCPReservationSet",
  DHCPReservationSetSpec,
  DHCPReservationSetStatus
>;
