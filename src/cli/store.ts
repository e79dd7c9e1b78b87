// `leasepair store`: reads a lease store on disk without changing it.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { choiceArgument } from "./arguments.ts";
import { usageError } from "./command-error.ts";

const FORMATS = ["json", "csv"] as const;
/** Where a data directory has its store. */
const LEASES = "leases";

export function addStoreCommand(program: Command): void {
  const store = program
    .command("store")
    .summary("read a lease store on disk")
    .description("Reads the lease store in a data directory. Changes nothing and needs no running engine.");
  store
    .command("dump")
    .summary("print what a lease store holds")
    .description("Prints every binding of a lease store, one per line, sorted by address.")
    .requiredOption("--data-dir <dir>", "data directory of a member")
    .option("--format <format>", "json (one object a line) or csv", "json")
    .addHelpText(
      "after",
      `
Examples:
  leasepair store dump --data-dir /var/lib/leasepair
  leasepair store dump --data-dir ./data-a --format csv > leases.csv

Exit codes: 0 printed; 1 it cannot be read; 2 wrong command line; 3 the store is damaged.`,
    )
    .action(async (flags: { dataDir: string; format: string }) => {
      const format = choiceArgument("--format", flags.format, FORMATS);
      void format;
      void leasesDirectory(flags.dataDir);
    });
}

function leasesDirectory(dataDir: string): string {
  const path = `${resolve(dataDir)}/${LEASES}`;
  if (!existsSync(path)) {
    throw usageError(`--data-dir ${dataDir}: there is no lease store here (no directory ${LEASES} in it)`);
  }
  return path;
}
