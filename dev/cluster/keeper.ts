// Removes everything of a cluster once its owner is gone, whatever ended it: the owner holds the other end of this
// process's standard input. Argument: the prefix.

import { sweep } from "./machine.ts";

const prefix = process.argv[2] ?? "";
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.stdin.resume();
process.stdin.on("end", () => void sweep(prefix).then(() => process.exit(0)));
