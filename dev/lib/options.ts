// The options of a script that `npm run` starts. --help shows its text; what it does not know ends it before it does anything.

import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The values of the script's options. Prints `help` and ends the process for --help (0) and for anything unknown (2). */
export function readOptions<Options extends ParseArgsOptionsConfig>(help: string, options: Options) {
  try {
    const all = { ...options, help: { type: "boolean" } } as const;
    const { values } = parseArgs({ options: all });
    if ((values as { help?: boolean }).help !== true)
      return values as ReturnType<typeof parseArgs<{ options: Options }>>["values"];
    process.stdout.write(help);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    process.exit(2);
  }
}
