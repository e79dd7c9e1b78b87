// What the configuration thread and the DHCP thread tell each other. Plain data: it crosses by structured clone.

import type { CompiledRelationship } from "../../api/compiled.ts";
import type { LogEntry, MemberReport, WitnessReading } from "../engine/event.ts";
import type { EngineConfig } from "../server/engine-config.ts";

/** Something in the objects that cannot be used as it stands. */
export interface ConfigProblem {
  /** Where: `file.yaml:12:3`, or kind and name of an object in the API. */
  readonly where: string;
  /** CamelCase and stable. */
  readonly reason: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** What its source, the API or manifests, tells the configuration thread: configurations whose reservations are not packed. */
export type FromConfigSource = FromConfigThread<CompiledRelationship>;

export type FromConfigThread<Config = EngineConfig> =
  /** A usable configuration; `problems` were left out of it. */
  | {
      readonly kind: "configured";
      readonly config: Config;
      readonly problems: readonly ConfigProblem[];
    }
  /** The objects as they stand give no configuration: the last good one stays. */
  | { readonly kind: "rejected"; readonly problems: readonly ConfigProblem[] }
  /** Null: there is no witness that can be read. */
  | { readonly kind: "witness"; readonly witness: WitnessReading | null }
  | { readonly kind: "declared-partner-down"; readonly operation: string; readonly digest: string }
  /** Whether the source of the configuration can be read. */
  | { readonly kind: "source"; readonly reachable: boolean }
  | { readonly kind: "log"; readonly entry: LogEntry };

export type ToConfigThread =
  | { readonly kind: "report"; readonly report: MemberReport }
  /** For those who look at the scope or the member that the entry is about. */
  | { readonly kind: "news"; readonly entry: LogEntry }
  /** The engine runs, and the data directory is this member's: good configurations are stored there from now on. */
  | { readonly kind: "keep-snapshots" }
  | { readonly kind: "stop" };

export interface ConfigThreadData {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly dataDirectory: string;
  readonly source:
    | { readonly kind: "api"; readonly kubeconfig: string | null }
    | { readonly kind: "manifests"; readonly directory: string };
}
