// The last good configuration on disk: what the engine starts from when there is no API. Written anew beside the old
// one, synced, then renamed over it, so that a crash at any moment leaves the old one or the new one, whole.

import * as fs from "node:fs";
import type { CompiledRelationship } from "../../api/compiled.ts";
import { readCompiled } from "../../api/compiled-read.ts";
import { DATA_FILES } from "./data-directory.ts";
import { diskFault } from "./files.ts";

export type SnapshotRead =
  | { readonly kind: "none" }
  | { readonly kind: "read"; readonly config: CompiledRelationship }
  /** The file is there but is not what we wrote; `reason` says why. */
  | { readonly kind: "damaged"; readonly reason: string };

/** Reads the snapshot in a data directory. Never throws for what is in the file. */
export function readSnapshot(directory: string): SnapshotRead {
  let text: string;
  try {
    text = fs.readFileSync(`${directory}/${DATA_FILES.snapshot}`, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "none" };
    return { kind: "damaged", reason: String(error) };
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { kind: "damaged", reason: String(error) };
  }
  const read = readCompiled(json);
  if (read.kind === "ok") return { kind: "read", config: read.config };
  return { kind: "damaged", reason: read.errors.map((e) => `${e.field}: ${e.message}`).join("; ") };
}

/** Writes the snapshot durably. Throws FaultError; the old snapshot is then still in place. */
export function writeSnapshot(directory: string, config: CompiledRelationship): void {
  const path = `${directory}/${DATA_FILES.snapshot}`;
  const next = `${path}.new`;
  try {
    const fd = fs.openSync(next, "w", 0o600);
    try {
      fs.writeFileSync(fd, `${JSON.stringify(config)}\n`);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(next, path);
    const directoryFd = fs.openSync(directory, "r");
    try {
      fs.fsyncSync(directoryFd);
    } finally {
      fs.closeSync(directoryFd);
    }
  } catch (error) {
    throw diskFault(`write ${path}`, error);
  }
}
