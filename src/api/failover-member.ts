// FailoverMember: one engine's report. The controller makes the object, the engine alone writes its status.

import { z } from "zod";
import { conditionsField, observedGenerationField } from "./conditions.ts";
import { storeIdText } from "./failover-relationship-status.ts";
import { API_STATES, SERVING } from "./failover-state.ts";
import { choice, digest, dnsLabel, dnsSubdomain, integer, list, reference, timeText } from "./fields.ts";
import { AGE_COLUMN, defineKind, type KindObject, type PrinterColumn } from "./kind.ts";
import { FENCING } from "./partner-down.ts";

function count(description: string) {
  return integer(0, 0xffff_ffff, description);
}

function epoch(description: string) {
  return integer(0, Number.MAX_SAFE_INTEGER, description);
}

const memberSpecSchema = z
  .strictObject({
    relationshipRef: reference("FailoverRelationship", "The relationship that this member belongs to."),
    member: dnsLabel("The member's name in the relationship.", 15),
  })
  .meta({ description: "Which member this is. Written by the controller." });

const scopeAddressesSchema = z.object({
  scope: dnsSubdomain("Name of the DHCPScope."),
  total: count("All leasable addresses."),
  free: count("Free addresses that the primary owns."),
  backup: count("Free addresses that the secondary owns."),
  active: count("Leased addresses."),
  expired: count("Addresses whose lease ended, not yet agreed with the partner."),
  released: count("Addresses that clients gave back, not yet agreed with the partner."),
  abandoned: count("Addresses that a client declined because somebody else uses them."),
  reset: count("Addresses that an administrator freed, not yet agreed with the partner."),
});

const revisionsSchema = z
  .object({
    active: digest("The configuration that the member runs on.").optional(),
    pending: digest("A configuration that waits until the partner has it too.").optional(),
    shape: digest("Digest of the part on which both members must agree.").optional(),
  })
  .meta({ description: "The member's configuration." });

const memberStatusSchema = z
  .object({
    observedGeneration: observedGenerationField().optional(),
    reportedAt: timeText(
      "When the engine wrote this report; while it is not in NORMAL at least every 10 seconds.",
    ).optional(),
    state: choice(API_STATES, "The member's state in the failover protocol.").optional(),
    since: timeText("Since when the member is in this state.").optional(),
    partnerState: choice(API_STATES, "The partner's state as last heard. Unset: never heard.").optional(),
    lastContact: timeText("When the partner was last heard.").optional(),
    connected: z
      .boolean()
      .optional()
      .meta({ description: "Whether the failover link to the partner stands." }),
    linkSecurity: choice(
      ["TLS", "Clear"],
      "How the failover link is secured: TLS, with a certificate on both sides; or Clear, neither encrypted nor authenticated. Unset: the link is not open.",
    ).optional(),
    serving: choice(
      SERVING,
      "Whom the member answers: All; OwnAddresses (new clients from its own free addresses only); RenewOnly (no new clients); None.",
    ).optional(),
    store: storeIdText("Id of the member's lease store; a new, empty store has a new id.").optional(),
    generation: epoch("How often this store was opened.").optional(),
    complete: z.boolean().optional().meta({
      description:
        "Whether the store holds all that the partner knew. False in a new store until a full update ended.",
    }),
    entered: epoch(
      "Epoch of the grant under which the member last entered PARTNER-DOWN; 0: never.",
    ).optional(),
    entry: timeText("When the member last entered PARTNER-DOWN.").optional(),
    returned: epoch("Highest epoch of its own that the member gave back.").optional(),
    seen: epoch("Highest epoch that the member has read.").optional(),
    fencing: choice(
      FENCING,
      "Witness: the member caps every lease, and will after a restart too; only when both members say so is PARTNER-DOWN granted under fencing Witness. None or unset: it does not.",
    ).optional(),
    cappedUntil: timeText(
      "With fencing Witness and while not in NORMAL: when new leases stop unless the member reaches its partner or the API.",
    ).optional(),
    heldUntil: timeText(
      "After a lease store was lost or left behind, the member's own or its partner's: when addresses are given to new clients again.",
    ).optional(),
    waitLeadSeconds: count(
      "The MCLT that the member's waits are reckoned with, in seconds: a lowered one counts only once both members were NORMAL under it.",
    ).optional(),
    clockOffsetSeconds: integer(
      -0xffff_ffff,
      0xffff_ffff,
      "The partner's clock minus the member's, in seconds. Unset: not measured.",
    ).optional(),
    unackedUpdates: count("Binding updates sent to the partner and not yet acknowledged.").optional(),
    revisions: revisionsSchema.optional(),
    addresses: list(scopeAddressesSchema, {
      max: 4096,
      type: ["scope"],
      description: "Addresses by status, per scope.",
    }).optional(),
    conditions: conditionsField(
      "ConfigAccepted and Serving: what keeps the engine from loading or answering. StoreDamaged. LinkRefused: why it does not meet its partner, though it could. ClockSound: False when the node's clock is behind, apart from its partner's, or not synchronised. CarrierPresent: False when an interface that clients reach the member by has no carrier.",
    ).optional(),
  })
  .meta({ description: "The engine's report. Written by the engine alone." });

function column(name: string, jsonPath: string, description: string, priority: 0 | 1 = 0): PrinterColumn {
  return { name, type: "string", jsonPath, description, priority };
}

export const failoverMemberKind = defineKind({
  kind: "FailoverMember",
  plural: "failovermembers",
  shortNames: ["dhcpfm"],
  description:
    "A FailoverMember is one server of a pair and what it reports of itself. The controller makes it; do not write it by hand.",
  spec: memberSpecSchema,
  status: memberStatusSchema,
  printerColumns: [
    column("Relationship", ".spec.relationshipRef.name", "The relationship."),
    column("State", ".status.state", "The member's failover state."),
    column("Partner", ".status.partnerState", "The partner's state as this member knows it."),
    column("Serving", ".status.serving", "Whom the member answers."),
    AGE_COLUMN,
    column("Since", ".status.since", "Since when the member is in its state.", 1),
    column("Store", ".status.store", "Id of the lease store.", 1),
    column("Revision", ".status.revisions.active", "The configuration in use.", 1),
  ],
});

export type FailoverMemberSpec = z.output<typeof memberSpecSchema>;
export type FailoverMemberStatus = z.output<typeof memberStatusSchema>;
export type ScopeAddresses = z.output<typeof scopeAddressesSchema>;
export type FailoverMemberObject = KindObject<"FailoverMember", FailoverMemberSpec, FailoverMemberStatus>;
