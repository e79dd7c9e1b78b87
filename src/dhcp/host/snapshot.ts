// The last good configuration on disk: what the engine starts from when there is no API. Written anew beside the old
// one, synced, then renamed over it, so that a crash at any moment leaves the old one or the new one, whole.
// While its shape waits for the partner (engine/shape.ts), the one in force is kept as well: a restart goes on with it.

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
  return readConfiguration(`${directory}/${DATA_FILES.snapshot}`);
}

/** The configurations of the same relationship that are kept in the directory. */
export function keptConfigurations(
  directory: string,
  { namespace, name }: Pick<CompiledRelationship, "namespace" | "name">,
): readonly CompiledRelationship[] {
  return [DATA_FILES.shapeInForce, DATA_FILES.snapshot]
    .map((file) => readConfiguration(`${directory}/${file}`))
    .flatMap((read) => (read.kind === "read" ? [read.config] : []))
    .filter((config) => config.namespace === namespace && config.name === name);
}

/** Writes the snapshots of one data directory. */
export class SnapshotKeeper {
  readonly #directory: string;
  #stored: CompiledRelationship | null;
  #shapeInForce: string | null = null;

  constructor(directory: string) {
    this.#directory = directory;
    const read = readSnapshot(directory);
    this.#stored = read.kind === "read" ? read.config : null;
  }

  /** What the snapshot holds; null while there is none that can be read. */
  get stored(): CompiledRelationship | null {
    return this.#stored;
  }

  /** Stores a configuration durably. Throws FaultError: DISK_*; the snapshot before is then still in place. */
  keep(config: CompiledRelationship): void {
    const { stored } = this;
    if (stored !== null && stored.shape !== config.shape && this.#mayBeInForce(stored.shape)) {
      keepAside(this.#directory);
    }
    writeSnapshot(this.#directory, config);
    this.#stored = config;
    this.#dropWhatIsOver();
  }

  /** The engine runs on this shape. */
  setShapeInForce(shape: string): void {
    this.#shapeInForce = shape;
    this.#dropWhatIsOver();
  }

  #mayBeInForce(shape: string): boolean {
    return this.#shapeInForce === null || this.#shapeInForce === shape;
  }

  #dropWhatIsOver(): void {
    if (this.#stored === null || this.#stored.shape !== this.#shapeInForce) return;
    fs.rmSync(`${this.#directory}/${DATA_FILES.shapeInForce}`, { force: true });
  }
}

/** A second name for the snapshot's file, which the next snapshot leaves alone. */
function keepAside(directory: string): void {
  const aside = `${directory}/${DATA_FILES.shapeInForce}`;
  try {
    fs.rmSync(`${aside}.new`, { force: true });
    fs.linkSync(`${directory}/${DATA_FILES.snapshot}`, `${aside}.new`);
    fs.renameSync(`${aside}.new`, aside);
  } catch (error) {
    throw diskFault(`write ${aside}`, error);
  }
}

function readConfiguration(path: string): SnapshotRead {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
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
