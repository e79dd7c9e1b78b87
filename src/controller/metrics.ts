// The controller's metrics, in a registry of their own: its queue, its reconciles, its watches, and what it thinks of
// each relationship. No client data, no addresses: labels are names of objects only.
// Names follow client-go's and controller-runtime's where they mean the same.

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { QueueObservation, QueueStats } from "../kube/queue.ts";
import type { Caches } from "./caches.ts";
import { readConditions } from "./decide/condition.ts";
import { readWitness } from "./decide/witness.ts";
import type { Observed } from "./observed.ts";

const STATUSES = ["True", "False", "Unknown"] as const;

/** What is read at every scrape. */
export interface MetricSources {
  readonly caches: Pick<Caches, "stats">;
  readonly queue: () => QueueStats | null;
  readonly isLeader: () => boolean;
}

export interface ControllerMetrics {
  readonly registry: Registry;
  readonly onQueue: (observation: QueueObservation) => void;
  /** Shows a relationship's conditions and witness; null forgets it. */
  readonly onObserved: (key: string, observed: Observed | null) => void;
}

export function createMetrics(sources: MetricSources): ControllerMetrics {
  const registry = new Registry();
  const registers = [registry];
  addProcessGauges(registry, sources);
  const queueSeconds = new Histogram({
    name: "workqueue_queue_duration_seconds",
    help: "How long a relationship waited in the work queue.",
    buckets: [0.001, 0.01, 0.1, 1, 10],
    registers,
  });
  const reconcileSeconds = new Histogram({
    name: "leasepair_controller_reconcile_duration_seconds",
    help: "How long one look at a relationship took, writes included.",
    buckets: [0.005, 0.05, 0.5, 5],
    registers,
  });
  const reconciles = new Counter({
    name: "leasepair_controller_reconcile_total",
    help: "Looks at relationships, by result.",
    labelNames: ["result"] as const,
    registers,
  });
  return {
    registry,
    onQueue: (observation) => {
      if (observation.kind === "begun") {
        queueSeconds.observe(observation.waitedSeconds);
        return;
      }
      reconcileSeconds.observe(observation.workedSeconds);
      reconciles.inc({ result: observation.result });
    },
    onObserved: relationshipGauges(registry),
  };
}

function addProcessGauges(registry: Registry, { caches, queue, isLeader }: MetricSources): void {
  const registers = [registry];
  new Gauge({
    name: "leasepair_controller_leader",
    help: "1 while this process leads.",
    registers,
    collect() {
      this.set(isLeader() ? 1 : 0);
    },
  });
  new Gauge({
    name: "workqueue_depth",
    help: "Relationships that wait to be looked at.",
    registers,
    collect() {
      this.set(queue()?.depth ?? 0);
    },
  });
  new Gauge({
    name: "workqueue_longest_running_processor_seconds",
    help: "How long the longest look under way has taken.",
    registers,
    collect() {
      this.set(queue()?.longestRunningSeconds ?? 0);
    },
  });
  new Gauge({
    name: "leasepair_controller_watch_last_event_age_seconds",
    help: "Since anything was last heard of a kind from the API, per kind; the oldest where there are several watches.",
    labelNames: ["kind"] as const,
    registers,
    collect() {
      this.reset();
      const ages = new Map<string, number>();
      for (const { kind, stats } of caches.stats()) {
        if (stats.lastEventAgeSeconds === null) continue;
        ages.set(kind, Math.max(ages.get(kind) ?? 0, stats.lastEventAgeSeconds));
      }
      for (const [kind, age] of ages) this.set({ kind }, age);
    },
  });
}

function relationshipGauges(registry: Registry): ControllerMetrics["onObserved"] {
  const registers = [registry];
  const condition = new Gauge({
    name: "leasepair_relationship_condition",
    help: "1 for the present status of each condition of a relationship, 0 for the others.",
    labelNames: ["namespace", "relationship", "condition", "status"] as const,
    registers,
  });
  const epoch = new Gauge({
    name: "leasepair_relationship_witness_epoch",
    help: "Epoch of the witness record.",
    labelNames: ["namespace", "relationship"] as const,
    registers,
  });
  const granted = new Gauge({
    name: "leasepair_relationship_witness_granted",
    help: "1 for the member that holds the grant to act without its partner.",
    labelNames: ["namespace", "relationship", "member"] as const,
    registers,
  });
  const info = new Gauge({
    name: "leasepair_relationship_info",
    help: "1 for each member that should be there, with its partner, both roles and the one that runs elsewhere.",
    labelNames: [
      "namespace",
      "relationship",
      "member",
      "partner",
      "primary",
      "secondary",
      "external",
    ] as const,
    registers,
  });
  const shown = new Map<string, readonly (() => void)[]>();
  return (key, observed) => {
    for (const remove of shown.get(key) ?? []) remove();
    shown.delete(key);
    if (observed === null) return;
    const [namespace = "", relationship = ""] = key.split("/");
    const removals: (() => void)[] = [];
    const show = (gauge: Gauge, labels: Record<string, string>, value: number) => {
      const all = { namespace, relationship, ...labels };
      gauge.set(all, value);
      removals.push(() => gauge.remove(all));
    };
    for (const { type, status } of readConditions(observed.relationship.status["conditions"])) {
      for (const each of STATUSES) {
        show(condition, { condition: type, status: each }, each === status ? 1 : 0);
      }
    }
    const witness = readWitness(observed.relationship.status);
    if (witness !== null) show(epoch, {}, witness.epoch);
    const { primary } = observed.relationship;
    const secondary = observed.members.find(({ name }) => name !== primary)?.name ?? "";
    const external = observed.members.find(({ isExternal }) => isExternal)?.name ?? "";
    for (const { name: member } of observed.members) {
      show(granted, { member }, witness?.holder === member ? 1 : 0);
      const partner = member === primary ? secondary : primary;
      show(info, { member, partner, primary, secondary, external }, 1);
    }
    shown.set(key, removals);
  };
}
