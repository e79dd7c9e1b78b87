// What is said while addresses rest because a lease store was lost or left behind: renewals go on, new clients wait.
// Source: docs/protocol/witness.md, W9 and W10.

import { type Pair, partnerOf } from "./pair.ts";
import { clockTime } from "./words.ts";

/** One for each member that serves no new clients for that reason. */
export function holdSentences(pair: Pair): readonly string[] {
  return pair.members.flatMap((member) => {
    const until = member.report?.heldUntil ?? null;
    if (until === null) return [];
    const partner = partnerOf(pair, member)?.name ?? "its partner";
    const what = `what the lost lease store of ${member.name} or ${partner} may have promised ends first`;
    return [`${member.name} gives new clients addresses from ${clockTime(until, pair.now)} on: ${what}.`];
  });
}
