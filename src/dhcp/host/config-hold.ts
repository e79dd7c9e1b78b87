// Stands between the source of the configuration and a running engine: what this machine cannot do (an address or an
// interface that it has not) is held back and told, so that the configuration before stays in force, and is let through
// once it can be done. Before the engine runs everything passes: there a mistake ends the start, loudly.

import type { CompiledRelationship } from "../../api/compiled.ts";
import type { FaultError } from "../../base/fault.ts";
import type { LogEntry } from "../engine/event.ts";
import { faultOfConfiguration } from "./config-check.ts";
import type { ConfigProblem, FromConfigSource } from "./config-message.ts";

type Configured = Extract<FromConfigSource, { kind: "configured" }>;

export interface HoldOptions {
  readonly member: string;
  /** Hands a configuration on to the engine. */
  readonly pass: (message: Configured) => void;
  /** What stands against the newest configuration; null when nothing does any more. */
  readonly onProblem: (problem: ConfigProblem | null) => void;
  readonly log: (entry: LogEntry) => void;
  /** Why this machine cannot run a configuration; the real look at it unless a test says otherwise. */
  readonly faultOf?: (config: CompiledRelationship, member: string) => FaultError | null;
  readonly retryMs?: number;
}

/** How often it is looked whether a configuration held back can be run by now. */
const RETRY_MS = 2_000;

export class ConfigHold {
  readonly #options: HoldOptions;
  #isRunning = false;
  #held: Configured | null = null;
  #complaint = "";
  #retry: NodeJS.Timeout | null = null;

  constructor(options: HoldOptions) {
    this.#options = options;
  }

  /** The engine runs: from now on it has something to lose. */
  engineRuns(): void {
    this.#isRunning = true;
  }

  /** Takes the newest configuration; it replaces one that is held. */
  take(message: Configured): void {
    if (!this.#isRunning) return this.#options.pass(message);
    this.#held = message;
    this.#tryHeld();
  }

  stop(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#held = null;
  }

  #tryHeld(): void {
    const held = this.#held;
    if (held === null) return;
    const { member, pass, faultOf = faultOfConfiguration, retryMs = RETRY_MS } = this.#options;
    const fault = faultOf(held.config, member);
    if (fault !== null) {
      this.#complain(held.config, fault);
      this.#retry ??= setTimeout(() => {
        this.#retry = null;
        this.#tryHeld();
      }, retryMs);
      return;
    }
    this.#held = null;
    if (this.#complaint !== "") this.#settle(held.config);
    pass(held);
  }

  #complain({ namespace, name }: CompiledRelationship, { message: why, code }: FaultError): void {
    if (why === this.#complaint) return;
    this.#complaint = why;
    const message = `${why} Until that is right, the configuration before stays in force.`;
    this.#options.log({ level: "error", event: "configuration-rejected", message, fields: { code } });
    const where = `FailoverRelationship ${namespace}/${name}`;
    this.#options.onProblem({ where, reason: camelCase(code), message });
  }

  #settle({ revision }: CompiledRelationship): void {
    this.#complaint = "";
    const message = "what was wrong in the configuration is right again";
    this.#options.log({ level: "info", event: "configuration-accepted", message, fields: { revision } });
    this.#options.onProblem(null);
  }
}

/** `INTERFACE_MISSING` as `InterfaceMissing`, the way conditions write reasons. */
function camelCase(code: string): string {
  return code.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
