// `leasepair version`: which release this is and what runs it.

import { readFileSync } from "node:fs";
import type { Command } from "commander";

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

export function addVersionCommand(program: Command): void {
  program
    .command("version")
    .summary("print the version")
    .description("Prints the version of leasepair and of the Node.js that runs it.")
    .action(() => {
      process.stdout.write(`leasepair ${packageVersion()} (node ${process.versions.node})\n`);
    });
}
