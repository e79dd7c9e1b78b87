// How a member may come to act alone: the block spec.partnerDown, and what of it is in force. What the spec leaves open
// the controller decides when the relationship is created, and pins in status.effective; from there the engines read it.
// Source: docs/protocol/witness.md, W1 and answer l.

import { z } from "zod";
import { choice, secondsField } from "./fields.ts";

export const FENCING = ["None", "Witness"] as const;
export const AUTOMATIC = ["Enabled", "Disabled"] as const;

export type Fencing = (typeof FENCING)[number];
export type Automatic = (typeof AUTOMATIC)[number];

export const AFTER_SECONDS_DEFAULT = 300;

export const partnerDownSchema = z
  .strictObject({
    fencing: choice(
      FENCING,
      "Witness: PARTNER-DOWN needs a grant that the Kubernetes API witnesses, and every lease is capped so that even a wrong grant gives no address to two clients. None: the classic protocol, in which declaring a living partner down can give an address to two clients. Unset: decided when the relationship is created; see status.effective.",
    ).optional(),
    automatic: choice(
      AUTOMATIC,
      "Enabled: the controller grants PARTNER-DOWN by itself; needs fencing Witness. Disabled: only a FailoverOperation or the taint node.kubernetes.io/out-of-service does. Unset: Enabled with fencing Witness where the Kubernetes API can outlive each member's node, otherwise Disabled; see status.effective.",
    ).optional(),
    afterSeconds: secondsField(
      10,
      86400,
      "How long a member must have been without contact, and its partner without any sign of life, before the controller grants PARTNER-DOWN by itself, in seconds, 10 to 86400. As a wrong grant is safe, the wait only prevents needless ones.",
    ).default(AFTER_SECONDS_DEFAULT),
  })
  .prefault({})
  .meta({ description: "How a member may come to act alone in place of its partner." });

export type PartnerDownSpec = z.output<typeof partnerDownSchema>;

/** What status.effective says of it. */
export interface PinnedPolicy {
  readonly fencing?: Fencing | undefined;
  readonly automatic?: Automatic | undefined;
}

/** What is in force of spec.partnerDown. */
export interface PartnerDownPolicy {
  readonly fencing: Fencing;
  readonly automatic: Automatic;
  readonly afterSeconds: number;
}

/** As pinned in status.effective; where nothing is pinned yet, or there is no API, as the spec says. */
export function policyInForce(relationship: {
  readonly spec: { readonly partnerDown: PartnerDownSpec };
  readonly status?: { readonly effective?: PinnedPolicy | undefined } | undefined;
}): PartnerDownPolicy {
  const { spec, status } = relationship;
  const { afterSeconds } = spec.partnerDown;
  const fencing = status?.effective?.fencing ?? spec.partnerDown.fencing ?? "None";
  const automatic = status?.effective?.automatic ?? spec.partnerDown.automatic ?? "Disabled";
  return { fencing, automatic: fencing === "None" ? "Disabled" : automatic, afterSeconds };
}
