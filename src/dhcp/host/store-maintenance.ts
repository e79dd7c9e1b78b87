// Compaction, restore and removal of the store in a data directory, for the command line. All hold the directory's lock, so that
// no engine runs on it meanwhile; a store that is in the way is renamed, and only who asks for its removal has one removed.

import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { FaultError } from "../../base/fault.ts";
import type { DiskDone } from "../ports.ts";
import { verifyStore } from "../store/dump.ts";
import { compactStore, markRestored } from "../store/maintenance.ts";
import { sequenceOf } from "../store/segment-header.ts";
import { SystemClock, SystemRandom } from "./clock.ts";
import { DATA_FILES, openDataDirectory } from "./data-directory.ts";
import { diskFault, FileDisk, FileReader } from "./files.ts";

type SummaryOf = Extract<ReturnType<typeof verifyStore>, { kind: "sound" }>["summary"];

/** Rejects with FaultError: DATA_DIRECTORY_LOCKED naming the holder, STORE_UNUSABLE, DISK_*. */
export async function compactDirectory(
  dataDirectory: string,
): Promise<{ readonly before: number; readonly after: number }> {
  return locked(dataDirectory, async (leases) => {
    const before = soundStore(leases).bytes;
    const disk = new FileDisk(leases);
    await new Promise<void>((resolve, reject) => {
      compactStore({ disk, random: new SystemRandom() }, (result) => settle(result, resolve, reject), reject);
    });
    await closed(disk);
    return { before, after: soundStore(leases).bytes };
  });
}

export interface RestoreOptions {
  readonly dataDirectory: string;
  /** The directory with the segments to put in place. */
  readonly from: string;
  /** What their names begin with before `segment-`. */
  readonly prefix: string;
}

export interface Restored {
  readonly store: string;
  readonly bindings: number;
  /** Where the store is now that was in place before; null when there was none. */
  readonly kept: string | null;
}

/** Builds the restored store beside the present one and then swaps them: a crash in between leaves no store at all, and the
 *  engine begins as one that lost its own. Rejects with FaultError. */
export async function restoreDirectory({ dataDirectory, from, prefix }: RestoreOptions): Promise<Restored> {
  return locked(dataDirectory, async (leases) => {
    const staged = `${leases}.restoring`;
    rmSync(staged, { recursive: true, force: true });
    try {
      const bindings = await stage(from, prefix, staged);
      const summary = soundStore(staged);
      assertSameOwner(leases, summary);
      const kept = moveAway(leases);
      renameSync(staged, leases);
      await synced(dataDirectory);
      return { store: summary.store, bindings, kept };
    } catch (error) {
      rmSync(staged, { recursive: true, force: true });
      throw error instanceof FaultError ? error : diskFault(`restore ${from}`, error);
    }
  });
}

/** Whose store is to be removed. */
export interface Forgotten {
  readonly dataDirectory: string;
  readonly member: string;
  /** UID of the relationship that it was made under. */
  readonly relationshipUid: string;
}

/** Empties a member's data directory, the lock last: false when it was empty. A store that nobody can read counts as the member's
 *  own. Rejects with FaultError: STORE_FOREIGN, DATA_DIRECTORY_LOCKED, DISK_*. */
export async function forgetDirectory(options: Forgotten): Promise<boolean> {
  const { dataDirectory } = options;
  // One that the kubelet has just made is not ours to write in.
  if (readdirSync(dataDirectory).length === 0) return false;
  await locked(dataDirectory, async (leases) => {
    assertOwnedBy(leases, options);
    try {
      for (const name of readdirSync(dataDirectory)) {
        if (name !== DATA_FILES.lock) rmSync(`${dataDirectory}/${name}`, { recursive: true, force: true });
      }
      rmSync(`${dataDirectory}/${DATA_FILES.lock}`);
    } catch (error) {
      throw diskFault(`remove what is in ${dataDirectory}`, error);
    }
  });
  return true;
}

function assertOwnedBy(leases: string, { member, relationshipUid }: Forgotten): void {
  const verdict = verifyStore(new FileReader(leases));
  if (verdict.kind !== "sound") return;
  const { summary } = verdict;
  const isOf = summary.relationshipUid === null || summary.relationshipUid === relationshipUid;
  if (summary.member === member && isOf) return;
  throw new FaultError(
    "STORE_FOREIGN",
    `the store is of member ${summary.member} of ${summary.relationship} (UID ${summary.relationshipUid}), not of member ${member} ` +
      `of UID ${relationshipUid}; nothing was removed`,
  );
}

/** Copies the segments under their own names, checks them, and marks them. Returns the number of bindings. */
async function stage(from: string, prefix: string, staged: string): Promise<number> {
  mkdirSync(staged, { mode: 0o700 });
  for (const name of readdirSync(from)) {
    const segment = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    if (sequenceOf(segment) !== null) cpSync(`${from}/${name}`, `${staged}/${segment}`);
  }
  const disk = new FileDisk(staged);
  for (const name of disk.list()) disk.sync(name, () => {});
  const now = new SystemClock().now().wall;
  const bindings = await new Promise<number>((resolve, reject) => {
    const settled = (result: Parameters<Parameters<typeof markRestored>[2]>[0]) =>
      settle(result, () => resolve(result.kind === "marked" ? result.bindings : 0), reject);
    markRestored({ disk, random: new SystemRandom() }, now, settled, reject);
  });
  await closed(disk);
  return bindings;
}

function settle(
  result: { readonly kind: string; readonly problem?: string },
  resolve: () => void,
  reject: (fault: FaultError) => void,
): void {
  if (result.problem === undefined) resolve();
  else reject(unusable(result.problem));
}

function unusable(problem: string): FaultError {
  return new FaultError("STORE_UNUSABLE", `${problem}; nothing was changed`);
}

function soundStore(leases: string): SummaryOf {
  const verdict = verifyStore(new FileReader(leases));
  if (verdict.kind === "sound") return verdict.summary;
  throw unusable(verdict.kind === "empty" ? `there is no lease store in ${leases}` : verdict.problem);
}

/** A readable store of somebody else in the way means that one of the two paths is wrong. */
function assertSameOwner(leases: string, restored: SummaryOf): void {
  const verdict = verifyStore(new FileReader(leases));
  if (verdict.kind !== "sound") return;
  const { member, relationship } = verdict.summary;
  if (member === restored.member && relationship === restored.relationship) return;
  throw new FaultError(
    "STORE_FOREIGN",
    `the copy is of member ${restored.member} of ${restored.relationship}, the store in place of member ${member} of ` +
      `${relationship}; nothing was changed`,
  );
}

function moveAway(leases: string): string | null {
  if (!readdirSync(leases).some((name) => sequenceOf(name) !== null || name.startsWith("damaged-"))) {
    rmSync(leases, { recursive: true });
    return null;
  }
  let number = 1;
  while (existsSync(`${leases}.replaced-${number}`)) number += 1;
  renameSync(leases, `${leases}.replaced-${number}`);
  return `${leases}.replaced-${number}`;
}

async function locked<T>(dataDirectory: string, act: (leases: string) => Promise<T>): Promise<T> {
  const directory = openDataDirectory(dataDirectory);
  try {
    return await act(directory.leases);
  } finally {
    directory.release();
  }
}

function closed(disk: FileDisk): Promise<void> {
  return new Promise((resolve) => disk.close(resolve));
}

function synced(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done: DiskDone = (fault) => (fault === null ? resolve() : reject(fault));
    new FileDisk(path).syncDirectory(done);
  });
}
