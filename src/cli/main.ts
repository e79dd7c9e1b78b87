// The command line: `leasepair COMMAND`. One file per command; what a command needs is loaded when it runs, so that
// `leasepair --help` is instant and no command drags in another's dependencies.

import { Command, CommanderError } from "commander";
import { addCertsCommand } from "./certs.ts";
import { EXIT, explain } from "./command-error.ts";
import { addControllerCommand } from "./controller.ts";
import { addCrdsCommand } from "./crds.ts";
import { addEngineCommand } from "./engine.ts";
import { addExplainCommand } from "./explain.ts";
import { addLeasesCommand } from "./leases.ts";
import { addOwnCommand } from "./own.ts";
import { addPartnerDownCommand } from "./partner-down.ts";
import { addShutdownCommand } from "./shutdown.ts";
import { addStatusCommand } from "./status.ts";
import { addStoreCommand } from "./store.ts";
import { addVersionCommand, packageVersion } from "./version.ts";

function buildProgram(): Command {
  const program = new Command("leasepair")
    .description("DHCPv4 failover pairs on Kubernetes, or on plain hosts.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpCommand("help [command]", "explain a command")
    .showHelpAfterError("(add --help to see what is possible)")
    .addHelpText(
      "after",
      `
Every command explains itself: leasepair COMMAND --help

Exit codes: 0 done; 1 failed; 2 the command line or a file it names is wrong; 3 refused for safety.`,
    )
    .exitOverride();
  for (const add of [
    addEngineCommand,
    addControllerCommand,
    addStatusCommand,
    addLeasesCommand,
    addExplainCommand,
    addPartnerDownCommand,
    addShutdownCommand,
    addStoreCommand,
    addCertsCommand,
    addCrdsCommand,
    addOwnCommand,
    addVersionCommand,
  ]) {
    add(program);
  }
  return program;
}

/** Runs one command. Resolves to the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  if (args.length === 0) {
    program.outputHelp();
    return EXIT.usage;
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : EXIT.ok;
  } catch (error) {
    // Commander has already printed help, the version or what is wrong with the command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const explained = explain(error);
    if (explained === null) throw error;
    const command = args.slice(0, args[0] === "store" ? 2 : 1).join(" ");
    process.stderr.write(`leasepair ${command}: error: ${explained.message}\n`);
    return explained.exitCode;
  }
}

// A reader such as `head` that has seen enough is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
