// `leasepair explain`: why an address is what it is, or what a client has, asked of a running engine on this machine.

import type { Command } from "commander";
import type { Explanation } from "../dhcp/engine/explain.ts";
import { choiceArgument, directoryArgument } from "./arguments.ts";
import { askEngine } from "./engine-client.ts";

const FORMATS = ["table", "json"] as const;

interface ExplainFlags {
  dataDir: string;
  output: string;
}

export function addExplainCommand(program: Command): void {
  program
    .command("explain")
    .argument("<what>", "an address, a client's hardware address, or id:HEX for a client identifier")
    .summary("explain one address or client of a running engine on this machine")
    .description(
      "Says who owns an address, which bucket and member its client belongs to, what the two members have promised each " +
        "other about it, how long a lease would be now and why, and when each member may give it to another client, each " +
        "with the rule it follows (docs/protocol/witness.md).",
    )
    .requiredOption("--data-dir <dir>", "data directory of the running engine")
    .option("-o, --output <format>", "table or json", "table")
    .addHelpText(
      "after",
      `
Examples:
  leasepair explain 10.0.0.17 --data-dir /var/lib/leasepair
  leasepair explain 02:00:00:00:00:01 --data-dir ./data-a
  leasepair explain id:0102000000000001 --data-dir ./data-a --output json

Exit codes: 0 explained; 1 no engine answers there, or it cannot make sense of the argument; 2 wrong command line.`,
    )
    .action(async (what: string, flags: ExplainFlags) => {
      const format = choiceArgument("--output", flags.output, FORMATS);
      const directory = directoryArgument("--data-dir", flags.dataDir);
      const text = await askEngine(directory, `/explain?what=${encodeURIComponent(what)}`);
      const explanations = JSON.parse(text) as readonly Explanation[];
      const shown =
        format === "json" ? `${JSON.stringify(explanations, null, 2)}\n` : explanationText(explanations);
      process.stdout.write(shown);
    });
}

/** For people: one paragraph per address, one line per fact, the rule at its end. */
export function explanationText(explanations: readonly Explanation[]): string {
  return explanations.map(paragraph).join("\n");
}

function paragraph({ member, state, address, facts }: Explanation): string {
  const width = Math.max(...facts.map((fact) => fact.about.length)) + 2;
  const lines = facts.map(({ about, text, rule }) => `  ${`${about}:`.padEnd(width)} ${text} [${rule}]\n`);
  return `${address ?? "No address"}, as ${member} sees it in ${state}\n${lines.join("")}`;
}
