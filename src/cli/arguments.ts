// Reads values of the command line's flags. Each error names the flag, the value and what is allowed.

import { existsSync, statSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { resolve } from "node:path";
import { canonicalQuantity } from "../base/quantity.ts";
import { usageError } from "./command-error.ts";

const DNS_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** `NAMESPACE/NAME`. */
export function relationshipArgument(value: string): { readonly namespace: string; readonly name: string } {
  const [namespace = "", name = "", ...rest] = value.split("/");
  if (rest.length > 0 || !DNS_NAME.test(namespace) || !DNS_NAME.test(name)) {
    throw usageError(`--relationship ${value}: must be NAMESPACE/NAME, for example default/campus`);
  }
  return { namespace, name };
}

export function memberArgument(value: string): string {
  if (!DNS_NAME.test(value)) throw usageError(`--member ${value}: must be a member's name, such as a`);
  return value;
}

export function numberArgument(flag: string, value: string, min: number, max: number): number {
  const number = Number(value);
  if (!/^[0-9]+$/.test(value) || number < min || number > max) {
    throw usageError(`${flag} ${value}: must be a number from ${min} to ${max}`);
  }
  return number;
}

export function portArgument(flag: string, value: string): number {
  const port = Number(value);
  if (!/^[0-9]+$/.test(value) || port < 1 || port > 65_535) {
    throw usageError(`${flag} ${value}: must be a port number from 1 to 65535`);
  }
  return port;
}

/** `HOST:PORT` with an IPv4 host. */
export function addressArgument(
  flag: string,
  value: string,
): { readonly host: string | null; readonly port: number } {
  const colon = value.lastIndexOf(":");
  const host = value.slice(0, Math.max(0, colon));
  const bare = /^\[(.*)\]$/.exec(host)?.[1] ?? "";
  const isAddress = isIPv4(host) || isIPv6(bare) || (host === "" && colon === 0);
  if (!isAddress)
    throw usageError(
      `${flag} ${value}: must be ADDRESS:PORT or :PORT, for example 127.0.0.1:9646 or [::1]:9646`,
    );
  return { host: bare || host || null, port: portArgument(flag, value.slice(colon + 1)) };
}

/** The absolute path of a directory that exists. */
export function directoryArgument(flag: string, value: string): string {
  const path = resolve(value);
  if (!existsSync(path)) throw usageError(`${flag} ${value}: there is no such directory`);
  if (!statSync(path).isDirectory())
    throw usageError(`${flag} ${value}: is a file; name the directory it lies in`);
  return path;
}

/** The absolute path of a directory that need not exist yet. */
export function dataDirectoryArgument(value: string): string {
  if (value === "") throw usageError("--data-dir: is empty; name the directory for the leases");
  const path = resolve(value);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw usageError(`--data-dir ${value}: is a file; name a directory, new or this member's own`);
  }
  return path;
}

/** The absolute path of a file that exists, or null when the flag was not given. */
export function optionalFileArgument(flag: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  const path = resolve(value);
  if (!existsSync(path)) throw usageError(`${flag} ${value}: there is no such file`);
  if (statSync(path).isDirectory()) throw usageError(`${flag} ${value}: is a directory; name a file`);
  return path;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function logLevelArgument(value: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === value);
  if (level === undefined) throw usageError(`--log-level ${value}: must be one of ${LOG_LEVELS.join(", ")}`);
  return level;
}

export function choiceArgument<const Choice extends string>(
  flag: string,
  value: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((known) => known === value);
  if (choice === undefined) throw usageError(`${flag} ${value}: must be one of ${choices.join(", ")}`);
  return choice;
}

/** A container's resources as JSON, with the quantities as the API server writes them back. */
export function resourcesArgument(text: string): Record<string, Record<string, string>> {
  const wrong = (why: string) =>
    usageError(`--engine-resources ${text}: ${why}; give JSON such as {"requests":{"memory":"192Mi"}}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong("is no JSON");
  }
  if (!isMap(value)) throw wrong("is no object");
  const parts = Object.entries(value).map(([part, quantities]) => {
    if (part !== "requests" && part !== "limits") throw wrong(`${part} is neither requests nor limits`);
    if (!isMap(quantities)) throw wrong(`${part} does not name quantities`);
    const canonical = Object.entries(quantities).map(([name, quantity]) => {
      const found = canonicalQuantity(String(quantity));
      if (found === null) throw wrong(`${part}.${name} is no quantity`);
      return [name, found];
    });
    return [part, Object.fromEntries(canonical)];
  });
  return Object.fromEntries(parts);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
