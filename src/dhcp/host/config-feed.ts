// What the configuration thread has said so far: waited for at the start, handed on afterwards. Also decides what the
// engine starts with: manifests as they are now, or the snapshot of the last good configuration.

import * as fs from "node:fs";
import type { CompiledRelationship } from "../../api/compiled.ts";
import { FaultError } from "../../base/fault.ts";
import type { LogEntry } from "../engine/event.ts";
import type { EngineConfig } from "../server/engine-config.ts";
import type { FromConfigThread } from "./config-message.ts";
import { DATA_FILES } from "./data-directory.ts";
import { membersOf } from "./engine-outlets.ts";

/** Ample for an API that is there; without one the engine ends, and says which address it misses. */
const ELSEWHERE_WAIT_MS = 10_000;

export interface FeedOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly dataDirectory: string;
  /** Manifests are read within moments and judged at once; an API may be away for days. */
  readonly isManifests: boolean;
  readonly log: (entry: LogEntry) => void;
}

type Verdict = Extract<FromConfigThread, { kind: "configured" | "rejected" }>;

export class ConfigFeed {
  readonly #options: FeedOptions;
  #waiting: FromConfigThread[] = [];
  #handler: ((message: FromConfigThread) => void) | null = null;
  #onVerdict: ((verdict: Verdict) => void) | null = null;
  #verdict: Verdict | null = null;
  #hadProblems = false;
  isSourceReachable = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Takes a message of the thread. */
  take(message: FromConfigThread): void {
    if (message.kind === "source") this.isSourceReachable = message.reachable;
    if (message.kind === "configured" || message.kind === "rejected") {
      this.#logProblems(message);
      this.#verdict = message;
      this.#onVerdict?.(message);
    }
    if (this.#handler !== null) this.#handler(message);
    else this.#waiting.push(message);
  }

  /** From now on hands every message on, beginning with those that have come already. */
  attach(handler: (message: FromConfigThread) => void): void {
    this.#handler = handler;
    for (const message of this.#waiting.splice(0)) handler(message);
  }

  /** The configuration to start with. Rejects with FaultError: CONFIG_REJECTED, MEMBER_UNKNOWN. */
  async initial(): Promise<EngineConfig> {
    if (!this.#options.isManifests) {
      const snapshot = await this.#snapshot();
      const moved = snapshot === null ? null : await this.#movedConfiguration(snapshot);
      if (moved !== null) return moved;
      if (snapshot !== null) return this.#startFrom(snapshot);
    }
    for (;;) {
      const verdict = await this.#nextVerdict();
      if (verdict.kind === "configured") {
        membersOf(verdict.config, this.#options.member);
        return verdict.config;
      }
      if (!this.#options.isManifests) continue;
      const snapshot = await this.#snapshot();
      if (snapshot !== null) return this.#startFrom(snapshot);
      const [first] = verdict.problems;
      const more =
        verdict.problems.length > 1 ? ` (and ${verdict.problems.length - 1} more, see the log)` : "";
      throw new FaultError("CONFIG_REJECTED", `${first?.where}: ${first?.message}${more}`);
    }
  }

  /** The configurations on disk whose shape may be in force instead of that of `config`, with which the engine starts. */
  async kept(config: EngineConfig): Promise<readonly CompiledRelationship[]> {
    const { dataDirectory } = this.#options;
    if (!mayHoldOtherShape(dataDirectory, config.shape)) return [];
    const { keptConfigurations } = await import("./snapshot.ts");
    return keptConfigurations(dataDirectory, config);
  }

  /** What the API says of a member that stands on this machine no more by the snapshot; null when the snapshot is to be used
   *  all the same: this machine has the address, or the API does not speak in time. */
  async #movedConfiguration(snapshot: CompiledRelationship): Promise<EngineConfig | null> {
    const { log, member } = this.#options;
    const { faultOfConfiguration } = await import("./config-check.ts");
    const fault = faultOfConfiguration(snapshot, member);
    if (fault === null) return null;
    const message =
      "by the stored configuration this member is not on this machine; waiting a moment for the API";
    log({ level: "warn", event: "snapshot-elsewhere", message, fields: { problem: fault.message } });
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => late.resolve(null), ELSEWHERE_WAIT_MS);
    for (;;) {
      const verdict = await Promise.race([this.#nextVerdict(), late.promise]);
      if (verdict?.kind === "rejected") continue;
      clearTimeout(timer);
      if (verdict === null) return null;
      membersOf(verdict.config, member);
      return verdict.config;
    }
  }

  #nextVerdict(): Promise<Verdict> {
    const verdict = this.#verdict;
    this.#verdict = null;
    if (verdict !== null) return Promise.resolve(verdict);
    if (!this.#options.isManifests) {
      const message = "there is no configuration yet; waiting for the API";
      this.#options.log({ level: "info", event: "configuration-awaited", message, fields: {} });
    }
    return new Promise((resolve) => {
      this.#onVerdict = (next) => {
        this.#onVerdict = null;
        this.#verdict = null;
        resolve(next);
      };
    });
  }

  async #snapshot(): Promise<CompiledRelationship | null> {
    const { dataDirectory, namespace, relationship, member } = this.#options;
    // Its checks are a library of their own, which this thread needs for nothing else.
    const { readSnapshot } = await import("./snapshot.ts");
    const read = readSnapshot(dataDirectory);
    if (read.kind === "none") return null;
    const problem =
      read.kind === "damaged"
        ? read.reason
        : read.config.namespace !== namespace || read.config.name !== relationship
          ? `it is of relationship ${read.config.namespace}/${read.config.name}`
          : read.config.members.every(({ name }) => name !== member)
            ? `it has no member ${member}`
            : null;
    if (read.kind === "read" && problem === null) return read.config;
    this.#options.log({
      level: "warn",
      event: "snapshot-unusable",
      message: "the stored configuration cannot be used",
      fields: { problem },
    });
    return null;
  }

  #startFrom(config: CompiledRelationship): CompiledRelationship {
    this.#options.log({
      level: "info",
      event: "snapshot-used",
      message: "starting with the last good configuration",
      fields: { revision: config.revision },
    });
    return config;
  }

  /** One line for each mistake, and one when all is right again, so that nobody has to guess. */
  #logProblems(verdict: Verdict): void {
    for (const { where, reason, message } of verdict.problems) {
      const level = verdict.kind === "rejected" ? "error" : "warn";
      this.#options.log({ level, event: "configuration-rejected", message, fields: { where, reason } });
    }
    const hasProblems = verdict.problems.length > 0;
    if (this.#hadProblems && !hasProblems && verdict.kind === "configured") {
      const message = "what was wrong in the configuration is right again";
      const { revision } = verdict.config;
      this.#options.log({ level: "info", event: "configuration-accepted", message, fields: { revision } });
    }
    this.#hadProblems = hasProblems;
  }
}

/** A look without the library that checks what is in the files: hardly any start needs it. */
function mayHoldOtherShape(directory: string, shape: string): boolean {
  return [DATA_FILES.shapeInForce, DATA_FILES.snapshot].some((file) => {
    try {
      return !fs.readFileSync(`${directory}/${file}`).includes(`"shape":"${shape}"`);
    } catch {
      return false;
    }
  });
}
