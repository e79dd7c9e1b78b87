// `leasepair leases`: what a running engine on this machine has leased.

import type { Command } from "commander";
import type { bindingRow } from "../dhcp/store/dump.ts";
import { choiceArgument, directoryArgument } from "./arguments.ts";
import { askEngine } from "./engine-client.ts";
import { formatTable } from "./table.ts";

const FORMATS = ["table", "json"] as const;

type LeaseRow = ReturnType<typeof bindingRow>;
type Text = string | null;

interface LeasesFlags {
  dataDir: string;
  output: string;
  all: boolean;
}

export function addLeasesCommand(program: Command): void {
  program
    .command("leases")
    .summary("list the leases of a running engine on this machine")
    .description(
      "Lists the leases that a running engine on this machine knows, its own and its partner's, asking it over the " +
        "socket in its data directory. Needs the engine's user, or root.",
    )
    .requiredOption("--data-dir <dir>", "data directory of the running engine")
    .option("--all", "also list addresses that are free, expired or released", false)
    .option("-o, --output <format>", "table or json (an array)", "table")
    .addHelpText(
      "after",
      `
Examples:
  leasepair leases --data-dir /var/lib/leasepair
  leasepair leases --data-dir ./data-a --output json
  kubectl exec campus-a-0 -- leasepair leases --data-dir /var/lib/leasepair

Exit codes: 0 listed; 1 no engine answers there; 2 wrong command line.`,
    )
    .action(async (flags: LeasesFlags) => {
      const format = choiceArgument("--output", flags.output, FORMATS);
      const text = await askEngine(directoryArgument("--data-dir", flags.dataDir), "/leases");
      const leases = text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as LeaseRow)
        .filter((lease) => flags.all || lease.status === "ACTIVE");
      process.stdout.write(format === "json" ? `${JSON.stringify(leases, null, 2)}\n` : leaseTable(leases));
    });
}

/** The leases for people. What clients sent was cleaned by the engine; here it is only cut. */
export function leaseTable(leases: readonly LeaseRow[]): string {
  if (leases.length === 0) return "No leases.\n";
  const headings = ["ADDRESS", "STATUS", "CLIENT", "HOSTNAME", "EXPIRES", "PARTNER-KNOWS"];
  const rows = leases.map((lease) => [
    lease.address as string,
    lease.status as string,
    clientText(lease),
    lease.hostname === null ? null : printable(String(lease.hostname)),
    lease.expiresAt as Text,
    lease.acknowledged ? "yes" : "no",
  ]);
  return formatTable(headings, rows);
}

/** The hardware address as people write it; the client identifier when there is none. */
function clientText({ hardwareAddress, clientIdentifier }: LeaseRow): Text {
  const hex = hardwareAddress === null || hardwareAddress === "" ? clientIdentifier : hardwareAddress;
  return hex === null ? null : String(hex).replace(/..(?=.)/g, "$&:");
}

/** Control characters never reach a terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 40);
}
