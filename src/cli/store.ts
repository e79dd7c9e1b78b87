// `leasepair store`: reads a lease store on disk without changing it.

import { existsSync, globSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { choiceArgument } from "./arguments.ts";
import { CommandError, EXIT, usageError } from "./command-error.ts";
import { times } from "./table.ts";

const FORMATS = ["json", "csv"] as const;
/** Where a data directory has its store. */
const LEASES = "leases";
/** Lines handed to standard output at a time. */
const LINES_PER_WRITE = 1_000;

const EXIT_CODES = `
Exit codes: 0 done; 1 it cannot be read; 2 wrong command line, or no store there; 3 the store is damaged, or of a newer
release.`;

export function addStoreCommand(program: Command): void {
  const store = program
    .command("store")
    .summary("read and mend a lease store on disk")
    .description(
      "Works on the lease store in a data directory. dump and verify change nothing, need no running engine, and do not " +
        "disturb one. compact, restore and forget need the engine of that directory to be stopped.",
    );
  addDump(store);
  addVerify(store);
  addCompact(store);
  addRestore(store);
  addForget(store);
}

function addDump(store: Command): void {
  store
    .command("dump")
    .summary("print what a lease store holds")
    .description(
      "Prints every binding of a lease store, one per line, sorted by address. With json, lines about the store and the " +
        "failover endpoint come first; each line says its `kind`.",
    )
    .requiredOption("--data-dir <dir>", "data directory of a member")
    .option("--format <format>", "json (one object a line) or csv", "json")
    .addHelpText(
      "after",
      `
Examples:
  leasepair store dump --data-dir /var/lib/leasepair
  leasepair store dump --data-dir ./data-a --format csv > leases.csv
${EXIT_CODES}`,
    )
    .action(async (flags: { dataDir: string; format: string }) => {
      const format = choiceArgument("--format", flags.format, FORMATS);
      const { FileReader } = await import("../dhcp/host/files.ts");
      const { csvRows, dumpStore, jsonLines } = await import("../dhcp/store/dump.ts");
      const dump = dumpStore(new FileReader(leasesDirectory(flags.dataDir)));
      if (dump.kind !== "dumped") throw refusal(flags.dataDir, dump);
      await writeLines(format === "csv" ? csvRows(dump) : jsonLines(dump));
    });
}

function addVerify(store: Command): void {
  store
    .command("verify")
    .summary("check a lease store")
    .description("Reads a whole lease store, checks every record, and prints whose it is and what is in it.")
    .requiredOption("--data-dir <dir>", "data directory of a member")
    .addHelpText(
      "after",
      `
Example:
  leasepair store verify --data-dir /var/lib/leasepair
${EXIT_CODES}`,
    )
    .action(async (flags: { dataDir: string }) => {
      const { FileReader } = await import("../dhcp/host/files.ts");
      const { verifyStore } = await import("../dhcp/store/dump.ts");
      const verdict = verifyStore(new FileReader(leasesDirectory(flags.dataDir)));
      if (verdict.kind !== "sound") throw refusal(flags.dataDir, verdict);
      const {
        relationship,
        member,
        relationshipUid,
        store: id,
        generation,
        liveRecords,
        segments,
        cutBytes,
      } = verdict.summary;
      const tail = cutBytes === 0 ? "" : `; ${cutBytes} bytes of an unfinished write at the end do not count`;
      process.stdout.write(
        `sound: store ${id} of member ${member} of ${relationship}${relationshipUid === null ? "" : ` (UID ${relationshipUid})`}, opened ${times(generation)}, ` +
          `${liveRecords} records in ${segments} files${tail}\n`,
      );
    });
}

function addCompact(store: Command): void {
  store
    .command("compact")
    .summary("shorten the log of a lease store at once")
    .description(
      "Removes from a store what no longer counts. A running engine does that by itself, little by little; this is for a " +
        "store that is to be copied or a disk that is almost full. The engine must be stopped.",
    )
    .requiredOption("--data-dir <dir>", "data directory of a member")
    .addHelpText(
      "after",
      `
Example:
  leasepair store compact --data-dir /var/lib/leasepair
${EXIT_CODES}`,
    )
    .action(async (flags: { dataDir: string }) => {
      const { compactDirectory } = await import("../dhcp/host/store-maintenance.ts");
      leasesDirectory(flags.dataDir);
      const { before, after } = await faultsAsErrors(() => compactDirectory(resolve(flags.dataDir)));
      process.stdout.write(`compacted: ${before} bytes before, ${after} bytes now\n`);
    });
}

function addRestore(store: Command): void {
  store
    .command("restore")
    .summary("put a backup of a lease store in place")
    .description(
      "Puts a copy of a member's lease store in the place of the present one, which is kept beside it. The engine does not " +
        "believe the copy: it starts in RECOVER, fetches all leases from its partner, serves nobody until MCLT has passed, and " +
        "drops the copy's leases when the partner has seen a later state of them. So never restore both members' copies: each would " +
        "drop its leases. The engine must be stopped.",
    )
    .requiredOption("--data-dir <dir>", "data directory of a member")
    .requiredOption("--from <dir>", "a copy of a data directory, or of the directory `leases` in it")
    .option("--set-aside <number>", "take the files damaged-<number>-... in --from instead of its store")
    .addHelpText(
      "after",
      `
Examples:
  leasepair store restore --data-dir /var/lib/leasepair --from /backup/leasepair
  leasepair store restore --data-dir /var/lib/leasepair --from /var/lib/leasepair --set-aside 1
${EXIT_CODES}`,
    )
    .action(async (flags: { dataDir: string; from: string; setAside?: string }) => {
      const { restoreDirectory } = await import("../dhcp/host/store-maintenance.ts");
      const from = existsSync(`${flags.from}/${LEASES}`) ? `${flags.from}/${LEASES}` : flags.from;
      if (!existsSync(from)) throw usageError(`--from ${flags.from}: there is no such directory`);
      const prefix = flags.setAside === undefined ? "" : `damaged-${flags.setAside}-`;
      assertMembers(flags.dataDir);
      const dataDirectory = resolve(flags.dataDir);
      const restored = await faultsAsErrors(() => restoreDirectory({ dataDirectory, from, prefix }));
      process.stdout.write(
        `restored: ${restored.bindings} leases of store ${restored.store}, which count only after the engine has heard its ` +
          `partner\nkept: ${restored.kept ?? "nothing, there was no store before"}\n` +
          "next: start the engine; it is in RECOVER and serves nobody until MCLT has passed\n",
      );
    });
}

function addForget(store: Command): void {
  store
    .command("forget")
    .summary("remove a lease store for good")
    .description(
      "Removes everything in a member's data directory. Clients that still hold a lease from it are forgotten: a server that begins " +
        "anew may give their addresses to others. The engine must be stopped, and its partner must not need this store any more.",
    )
    .requiredOption("--data-dir <dir>", "data directory of a member")
    .requiredOption("--member <name>", "whose store it is; another one's is not removed")
    .requiredOption(
      "--uid <uid>",
      "UID of the relationship that it was made under, as `store verify` shows it",
    )
    .addHelpText(
      "after",
      `
Example:
  leasepair store forget --data-dir /var/lib/leasepair/UID/a --member a --uid UID
${EXIT_CODES}`,
    )
    .action(async (flags: { dataDir: string; member: string; uid: string }) => {
      const { forgetDirectory } = await import("../dhcp/host/store-maintenance.ts");
      const dataDirectory = resolve(flags.dataDir);
      if (!existsSync(dataDirectory))
        throw usageError(`--data-dir ${flags.dataDir}: there is no such directory`);
      const { member, uid: relationshipUid } = flags;
      const isDone = await faultsAsErrors(() => forgetDirectory({ dataDirectory, member, relationshipUid }));
      process.stdout.write(isDone ? `removed: all that was in ${dataDirectory}\n` : "nothing was there\n");
    });
}

/** A store that cannot be worked on, or is in use, is the user's to know about, not a crash. */
async function faultsAsErrors<T>(act: () => Promise<T>): Promise<T> {
  const { FaultError } = await import("../base/fault.ts");
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    throw new CommandError(REFUSALS.includes(error.code) ? EXIT.refused : EXIT.failed, error.message);
  }
}

