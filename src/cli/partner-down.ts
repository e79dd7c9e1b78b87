// `leasepair partner-down`: a human's word to a running engine on this machine that its partner is off. For hosts without
// Kubernetes, and for a cluster whose API is gone.

import type { Command } from "commander";
import { formatTime } from "../base/time.ts";
import type { MemberReport } from "../dhcp/engine/event.ts";
import { directoryArgument } from "./arguments.ts";
import { usageError } from "./command-error.ts";
import { callEngine } from "./engine-client.ts";

interface PartnerDownFlags {
  dataDir: string;
  partnerIsOff?: true;
}

export function addPartnerDownCommand(program: Command): void {
  program
    .command("partner-down")
    .summary("tell a running engine on this machine that its partner is off")
    .description(
      "Moves the engine to PARTNER-DOWN: it goes on with all addresses, those of its partner after the maximum client lead " +
        "time. If the partner serves on, two clients can get one address. With Kubernetes, create a FailoverOperation " +
        "DeclarePartnerDown instead; while the API answers, an engine with fencing Witness refuses this command.",
    )
    .requiredOption("--data-dir <dir>", "data directory of the running engine")
    .option(
      "--partner-is-off",
      "your word that the partner is off, and stays off until it can reach this engine",
    )
    .addHelpText(
      "after",
      `
Example:
  leasepair partner-down --data-dir /var/lib/leasepair --partner-is-off

Exit codes: 0 the engine is in PARTNER-DOWN, now or before; 1 no engine answers there; 2 wrong command line;
3 refused, and why: the partner answers, the API answers, the store is incomplete.`,
    )
    .action(async (flags: PartnerDownFlags) => {
      const directory = directoryArgument("--data-dir", flags.dataDir);
      if (flags.partnerIsOff !== true) {
        throw usageError(
          "--partner-is-off: is missing. Switch the partner off first, or pull its cables: an engine that serves on while this " +
            "one is in PARTNER-DOWN gives addresses twice. Then say so by this flag",
        );
      }
      const report = JSON.parse(
        await callEngine(directory, "POST", "/partner-down?partner=off"),
      ) as MemberReport;
      const since = formatTime(report.stateSince);
      process.stdout.write(`${report.state} since ${since}: this engine goes on alone\n`);
    });
}
