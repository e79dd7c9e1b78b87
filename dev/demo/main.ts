// `npm run demo`: the whole product on this machine, told step by step. As root it lives in network namespaces with a real
// DHCP client, else on loopback. The outer process makes the surroundings and cleans up whatever happens; the inner one
// tells the story.
//
//   npm run demo                    tell the story, clean up
//   npm run demo -- --keep          tell it, then leave everything running until Ctrl-C
//   npm run demo -- --loopback      without privileges even as root
//   npm run demo -- --alter-one-record   falsify a stored lease first: the demo must fail

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hasProgram, installMissingPackages, isRoot, missingPackages } from "../lib/debian-packages.ts";
import { makeSwitch, removeNamespaces } from "./namespace-lab.ts";

const FLAGS = {
  keep: { type: "boolean", default: false },
  loopback: { type: "boolean", default: false },
  "alter-one-record": { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const USAGE = `npm run demo [-- [--keep] [--loopback]]

  --keep      leave everything running at the end, and print what to type next; Ctrl-C ends it
  --loopback  loopback addresses and no privileges, even as root
`;

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === null) return 2;
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const useNamespaces = isRoot() && !flags.loopback && namespacesWork();
  const directory = mkdtempSync(join(tmpdir(), `lpd${process.pid}-`));
  const inner = [fileURLToPath(new URL("./inner.ts", import.meta.url)), directory, String(process.pid)];
  if (flags.keep) inner.push("--keep");
  if (flags["alter-one-record"]) inner.push("--alter-one-record");
  let failed = true;
  try {
    const command = [process.execPath, ...inner];
    if (useNamespaces) command.unshift("ip", "netns", "exec", makeSwitch(process.pid));
    else command.push("--loopback");
    failed = (await run(command)) !== 0;
  } catch (error) {
    process.stdout.write(`demo: FAIL: ${error instanceof Error ? error.message : String(error)}\n`);
  } finally {
    removeNamespaces(process.pid);
    // The logs are what a failed run is understood by; a run that passed, or was ended by hand, leaves nothing.
    if (!failed || interrupted) rmSync(directory, { recursive: true, force: true });
  }
  return failed ? 1 : 0;
}

function readFlags() {
  try {
    return parseArgs({ options: FLAGS }).values;
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return null;
  }
}

/** As root: installs what the namespaces need; says why when they cannot be had. */
function namespacesWork(): boolean {
  if (missingPackages().length > 0) installMissingPackages();
  const missing = ["ip", "busybox"].filter((name) => !hasProgram(name));
  if (missing.length === 0) return true;
  process.stdout.write(`demo: no network namespaces here (missing: ${missing.join(", ")}); using loopback\n`);
  return false;
}

let interrupted = false;

/** Runs the inner process; Ctrl-C and SIGTERM are passed on and waited for. */
async function run(command: readonly string[]): Promise<number> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: "inherit" });
  const passOn = (signal: NodeJS.Signals) => () => {
    interrupted = true;
    child.kill(signal);
  };
  process.on("SIGINT", passOn("SIGTERM"));
  process.on("SIGTERM", passOn("SIGTERM"));
  process.on("SIGHUP", passOn("SIGTERM"));
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return signal === null ? (code ?? 1) : 1;
}

process.exit(await main());
