// What the cluster does to this machine: network namespaces, control groups, processes in them, one directory. Everything
// is found again by its prefix, which carries the owner's process id, so that one function can remove it all, whether the
// run ended well, failed, or was killed.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { run } from "../lib/run.ts";

const PREFIX = "lpk";
const DIRECTORY = "/var/tmp";
const WATCHES = "/proc/sys/fs/inotify/max_user_instances";
/** Every node takes some ten; most machines start with 128 for all that run on them. */
const WATCHES_MIN = 1024;
const GONE_MS = 60_000;
const POLL_MS = 50;

/** The prefix of everything that belongs to the process `pid`. */
export function prefixOf(pid: number): string {
  return `${PREFIX}${pid}-`;
}

/** The directory for everything on disk; not under /tmp, which may be memory or an overlay. */
export function stateDirectory(prefix: string): string {
  return join(DIRECTORY, `${prefix}state`);
}

export function ip(...args: readonly string[]): string {
  return run("ip", ...args);
}

/** Lets the machine's programs watch enough files: without that containerd comes up and cannot run a pod. It stays so, because
 *  nobody knows who else counts on it by then. */
export function allowWatches(): void {
  if (Number(readFileSync(WATCHES, "utf8")) < WATCHES_MIN) writeFileSync(WATCHES, String(WATCHES_MIN));
}

/** A long-running program in a network namespace, in a session of its own, its output in a file. */
export function startIn(namespace: string, log: string, words: readonly string[]): ChildProcess {
  const out = openSync(log, "a");
  const enter = [`--net=/run/netns/${namespace}`, "--", ...words];
  const child = spawn("nsenter", enter, { detached: true, stdio: ["ignore", out, out] });
  closeSync(out);
  child.unref();
  return child;
}

/** The control group of `name` in every hierarchy of version 1. */
export function controlGroups(name: string): readonly string[] {
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  return mounts.flatMap((line) => {
    const [, point = "", type] = line.split(" ");
    return type === "cgroup" ? [join(point, name)] : [];
  });
}

/** The control group that counts and limits the process's memory. */
export function memoryGroup(pid: number): string {
  const path = /^\d+:memory:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";
  const mount = controlGroups("").find((point) => point.includes("memory")) ?? "";
  return join(mount, path);
}

/** Removes all that carries the prefix: processes, namespaces, control groups, the directory. */
export async function sweep(prefix: string): Promise<void> {
  const groups = controlGroups("").flatMap((hierarchy) =>
    readdirSync(hierarchy)
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(hierarchy, name)),
  );
  for (const group of groups) thaw(group);
  const namespaces = listNamespaces().filter((name) => name.startsWith(prefix));
  const giveUpAt = performance.now() + GONE_MS;
  for (;;) {
    const pids = namespaces.flatMap(processesIn);
    for (const pid of pids) kill(pid, "SIGKILL");
    if (pids.length === 0 || performance.now() > giveUpAt) break;
    await pause(POLL_MS);
  }
  for (const name of namespaces) spawnSync("ip", ["netns", "del", name]);
  while (groups.some((group) => !removeGroup(group)) && performance.now() < giveUpAt) await pause(POLL_MS);
  rmSync(stateDirectory(prefix), { recursive: true, force: true });
}

/** Removes what runs left behind whose process is gone. */
export async function sweepLeftovers(): Promise<void> {
  const names = [...listNamespaces(), ...readdirSync(DIRECTORY)];
  const owners = new Set(names.flatMap((name) => new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? []));
  for (const owner of owners) if (!existsSync(`/proc/${owner}`)) await sweep(prefixOf(Number(owner)));
}

function listNamespaces(): readonly string[] {
  return existsSync("/run/netns") ? readdirSync("/run/netns") : [];
}

/** Every process in the network namespace, as this machine counts them. */
export function processesIn(namespace: string): readonly number[] {
  const found = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" });
  return (found.stdout ?? "").split("\n").filter(Boolean).map(Number);
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It was gone already.
  }
}

/** A frozen process does not even die. */
function thaw(group: string): void {
  const state = join(group, "freezer.state");
  // Whoever removes the leftovers of the same run beside this one may have removed the group by now.
  if (existsSync(state)) ifThere(() => writeFileSync(state, "THAWED"), undefined);
}

/** Every process in a control group and those below it. What ends meanwhile, a process or a group, is left out. */
export function processesInGroup(group: string): readonly number[] {
  const pids = readIfThere(join(group, "cgroup.procs"));
  return [...pids.split("\n").filter(Boolean).map(Number), ...groupsIn(group).flatMap(processesInGroup)];
}

/** Removes a control group with all below it; false while something still lives in it. */
export function removeGroup(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const inner of groupsIn(group)) removeGroup(inner);
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

/** A node's own kubelet and containerd remove groups at any time: of one that is gone, there are none in it. */
function groupsIn(group: string): readonly string[] {
  const entries = ifThere(() => readdirSync(group, { withFileTypes: true }), []);
  return entries.flatMap((entry) => (entry.isDirectory() ? [join(group, entry.name)] : []));
}

/** The file's text; none where what it tells of is gone. */
export function readIfThere(path: string): string {
  return ifThere(() => readFileSync(path, "utf8"), "");
}

/** What `act` gives, or `otherwise` where the process or the control group that it is about is gone. */
function ifThere<T>(act: () => T, otherwise: T): T {
  try {
    return act();
  } catch (error) {
    // A process that ended (ESRCH) or a group that was removed (ENODEV once it was open).
    if (["ENOENT", "ESRCH", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "")) return otherwise;
    throw error;
  }
}
