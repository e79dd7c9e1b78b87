// What the controller shows of a relationship. The controller alone writes it, and `witness` by compare-and-swap:
// the engines read the witness from here and nothing else.
// Source: docs/protocol/witness.md, W1.

import { z } from "zod";
import { conditionsField, observedGenerationField } from "./conditions.ts";
import { API_STATES, SERVING } from "./failover-state.ts";
import { choice, digest, dnsLabel, integer, ipv4Text, list, secondsField, text, timeText } from "./fields.ts";
import { AUTOMATIC, FENCING } from "./partner-down.ts";

/** Plain text for a printer column; the controller writes it for people. */
function columnText(description: string) {
  return text({ description, form: "at most 64 characters", lengthMin: 0, lengthMax: 64 });
}

export function storeIdText(description: string) {
  return text({ description, form: "at most 64 characters", lengthMin: 0, lengthMax: 64 });
}

const witnessSchema = z
  .object({
    epoch: integer(
      0,
      Number.MAX_SAFE_INTEGER,
      "Number of the latest grant; rises by one with each and never falls.",
    ),
    holder: dnsLabel("The member that may act as if its partner were down. Unset: nobody.", 15).optional(),
    holderStore: storeIdText("Id of the lease store that the grant is for. Unset: no grant.").optional(),
    transferredFrom: dnsLabel(
      "The member that held the grant before and was declared dead. Unset: nobody.",
      15,
    ).optional(),
    stores: z
      .record(z.string().max(15), storeIdText("Id of a lease store."))
      .optional()
      .meta({ description: "Ids of the lease stores that take part, by member name.", maxProperties: 2 }),
  })
  .meta({
    description:
      "Who may serve alone: the record by which PARTNER-DOWN is granted. Written by the controller only; do not edit or restore it by hand.",
  });

/** More than these would be a subnet of nodes, not of clients; a status must stay small. */
export const EXCLUDED_ADDRESSES_MAX = 1_000;

const effectiveSchema = z
  .object({
    fencing: choice(
      FENCING,
      "How PARTNER-DOWN is decided. The engines follow this field, not the spec: switching it off waits until nobody holds a grant.",
    ).optional(),
    automatic: choice(AUTOMATIC, "Whether the controller grants PARTNER-DOWN by itself.").optional(),
    servedBy: dnsLabel(
      "The member that a Switchover lets serve all clients for a while. Unset: as the spec says.",
      15,
    ).optional(),
    excludedAddresses: list(ipv4Text("An address of a node."), {
      max: EXCLUDED_ADDRESSES_MAX,
      type: "set",
      description:
        "Addresses of nodes in the relationship's subnets. No client is given one, whatever the ranges say.",
    }).optional(),
    storagePath: text({
      description: "Directory of the lease store on each node; unset with claims.",
      form: "a path of at most 4096 characters",
      lengthMax: 4096,
    }).optional(),
    storeUid: text({
      description:
        "UID under which the lease stores lie: the last part of storagePath, and of the claims' names before the member's. It is what storage.adoptFrom of a follower names.",
      form: "a UID",
      lengthMax: 36,
    }).optional(),
    revision: digest("Digest of the newest accepted configuration.").optional(),
    shape: digest(
      "Digest of the part on which both members must agree: subnets, ranges, mode, shares, MCLT.",
    ).optional(),
  })
  .meta({ description: "The values in force after defaults." });

const memberSummarySchema = z.object({
  name: dnsLabel("The member's name.", 15),
  role: choice(["Primary", "Secondary"], "The member's role.").optional(),
  nodeName: text({
    description: "The node on which the member runs, or ran last.",
    form: "at most 253 characters",
    lengthMax: 253,
  }).optional(),
  state: choice([...API_STATES, "Unknown"], "State as last reported; Unknown: no fresh report.").optional(),
  since: timeText("Since when the member is in this state.").optional(),
  partnerState: choice([...API_STATES, "Unknown"], "The partner's state as this member sees it.").optional(),
  serving: choice(SERVING, "Whom the member answers.").optional(),
  revision: digest("The configuration that the member runs on.").optional(),
  store: storeIdText("Id of the member's lease store.").optional(),
  reportedAt: timeText("When the member last reported.").optional(),
  ready: z.boolean().optional().meta({ description: "Whether the member's pod is ready." }),
});

/** More are not told apart from new ones. */
export const BEGUN_OPERATIONS_MAX = 100;

const begunOperationSchema = z.object({
  name: text({ description: "The operation's name.", form: "at most 253 characters", lengthMax: 253 }),
  digest: digest("Digest of its spec."),
  expectedEpoch: integer(0, Number.MAX_SAFE_INTEGER, "Its spec.expectedEpoch."),
});

export const relationshipStatusSchema = z
  .object({
    observedGeneration: observedGenerationField().optional(),
    conditions: conditionsField(
      "Ready, Available, PartnerDown, ConfigInSync, WitnessHealthy, LinkSecure, ClocksSound, CarriersPresent, Accepted, Reconciling and Stalled.",
    ).optional(),
    primary: columnText('The primary and its state, such as "a Normal".').optional(),
    secondary: columnText('The secondary and its state, such as "b Unknown (6m)".').optional(),
    serving: columnText('The members that answer clients, such as "a,b".').optional(),
    takeover: columnText(
      'When a survivor takes over its partner\'s free addresses, such as "03:21Z", or "2026-03-02 03:21Z" on another day (UTC). Empty: nothing is to be taken over.',
    ).optional(),
    members: list(memberSummarySchema, {
      max: 2,
      type: ["name"],
      description: "Both members as their reports, pods and nodes show them.",
    }).optional(),
    witness: witnessSchema.optional(),
    effective: effectiveSchema.optional(),
    begunOperations: list(begunOperationSchema, {
      max: BEGUN_OPERATIONS_MAX,
      type: "atomic",
      description:
        "The latest Switchovers and TestFailovers with expectedEpoch that were begun at the present epoch. One of the same name and spec that is created again fails with AlreadyDone.",
    }).optional(),
    scopes: integer(0, 1_000_000, "Number of accepted scopes.").optional(),
    reservations: integer(0, 10_000_000, "Number of accepted reservations.").optional(),
    maxClientLeadTimeSeconds: secondsField(60, 86400, "The MCLT that both members run on.").optional(),
  })
  .meta({ description: "What the controller sees of the pair." });

export type WitnessStatus = z.output<typeof witnessSchema>;
export type EffectiveStatus = z.output<typeof effectiveSchema>;
export type BegunOperation = z.output<typeof begunOperationSchema>;
export type MemberSummary = z.output<typeof memberSummarySchema>;
