// The directory that one member keeps its memory in: the lease store, the configuration's snapshot, the socket for
// tools. One process at a time: an flock(2) that the kernel drops with the process, however it dies.

import * as fs from "node:fs";
import { dirname } from "node:path";
import { FaultError } from "../../base/fault.ts";
import { diskFault } from "./files.ts";
import type { OpenFile } from "./in-place.ts";
import { call, LINUX } from "./libc.ts";
import { processName } from "./port-holder.ts";

const DIRECTORY_MODE = 0o700;

/** Names inside a data directory. */
export const DATA_FILES = {
  lock: "lock",
  leases: "leases",
  snapshot: "config.json",
  /** The configuration whose shape is in force, while that of the snapshot waits. */
  shapeInForce: "config-in-force.json",
  socket: "engine.sock",
} as const;

export interface DataDirectory {
  readonly path: string;
  /** The directory that the lease store lies in. */
  readonly leases: string;
  /** Held for as long as the directory is. */
  readonly lock: OpenFile;
  /** Lets another process in. The kernel does the same when this one dies. */
  release(): void;
}

/** Creates the directory where needed, closes it to other users, and locks it. Throws FaultError: DATA_DIRECTORY_LOCKED
 *  naming the process that has it, or DISK_*. */
export function openDataDirectory(path: string): DataDirectory {
  const leases = `${path}/${DATA_FILES.leases}`;
  for (const directory of [path, leases]) makePrivateDirectory(directory);
  const held = lock(path);
  return { path, leases, lock: held, release: () => fs.closeSync(held.fd) };
}

function makePrivateDirectory(path: string): void {
  try {
    makeDirectories(path);
    // Leases name people's devices: nobody else reads them. An existing directory may have been made wider.
    if ((fs.statSync(path).mode & 0o077) !== 0) fs.chmodSync(path, DIRECTORY_MODE);
  } catch (error) {
    throw diskFault(
      `use ${path} as data directory`,
      error,
      "Name a directory on a disk that outlives restarts.",
    );
  }
}

/** With the directories above it. Not Node's own recursive mkdir: where nothing can be made, as below /proc, that tries for ever. */
function makeDirectories(path: string): void {
  if (isDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectories(parent);
  try {
    fs.mkdirSync(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    // The other member's engine may have made what is above both at the same time.
    if (!isDirectory(path)) throw error;
  }
}

function isDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function lock(path: string): OpenFile {
  const file = `${path}/${DATA_FILES.lock}`;
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  } catch (error) {
    throw diskFault(`open ${file}`, error);
  }
  const result = call("flock", fd, LINUX.LOCK_EX | LINUX.LOCK_NB);
  if (!result.ok) {
    const pid = fs.readFileSync(fd, "utf8").trim();
    fs.closeSync(fd);
    const holder = pid === "" ? "another process" : `${processName(pid)} (pid ${pid})`;
    throw new FaultError(
      "DATA_DIRECTORY_LOCKED",
      `the data directory ${path} is in use by ${holder}. Each member needs a data directory of its own; stop that ` +
        "process first if it is the same member.",
    );
  }
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, `${process.pid}\n`, 0);
  return { path: file, fd };
}
