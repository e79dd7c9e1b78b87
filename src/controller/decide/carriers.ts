// What CarriersPresent says: whether clients reach both members as far as the members' kernels know. A pair in NORMAL with
// one member behind a dead switch port serves everybody, by one member.

import type { Verdict } from "./condition.ts";
import type { Pair, PairMember } from "./pair.ts";

export function carriersVerdict(pair: Pair): Verdict {
  const type = "CarriersPresent";
  if (pair.members.every(({ report }) => report === null)) {
    return { type, status: "Unknown", reason: "NotReported", message: "No member has reported." };
  }
  const sentences = carrierSentences(pair);
  if (sentences.length === 0) {
    const message = "Every interface that clients reach the members by has a carrier.";
    return { type, status: "True", reason: "Present", message };
  }
  const message = `${sentences.join(" ")} Look at the cable and the switch port.`;
  return { type, status: "False", reason: "CarrierLost", message };
}

/** One for each member that has lost its carrier. */
export function carrierSentences({ members }: Pair): readonly string[] {
  const saying = ({ name, report }: PairMember) =>
    report === null || report.carrierProblem === null ? [] : [`${name}: ${report.carrierProblem}.`];
  return members.flatMap(saying);
}
