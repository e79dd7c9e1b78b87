// What ClocksSound says: leases end by each member's own clock, so a wrong one costs clients time, and is said before it does.

import type { Verdict } from "./condition.ts";
import type { Pair } from "./pair.ts";

/** The worst first. A reason of a newer engine comes before all. */
const REMEDY: Readonly<Record<string, string>> = {
  ClockBehind: "Set that clock, or wait.",
  ClocksApart: "Look at time synchronisation on both nodes (chronyc tracking, timedatectl).",
  NotSynchronised: "Run chrony or another time service there.",
};

export function clocksVerdict({ members }: Pair): Verdict {
  const type = "ClocksSound";
  const reporting = members.filter(({ report }) => report !== null);
  if (reporting.length === 0) {
    return { type, status: "Unknown", reason: "NotReported", message: "No member has reported." };
  }
  const [worst] = reporting
    .flatMap(({ name, report }) => (report?.clockProblem ? [{ name, ...report.clockProblem }] : []))
    .sort((one, other) => rank(one.reason) - rank(other.reason));
  if (worst === undefined) {
    return {
      type,
      status: "True",
      reason: "Sound",
      message: "The members' clocks agree and are kept right.",
    };
  }
  const { name, reason, message } = worst;
  const words = [`${name}: ${message}.`, REMEDY[reason] ?? ""].join(" ").trim();
  return { type, status: "False", reason, message: words };
}

function rank(reason: string): number {
  return Object.keys(REMEDY).indexOf(reason);
}
