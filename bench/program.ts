// The program as the image has it: plain JavaScript, no compiled code from an earlier start.

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { plainSources } from "../dev/image/plain-sources.ts";

const PROJECT = join(import.meta.dirname, "..");

/** Puts the program into `directory`; returns the file that node runs. */
export function installProgram(directory: string): string {
  for (const { path, text } of plainSources(PROJECT)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  for (const name of ["package.json", "node_modules"])
    symlinkSync(join(PROJECT, name), join(directory, name));
  return join(directory, "src/cli/main.js");
}

/** Of the engines themselves: what a shell or npm has set for this process is not what a pod has. */
export function engineEnvironment(): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE: _, ...rest } = process.env;
  return rest;
}
