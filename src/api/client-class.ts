// One client class of a relationship, and the names of classes where a scope or a range is limited to them.
// The expression language: base/class-expression.ts. What makes a class of a relationship: client-class-compile.ts.

import { z } from "zod";
import { CLASS_EXPRESSION_LENGTH_MAX } from "../base/class-expression.ts";
import { bootSchema } from "./boot.ts";
import { reservationOptionsSchema } from "./dhcp-options.ts";
import { dnsLabel, list, text } from "./fields.ts";
import { leaseTimeSchema } from "./lease-time.ts";

export const CLIENT_CLASSES_MAX = 32;
export const ALLOWED_CLASSES_MAX = 16;

export const clientClassSchema = z.strictObject({
  name: dnsLabel("The class's name, as allowedClasses refer to it.", 63),
  match: text({
    description: `Which clients are in the class: a CEL expression that gives true or false, such as vendorClass.startsWith("PXEClient"), at most ${CLASS_EXPRESSION_LENGTH_MAX} characters. Variables: messageType, hardwareType, hardwareAddress, clientIdentifier, relayAddress, vendorClass, userClasses, circuitId, remoteId, subscriberId (each of these three also as circuitIdHex and so on), options. See docs/guides/classes.md.`,
    form: `an expression of 1 to ${CLASS_EXPRESSION_LENGTH_MAX} characters`,
    lengthMax: CLASS_EXPRESSION_LENGTH_MAX,
  }),
  options: reservationOptionsSchema
    .meta({
      description:
        "DHCP options for clients of this class; each one set here replaces the scope's option of the same code. A reservation's own options go before them.",
    })
    .optional(),
  boot: bootSchema.optional(),
  leaseTime: leaseTimeSchema.optional(),
});

export function allowedClassesField(description: string) {
  return list(dnsLabel("Name of one of the relationship's clientClasses.", 63), {
    min: 1,
    max: ALLOWED_CLASSES_MAX,
    type: "set",
    description,
  });
}

export type ClientClass = z.output<typeof clientClassSchema>;
