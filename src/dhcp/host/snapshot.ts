// The last good configuration on disk: what the engine starts from when there is no API. Written anew beside the old
// one, synced, then renamed over it, so that a crash at any moment leaves the old one or the new one, whole.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import type { CompiledRelationship } from "../../api/compiled.ts";
import { DATA_FILES } from "./data-directory.ts";
import { diskFault } from "./files.ts";

const FORMAT = "leasepair-config-1";

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
  const lineEnd = text.indexOf("\n");
  const [format, digest] = text.slice(0, Math.max(lineEnd, 0)).split(" ");
  const body = text.slice(lineEnd + 1);
  if (format !== FORMAT) return { kind: "damaged", reason: `it does not begin with ${FORMAT}` };
  if (digest !== digestOf(body)) return { kind: "damaged", reason: "its content does not match its digest" };
  return { kind: "read", config: JSON.parse(body) as CompiledRelationship };
}

/** Writes the snapshot durably. Throws FaultError; the old snapshot is then still in place. */
export function writeSnapshot(directory: string, config: CompiledRelationship): void {
  const path = `${directory}/${DATA_FILES.snapshot}`;
  const next = `${path}.new`;
  const body = JSON.stringify(config);
  try {
    const fd = fs.openSync(next, "w", 0o600);
    try {
      fs.writeFileSync(fd, `${FORMAT} ${digestOf(body)}\n${body}`);
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

function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
