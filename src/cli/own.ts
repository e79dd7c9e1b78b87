// `leasepair own`: gives a member's directory to the engine's user. What the first container of an engine's pod runs, as
// root with the capability CHOWN alone, because the kubelet makes host paths as root. Not shown in the help.

import { chownSync } from "node:fs";
import type { Command } from "commander";
import { directoryArgument } from "./arguments.ts";
import { usageError } from "./command-error.ts";

export function addOwnCommand(program: Command): void {
  program
    .command("own", { hidden: true })
    .description("Gives a directory, not what is in it, to a user and the group of the same number.")
    .argument("<uid>", "number of the user")
    .argument("<directory>", "an existing directory")
    .action((uid: string, directory: string) => {
      if (!/^\d{1,9}$/.test(uid)) throw usageError(`uid "${uid}" is not a number`);
      chownSync(directoryArgument("directory", directory), Number(uid), Number(uid));
    });
}
