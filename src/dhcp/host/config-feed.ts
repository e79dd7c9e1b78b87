// What the configuration thread has said so far: waited for at the start, handed on afterwards. Also decides what the
// engine starts with: manifests as they are now, or the snapshot of the last good configuration; and holds back from a
// running engine what this machine cannot do, until it can.

import type { CompiledRelationship } from "../../api/compiled.ts";
import { FaultError } from "../../base/fault.ts";
import type { LogEntry } from "../engine/event.ts";
import { faultOfConfiguration } from "./config-check.ts";
import type { FromConfigThread } from "./config-message.ts";
import { membersOf } from "./engine-outlets.ts";
import { readSnapshot } from "./snapshot.ts";

export interface FeedOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly dataDirectory: string;
  /** Manifests are read within moments and judged at once; an API may be away for days. */
  readonly isManifests: boolean;
  readonly log: (entry: LogEntry) => void;
  /** Why this machine cannot run a configuration; the real look at it unless a test says otherwise. */
  readonly faultOf?: (config: CompiledRelationship, member: string) => FaultError | null;
  readonly retryMs?: number;
}

/** How often it is looked whether a configuration held back can be run by now. */
const RETRY_MS = 2_000;

type Verdict = Extract<FromConfigThread, { kind: "configured" | "rejected" }>;
type Configured = Extract<FromConfigThread, { kind: "configured" }>;

export class ConfigFeed {
  readonly #options: FeedOptions;
  #waiting: FromConfigThread[] = [];
  #handler: ((message: FromConfigThread) => void) | null = null;
  #onVerdict: ((verdict: Verdict) => void) | null = null;
  #verdict: Verdict | null = null;
  #hadProblems = false;
  /** The newest configuration while this machine cannot run it, and what was last said about it. */
  #held: Configured | null = null;
  #complaint = "";
  #retry: NodeJS.Timeout | null = null;
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
    if (this.#handler !== null) this.#handOn(message);
    else this.#waiting.push(message);
  }

  /** From now on hands every message on, beginning with those that have come already. */
  attach(handler: (message: FromConfigThread) => void): void {
    this.#handler = handler;
    for (const message of this.#waiting.splice(0)) this.#handOn(message);
  }

  #handOn(message: FromConfigThread): void {
    if (message.kind !== "configured") {
      this.#handler?.(message);
      return;
    }
    this.#held = message;
    this.#tryHeld();
  }

  /** Hands the configuration on that is held, as soon as this machine can run it. */
  #tryHeld(): void {
    const held = this.#held;
    if (held === null) return;
    const { member, faultOf = faultOfConfiguration, retryMs = RETRY_MS } = this.#options;
    const fault = faultOf(held.config, member);
    if (fault !== null) {
      this.#complain(fault);
      this.#retry ??= setTimeout(() => {
        this.#retry = null;
        this.#tryHeld();
      }, retryMs).unref();
      return;
    }
    this.#held = null;
    if (this.#complaint !== "") this.#logAccepted(held.config);
    this.#complaint = "";
    this.#handler?.(held);
  }

  #complain({ message: why, code }: FaultError): void {
    if (why === this.#complaint) return;
    this.#complaint = why;
    const message = `${why} Until that is right, the configuration before stays in force.`;
    this.#options.log({ level: "error", event: "configuration-rejected", message, fields: { code } });
  }

  /** The configuration to start with. Rejects with FaultError: CONFIG_REJECTED, MEMBER_UNKNOWN. */
  async initial(): Promise<CompiledRelationship> {
    const snapshot = this.#snapshot();
    if (snapshot !== null && !this.#options.isManifests) return this.#startFrom(snapshot);
    for (;;) {
      const verdict = await this.#nextVerdict();
      if (verdict.kind === "configured") {
        membersOf(verdict.config, this.#options.member);
        return verdict.config;
      }
      if (!this.#options.isManifests) continue;
      if (snapshot !== null) return this.#startFrom(snapshot);
      const [first] = verdict.problems;
      const more =
        verdict.problems.length > 1 ? ` (and ${verdict.problems.length - 1} more, see the log)` : "";
      throw new FaultError("CONFIG_REJECTED", `${first?.where}: ${first?.message}${more}`);
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

  #snapshot(): CompiledRelationship | null {
    const { dataDirectory, namespace, relationship, member } = this.#options;
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
      this.#logAccepted(verdict.config);
    }
    this.#hadProblems = hasProblems;
  }

  #logAccepted({ revision }: CompiledRelationship): void {
    const message = "what was wrong in the configuration is right again";
    this.#options.log({ level: "info", event: "configuration-accepted", message, fields: { revision } });
  }
}
