// FailoverRelationship: two members on two nodes that serve the same scopes by the failover protocol.
// Status fields: failover-relationship-status.ts. Rules over several fields: rules-relationship.ts.

import { z } from "zod";
import { CLIENT_CLASSES_MAX, clientClassSchema } from "./client-class.ts";
import { limitsSchema } from "./client-limits.ts";
import { optionsSchema } from "./dhcp-options.ts";
import { relationshipStatusSchema } from "./failover-relationship-status.ts";
import { choice, dnsLabel, integer, list, networkText, secondsField } from "./fields.ts";
import { AGE_COLUMN, conditionColumn, defineKind, type KindObject } from "./kind.ts";
import { leaseTimeSchema } from "./lease-time.ts";
import { linkTlsSchema } from "./link-tls.ts";
import { partnerDownSchema } from "./partner-down.ts";
import { MEMBER_NAME_MAX, memberSchema } from "./relationship-member.ts";
import { storageSchema } from "./storage.ts";

/** `<relationship>-<member>` names a StatefulSet, whose pods' labels hold at most 63 characters. */
export const RELATIONSHIP_NAME_MAX = 36;

const relationshipSpecSchema = z
  .strictObject({
    mode: choice(
      ["LoadBalance", "HotStandby"],
      "LoadBalance: both members answer, each its share of the clients. HotStandby: the primary answers, the other member only while the primary is silent.",
    ),
    primary: dnsLabel(
      "Name of the primary member; in HotStandby the one that answers. Changing it swaps the roles.",
      MEMBER_NAME_MAX,
    ),
    members: list(memberSchema, {
      min: 2,
      max: 2,
      type: ["name"],
      description: "The two members; one of them may be external.",
    }),
    maxClientLeadTimeSeconds: secondsField(
      60,
      86400,
      "MCLT: how far a member may extend a lease beyond what its partner has acknowledged, in seconds, 60 to 86400. It is the length of a client's first lease and of every lease while the partner is down, and how long the survivor waits before it takes the partner's addresses.",
    ).default(3600),
    maxSeconds: secondsField(
      0,
      255,
      "A member answers a client of its silent partner once the client has been trying for this long: from this value of `secs` in its request on, in seconds, 0 to 255. 0: both members answer all clients. A dhcpd answers only above its `load balance max seconds`, so that this is one more.",
    ).default(3),
    loadBalance: z
      .strictObject({
        primaryPercent: integer(
          0,
          100,
          "The primary's share of the clients and of the free addresses, in percent; the other member has the rest. Of the addresses each keeps at least 5 percent, to serve new clients alone.",
        ).default(50),
      })
      .prefault({})
      .meta({ description: "Used in mode LoadBalance only." }),
    hotStandby: z
      .strictObject({
        reservePercent: integer(
          0,
          100,
          "The standby's share of the free addresses, in percent: what it can give to new clients while it does not know whether the primary is down.",
        ).default(5),
      })
      .prefault({})
      .meta({ description: "Used in mode HotStandby only." }),
    link: z
      .strictObject({
        port: integer(1, 65535, "TCP port on which both members listen for each other, 1 to 65535.").default(
          647,
        ),
        tls: linkTlsSchema.optional(),
      })
      .prefault({})
      .meta({ description: "The failover link between the members." }),
    partnerDown: partnerDownSchema,
    scopeDefaults: z
      .strictObject({ leaseTime: leaseTimeSchema.optional(), options: optionsSchema.optional() })
      .optional()
      .meta({ description: "Values for every scope of this relationship; a scope's own value wins." }),
    limits: limitsSchema.optional(),
    clientClasses: list(clientClassSchema, {
      max: CLIENT_CLASSES_MAX,
      type: ["name"],
      description: `Classes of clients, at most ${CLIENT_CLASSES_MAX}. A client may be in several; where they set the same thing, the one listed first wins. What a class sets goes before the scope's and behind a reservation's.`,
    }).optional(),
    leasequery: z
      .strictObject({
        allowFrom: list(networkText("A network such as 192.0.2.0/24, or one address as 192.0.2.1/32."), {
          max: 32,
          type: "set",
          description:
            "Networks of the relays and access concentrators that may ask (their address is the giaddr of the query). At most 32.",
        }),
      })
      .optional()
      .meta({
        description:
          "Answers to DHCPLEASEQUERY (RFC 4388), which tell who holds an address. Unset: nobody may ask.",
      }),
    storage: storageSchema,
  })
  .meta({ description: "What the pair should be." });

export const failoverRelationshipKind = defineKind({
  kind: "FailoverRelationship",
  plural: "failoverrelationships",
  shortNames: ["dhcpfo"],
  description:
    "A FailoverRelationship is a pair of DHCPv4 servers on two nodes that serve the same scopes and back each other up by the DHCP failover protocol.",
  objectName: dnsLabel("Name of the relationship, at most 36 characters.", RELATIONSHIP_NAME_MAX),
  spec: relationshipSpecSchema,
  status: relationshipStatusSchema,
  printerColumns: [
    {
      name: "Mode",
      type: "string",
      jsonPath: ".spec.mode",
      description: "LoadBalance or HotStandby.",
      priority: 0,
    },
    {
      name: "Primary",
      type: "string",
      jsonPath: ".status.primary",
      description: "The primary member and its state.",
      priority: 0,
    },
    {
      name: "Secondary",
      type: "string",
      jsonPath: ".status.secondary",
      description: "The secondary member and its state.",
      priority: 0,
    },
    {
      name: "Serving",
      type: "string",
      jsonPath: ".status.serving",
      description: "The members that answer clients now.",
      priority: 0,
    },
    {
      name: "Takeover",
      type: "string",
      jsonPath: ".status.takeover",
      description: "When a survivor takes its partner's free addresses.",
      priority: 0,
    },
    conditionColumn("Ready", "Whether both members are in NORMAL and serve with the same configuration."),
    AGE_COLUMN,
    {
      name: "MCLT",
      type: "integer",
      jsonPath: ".spec.maxClientLeadTimeSeconds",
      description: "Maximum client lead time in seconds.",
      priority: 1,
    },
  ],
});

export type FailoverRelationshipSpec = z.output<typeof relationshipSpecSchema>;
export type FailoverRelationshipStatus = z.output<typeof relationshipStatusSchema>;
export type FailoverRelationshipObject = KindObject<
  "FailoverRelationship",
  FailoverRelationshipSpec,
  FailoverRelationshipStatus
>;
