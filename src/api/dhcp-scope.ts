// DHCPScope: one subnet that a relationship serves. Rules over several fields: rules-scope.ts; over objects: compile.ts.

import { z } from "zod";
import { bootSchema } from "./boot.ts";
import { allowedClassesField } from "./client-class.ts";
import { conditionsField, observedGenerationField } from "./conditions.ts";
import { optionsSchema } from "./dhcp-options.ts";
import {
  choice,
  dnsLabel,
  integer,
  ipv4Text,
  list,
  networkText,
  reference,
  secondsField,
  timeText,
} from "./fields.ts";
import { AGE_COLUMN, conditionColumn, defineKind, type KindObject } from "./kind.ts";
import { leaseTimeSchema } from "./lease-time.ts";
import { reservationSchema } from "./reservation.ts";

const rangeSchema = z.strictObject({
  start: ipv4Text("First address of the range."),
  end: ipv4Text("Last address of the range; the same as start for a single address."),
  allowedClasses: allowedClassesField(
    "Only clients in one of these classes get an address of this range, and they get one of it first; at most 16. Unset: all clients that the scope serves.",
  ).optional(),
});

const exclusionSchema = z.strictObject({
  start: ipv4Text("First address that is never leased."),
  end: ipv4Text("Last address that is never leased. Unset: start alone.").optional(),
});

const scopeSpecSchema = z
  .strictObject({
    relationshipRef: reference(
      "FailoverRelationship",
      "The relationship that serves this scope. Cannot be changed.",
    ),
    subnet: networkText(
      "The subnet as network and prefix length, such as 192.0.2.0/24; prefix length 8 to 30, host bits zero. Gives clients their netmask (option 1). Cannot be changed: make a new scope instead.",
    ),
    sharedNetwork: dnsLabel(
      "Scopes of one relationship with the same name here are on one wire: a client on it may get an address from any of them. Unset: the scope has its wire to itself.",
    ).optional(),
    ranges: list(rangeSchema, {
      min: 1,
      max: 64,
      type: ["start"],
      description:
        "The addresses to lease, 1 to 64 ranges inside the subnet. Addresses of the members and of routers inside a range are left out by themselves.",
    }),
    exclusions: list(exclusionSchema, {
      max: 256,
      type: ["start"],
      description: "Addresses inside the ranges that are never leased, at most 256 entries.",
    }).optional(),
    allowedClasses: allowedClassesField(
      "Only clients in one of these classes get addresses of this scope, apart from reserved ones; at most 16. A client that no longer is in any of them keeps its lease to its end. Unset: all clients.",
    ).optional(),
    relayAddresses: list(ipv4Text("A relay's address (giaddr)."), {
      max: 16,
      type: "set",
      description:
        "Relays whose own address (giaddr) is outside the subnet but whose clients belong to it. At most 16. Relays with an address inside the subnet need no entry.",
    }).optional(),
    leaseTime: leaseTimeSchema.optional(),
    options: optionsSchema.optional(),
    boot: bootSchema.optional(),
    reservations: list(reservationSchema, {
      max: 256,
      type: ["address"],
      description: "Addresses kept for one client each, at most 256; use DHCPReservationSets for more.",
    }).optional(),
    authoritative: z.boolean().default(true).meta({
      description:
        "true: a client on this network that claims an address it cannot have is told so (NAK), so that it starts anew at once. false: such a client gets no answer; for networks that another DHCP server serves as well.",
    }),
    rapidCommit: choice(
      ["Enabled", "Disabled"],
      "Enabled: a client that asks for rapid commit (option 80) gets its lease with the first answer. Only for networks where no other DHCP server answers the same clients.",
    ).default("Disabled"),
    addressProbe: choice(
      ["Enabled", "Disabled"],
      "Enabled: before an address is offered to a client that did not hold it last, it is looked for by ICMP echo, and by ARP where the client is on a segment of the member; half a second later the offer goes out. One that answers is put to rest for declinedHoldSeconds.",
    ).default("Disabled"),
    subnetSelection: choice(
      ["Enabled", "Disabled"],
      "Enabled: a client may choose this scope by the subnet selection option (118), wherever it is. Only for networks whose clients are trusted to.",
    ).default("Disabled"),
    autoConfiguration: choice(
      ["Allowed", "Prohibited"],
      "Prohibited: a client that asks (option 116) and gets no address is told not to give itself a link-local one (169.254.0.0/16).",
    ).default("Allowed"),
    declinedHoldSeconds: secondsField(
      60,
      604800,
      "How long an address is not leased after a client found it in use (DHCPDECLINE), in seconds, 60 to 604800.",
    ).default(86400),
    state: choice(
      ["Enabled", "Disabled"],
      "Disabled: no new leases; clients that hold one may renew it.",
    ).default("Enabled"),
  })
  .meta({ description: "What to lease, to whom and for how long." });

const addressCount = (description: string) => integer(0, 0xffff_ffff, description);

const scopeStatusSchema = z
  .object({
    observedGeneration: observedGenerationField().optional(),
    addresses: z
      .object({
        total: addressCount("All leasable addresses."),
        used: addressCount("Leased addresses."),
        free: list(
          z.object({
            member: dnsLabel("Name of the member.", 15),
            count: addressCount("Free addresses that this member owns."),
          }),
          { max: 2, type: ["member"], description: "Free addresses by the member that may lease them." },
        ),
      })
      .optional()
      .meta({ description: "Counts, written at most once a minute; the metrics are exact." }),
    updatedAt: timeText("When the counts were written.").optional(),
    conditions: conditionsField(
      "Accepted: the scope fits its neighbours. Programmed: both members serve it.",
    ).optional(),
  })
  .meta({ description: "What became of the scope." });

export const dhcpScopeKind = defineKind({
  kind: "DHCPScope",
  plural: "dhcpscopes",
  shortNames: ["dhcpscope"],
  description:
    "A DHCPScope is one IPv4 subnet that a failover relationship serves: its ranges, lease times and options.",
  spec: scopeSpecSchema,
  status: scopeStatusSchema,
  printerColumns: [
    { name: "Subnet", type: "string", jsonPath: ".spec.subnet", description: "The subnet.", priority: 0 },
    {
      name: "Relationship",
      type: "string",
      jsonPath: ".spec.relationshipRef.name",
      description: "The relationship that serves it.",
      priority: 0,
    },
    {
      name: "Used",
      type: "integer",
      jsonPath: ".status.addresses.used",
      description: "Leased addresses.",
      priority: 0,
    },
    {
      name: "Total",
      type: "integer",
      jsonPath: ".status.addresses.total",
      description: "All addresses.",
      priority: 0,
    },
    conditionColumn("Accepted", "Whether the scope fits its neighbours."),
    conditionColumn("Programmed", "Whether both members serve it."),
    AGE_COLUMN,
  ],
});

export type DHCPScopeSpec = z.output<typeof scopeSpecSchema>;
export type DHCPScopeStatus = z.output<typeof scopeStatusSchema>;
export type ScopeRange = z.output<typeof rangeSchema>;
export type ScopeExclusion = z.output<typeof exclusionSchema>;
export type DHCPScopeObject = KindObject<"DHCPScope", DHCPScopeSpec, DHCPScopeStatus>;
