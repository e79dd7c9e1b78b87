// Runs the command line as a user would: a process, its exit code and what it printed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

const PROGRAM = `${import.meta.dirname}/../../src/cli/main.ts`;
const TIMEOUT_MS = 60_000;

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  output(): string;
  errors(): string;
  /** Resolves once the output matches; rejects when the process ends or a minute passes first. */
  until(pattern: RegExp): Promise<void>;
  /** Resolves to the exit code. */
  ended(): Promise<number | null>;
}

export function startCli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  wrapper: readonly string[] = [],
): RunningCli {
  const [command = "", ...rest] = [...wrapper, process.execPath, PROGRAM, ...args];
  const child = spawn(command, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KUBECONFIG: "/nonexistent/kubeconfig", ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr?.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  const closed = once(child, "close");
  const timeout = setTimeout(() => child.kill("SIGKILL"), 120_000);
  void closed.then(() => clearTimeout(timeout));
  return {
    child,
    output: () => stdout,
    errors: () => stderr,
    until: async (pattern) => {
      const deadline = performance.now() + TIMEOUT_MS;
      while (!pattern.test(stdout)) {
        if (child.exitCode !== null || performance.now() > deadline) {
          throw new Error(`${pattern} never appeared (exit ${child.exitCode}):\n${stdout}\n${stderr}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    ended: async () => {
      const [code] = await closed;
      return code;
    },
  };
}

export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliRun> {
  const run = startCli(args, env);
  const code = await run.ended();
  return { code, stdout: run.output(), stderr: run.errors() };
}
