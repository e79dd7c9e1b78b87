// `leasepair shutdown`: a human's word to a running engine on this machine that it will be away for long. For hosts without
// Kubernetes, and for a dhcpd as partner.

import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { formatTime } from "../base/time.ts";
import type { MemberReport } from "../dhcp/engine/event.ts";
import { directoryArgument } from "./arguments.ts";
import { CommandError, EXIT } from "./command-error.ts";
import { askEngine, callEngine } from "./engine-client.ts";

/** For the partner to say PARTNER-DOWN: "a few seconds" (failover draft 9.14.2). */
const LOOKS = 20;
const LOOK_MS = 500;

interface ShutdownFlags {
  dataDir: string;
}

export function addShutdownCommand(program: Command): void {
  program
    .command("shutdown")
    .summary("take a running engine on this machine out of service for long")
    .description(
      "Moves the engine to SHUTDOWN: it answers no client any more and tells its partner, which goes to PARTNER-DOWN at once and on with " +
        "all addresses. The process stays until you stop it; started again it recovers from its partner. For a stop of " +
        "minutes send SIGTERM instead. With fencing Witness create a FailoverOperation Switchover.",
    )
    .requiredOption("--data-dir <dir>", "data directory of the running engine")
    .addHelpText(
      "after",
      `
Example:
  leasepair shutdown --data-dir /var/lib/leasepair

Exit codes: 0 the engine is in SHUTDOWN and its partner has taken over; 1 no engine answers there, or the partner has not taken
over within ${(LOOKS * LOOK_MS) / 1000} s; 2 wrong command line; 3 refused, and why: fencing Witness, the pair is not in NORMAL.`,
    )
    .action(async (flags: ShutdownFlags) => {
      const directory = directoryArgument("--data-dir", flags.dataDir);
      let report = JSON.parse(await callEngine(directory, "POST", "/shutdown")) as MemberReport;
      for (let look = 1; look < LOOKS && report.partnerState !== "PARTNER-DOWN"; look++) {
        await pause(LOOK_MS);
        report = JSON.parse(await askEngine(directory, "/status")) as MemberReport;
      }
      if (report.partnerState !== "PARTNER-DOWN") {
        throw new CommandError(
          EXIT.failed,
          `this engine is in ${report.state} and silent, but its partner says ${report.partnerState ?? "nothing"}: declare this ` +
            "engine down there, or start this engine again",
        );
      }
      const since = formatTime(report.stateSince);
      process.stdout.write(
        `${report.state} since ${since}: the partner is in PARTNER-DOWN and serves alone\n`,
      );
    });
}
