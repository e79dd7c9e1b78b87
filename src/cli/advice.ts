// What a member's state means and what happens next, in words, for `leasepair status --local`. With the API the
// relationship's conditions say it (src/controller/decide/story.ts); this is for hosts without one, and for 3 a.m.

import { formatTime } from "../base/time.ts";
import type { MemberReport } from "../dhcp/engine/event.ts";

/** A sentence or two. Looks at nothing but the report. */
export function adviceOn(report: MemberReport): string {
  const { connected } = report;
  switch (report.state) {
    case "NORMAL":
      return carrierAdvice(report) ?? holdAdvice(report) ?? "All is well: both members know every lease.";
    case "STARTUP":
      return "It has just started and listens for its partner. It goes on by itself within seconds.";
    case "COMMUNICATIONS-INTERRUPTED":
      return connected
        ? "The link stands, but the two members do not agree yet. If it stays so, compare their configurations."
        : "The partner is not heard: it renews all clients and gives new ones its own free addresses. It ends when the " +
            "partner is back. Declare PARTNER-DOWN only if the partner is certainly off.";
    case "PARTNER-DOWN":
      return "It serves alone, as declared. When the partner comes back it recovers by itself.";
    case "RECOVER":
      if (connected) return "It fetches the partner's leases and answers nobody until it has them.";
      return report.complete
        ? "It answers nobody until it has heard what the partner did meanwhile: start the partner."
        : "Its lease store is new: it answers nobody until it has the partner's leases. Start the partner.";
    case "RECOVER-WAIT":
      return "It has the partner's leases and waits, at most one MCLT, until nothing promised before can be open.";
    case "RECOVER-DONE":
      return "It is ready and waits for the partner to agree.";
    case "POTENTIAL-CONFLICT":
    case "CONFLICT-DONE":
      return "Both served alone. They compare their leases, which ends by itself; then look for duplicate-found in the log.";
    case "RESOLUTION-INTERRUPTED":
      return "The link was lost while the two compared their leases: bring it back.";
    default:
      return "It was stopped in order.";
  }
}

/** An engine of an earlier version does not say. */
function holdAdvice({ heldUntil = null }: Partial<MemberReport>): string | null {
  if (heldUntil === null) return null;
  const from = formatTime(heldUntil);
  return `It renews all clients; new ones are served from ${from} on, when what a lost lease store may have promised has ended.`;
}

/** An engine of an earlier version does not say. */
function carrierAdvice({
  carrierLost = [],
  partnerCarrierLost = false,
}: Partial<MemberReport>): string | null {
  if (carrierLost.length > 0) {
    return `Look at the cable and the switch port of ${carrierLost.join(" and ")}. Until then the partner answers all clients.`;
  }
  return partnerCarrierLost
    ? "The partner's clients may not reach it: this member answers all. Look at the partner's cables and switch ports."
    : null;
}
