// What is said while addresses rest because a lease store was lost or left behind: renewals go on, new clients wait.
// Source: docs/protocol/witness.md, W9 and W10.

import type { Pair } from "./pair.ts";
import { clockTime } from "./words.ts";

/** One for each time from which members that serve no new clients for that reason serve them again. */
export function holdSentences(pair: Pair): readonly string[] {
  const resting = pair.members.flatMap((member) => {
    const until = member.report?.heldUntil ?? null;
    return until === null ? [] : [{ name: member.name, from: clockTime(until, pair.now) }];
  });
  return [...Map.groupBy(resting, ({ from }) => from)].map(([from, members]) => {
    const names = members.map(({ name }) => name).join(" and ");
    const give = members.length > 1 ? "give" : "gives";
    return `${names} ${give} new clients addresses from ${from} on: what a lost lease store may have promised ends first.`;
  });
}
