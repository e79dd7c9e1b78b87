// The program as the image has it: plain JavaScript, no compiled code from an earlier start.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
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

/** Resolves with the moment at which the engine's log has the text, by performance.now(); rejects when it ends before. */
export function untilLogged(child: ChildProcess, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (line.includes(text)) resolve(performance.now());
    });
    child.once("exit", () => reject(new Error(`the engine ended before it said ${text}`)));
  });
}

/** kill -9; resolves once it is gone, at once when it was before. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
