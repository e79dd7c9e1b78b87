// How PARTNER-DOWN is decided for a relationship: chosen once, when it is created, and pinned in status.effective, so that
// a node that comes or goes never changes the rules of a running pair. What the spec says goes before what was chosen.
// Source: docs/protocol/witness.md, answer l: off only over a witness that nobody holds, and with that very write; on again only
// when no member's last word is from before it was off: it would count as a new one, and a grant rest on it.

import type { Automatic, Fencing, PartnerDownSpec, PinnedPolicy } from "../../api/partner-down.ts";
import type { FencingChoice, ObservedNode } from "../observed.ts";

export interface FencingInputs {
  /** spec.partnerDown, null when the spec cannot be read: then what is pinned stays. */
  readonly wanted: Partial<PartnerDownSpec> | null;
  readonly pinned: PinnedPolicy;
  /** Somebody holds a grant. */
  readonly isGranted: boolean;
  readonly members: readonly {
    readonly name: string;
    readonly nodeName: string;
    readonly isExternal: boolean;
    /** Its last report says that it caps its leases. */
    readonly reportsCap: boolean;
  }[];
  readonly nodes: ReadonlyMap<string, ObservedNode>;
}

/** What a relationship gets that leaves fencing open, where the API can outlive its members. */
const FENCING_DEFAULT: Fencing = "Witness";

export function chooseFencing(inputs: FencingInputs): FencingChoice {
  const { wanted, pinned, isGranted, members } = inputs;
  // Nobody can cap the leases of a server that is not ours, nor see whether it lives.
  if (members.some(({ isExternal }) => isExternal)) {
    return { fencing: "None", automatic: "Disabled", sharedWith: null, isSwitchHeld: false };
  }
  // Who decides for None has no use for the witness, wherever it is.
  const sharedWith = wanted?.fencing === "None" ? null : memberOnControlPlane(inputs);
  const wish = wanted?.fencing ?? pinned.fencing ?? (sharedWith === null ? FENCING_DEFAULT : "None");
  const isOffHeld = pinned.fencing === "Witness" && wish === "None" && isGranted;
  const isOnHeld =
    pinned.fencing === "None" && wish === "Witness" && members.some(({ reportsCap }) => reportsCap);
  const isSwitchHeld = isOffHeld || isOnHeld;
  const fencing = isSwitchHeld ? (pinned.fencing ?? wish) : wish;
  return { fencing, automatic: chooseAutomatic(inputs, fencing, sharedWith), sharedWith, isSwitchHeld };
}

function chooseAutomatic(
  { wanted, pinned }: FencingInputs,
  fencing: Fencing,
  sharedWith: string | null,
): Automatic {
  if (fencing === "None") return "Disabled";
  if (wanted?.automatic !== undefined) return wanted.automatic;
  // Pinned with the fencing it was chosen for; under another one it is chosen anew.
  if (pinned.fencing === fencing && pinned.automatic !== undefined) return pinned.automatic;
  return sharedWith === null ? "Enabled" : "Disabled";
}

/** A store of three and more survives the loss of one of its nodes; one or two do not. Nodes that do not show their
 *  control plane have it elsewhere, as managed clusters do. */
function memberOnControlPlane({ members, nodes }: FencingInputs): string | null {
  const controlPlanes = [...nodes.values()].filter(({ isControlPlane }) => isControlPlane);
  if (controlPlanes.length >= 3) return null;
  const shared = members.find(({ nodeName }) => controlPlanes.some(({ name }) => name === nodeName));
  return shared?.name ?? null;
}