const REFUSALS: readonly string[] = ["DATA_DIRECTORY_LOCKED", "STORE_UNUSABLE", "STORE_FOREIGN"];

type Refused = { readonly kind: "empty" } | { readonly kind: "damaged" | "newer"; readonly problem: string };

function refusal(dataDir: string, verdict: Refused): CommandError {
  if (verdict.kind === "empty") return usageError(`--data-dir ${dataDir}: the lease store is empty`);
  const remedy =
    verdict.kind === "newer"
      ? "Use a release that knows it."
      : "Keep a copy. An engine that starts with it sets it aside, begins anew and fetches all leases from its partner.";
  return new CommandError(EXIT.refused, `--data-dir ${dataDir}: ${verdict.problem}. ${remedy}`);
}

function leasesDirectory(dataDir: string): string {
  assertMembers(dataDir);
  const path = `${resolve(dataDir)}/${LEASES}`;
  if (!existsSync(path)) {
    throw usageError(`--data-dir ${dataDir}: there is no lease store here (no directory ${LEASES} in it)`);
  }
  return path;
}

/** A directory below which members' directories lie, as on a node, is no member's: an engine would never look there. */
function assertMembers(dataDir: string): void {
  const directory = resolve(dataDir);
  if (existsSync(`${directory}/${LEASES}`)) return;
  const [first] = globSync(`{*,*/*}/${LEASES}`, { cwd: directory });
  if (first === undefined) return;
  const member = join(directory, dirname(first));
  throw usageError(
    `--data-dir ${dataDir}: members' stores lie below it; name one of them, such as ${member}`,
  );
}

async function writeLines(lines: Iterable<string>): Promise<void> {
  let block: string[] = [];
  const write = async () => {
    const isTaken = block.length === 0 || process.stdout.write(`${block.join("\n")}\n`);
    block = [];
    if (!isTaken) await new Promise((drained) => process.stdout.once("drain", drained));
  };
  for (const line of lines) {
    block.push(line);
    if (block.length >= LINES_PER_WRITE) await write();
  }
  await write();
}
