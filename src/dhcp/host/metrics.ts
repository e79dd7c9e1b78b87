// What Prometheus sees. Values are read from the engine when somebody scrapes; nothing here runs in between but one
// histogram. Labels name scopes, states and reasons, never a client.

import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from "prom-client";
import { API_STATES, toApiState } from "../../api/failover-state.ts";
import type { MemberReport } from "../engine/event.ts";

export interface MetricsSource {
  /** Null before the engine stands. */
  report(): MemberReport | null;
  /** Counts that only grow, by metric (see COUNTERS) and label value. */
  counts(): EngineCounts;
}

export interface EngineCounts {
  readonly received: ReadonlyMap<string, number>;
  readonly outcomes: ReadonlyMap<string, number>;
  readonly omissions: ReadonlyMap<string, number>;
  readonly updates: Readonly<Record<string, number>>;
  readonly socketErrors: ReadonlyMap<string, number>;
  readonly queueOverflows: number;
  readonly lateReplies: number;
  readonly linkLosses: number;
  readonly strangers: number;
  readonly logLinesLost: number;
  readonly isReady: boolean;
  readonly isSourceReachable: boolean;
}

export interface MetricsOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly source: MetricsSource;
}

const FLUSH_BUCKETS_SECONDS = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

export class EngineMetrics {
  readonly registry = new Registry();
  readonly #flushes: Histogram;

  constructor(options: MetricsOptions) {
    const { namespace, relationship, member, source } = options;
    this.registry.setDefaultLabels({ namespace, relationship, member });
    collectDefaultMetrics({ register: this.registry });
    const registers = [this.registry];
    this.#flushes = new Histogram({
      name: "leasepair_store_flush_seconds",
      help: "Time from asking for a group of records to be durable until it is.",
      buckets: FLUSH_BUCKETS_SECONDS,
      registers,
    });
    registerReport(registers, () => source.report());
    registerCounts(registers, () => source.counts());
  }

  observeFlush(seconds: number): void {
    this.#flushes.observe(seconds);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The exposition text. */
  text(): Promise<string> {
    return this.registry.metrics();
  }
}

/** A gauge that is filled anew for each scrape; without a report it shows nothing. */
function reportGauge(
  registers: Registry[],
  report: () => MemberReport | null,
  gauge: { readonly name: string; readonly help: string; readonly labelNames?: readonly string[] },
  fill: (set: (value: number, labels?: Record<string, string>) => void, report: MemberReport) => void,
): Metric {
  return new Gauge({
    name: gauge.name,
    help: gauge.help,
    labelNames: [...(gauge.labelNames ?? [])],
    registers,
    collect() {
      this.reset();
      const current = report();
      if (current === null) {
        this.remove();
        return;
      }
      fill((value, labels) => this.set(labels ?? {}, value), current);
    },
  });
}

function registerReport(registers: Registry[], report: () => MemberReport | null): void {
  const states = (set: (value: number, labels: Record<string, string>) => void, current: string | null) => {
    const word = current === null ? null : toApiState(current);
    for (const state of API_STATES) set(state === word ? 1 : 0, { state });
  };
  const labelNames = ["state"];
  const gauge = reportGauge.bind(null, registers, report);
  gauge(
    { name: "leasepair_failover_state", help: "1 for the member's present failover state.", labelNames },
    (set, { state }) => states(set, state),
  );
  gauge(
    {
      name: "leasepair_failover_partner_state",
      help: "1 for the partner's state as last heard.",
      labelNames,
    },
    (set, { partnerState }) => states(set, partnerState),
  );
  gauge(
    { name: "leasepair_failover_state_start_time_seconds", help: "When the present state was entered." },
    (set, { stateSince }) => set(stateSince),
  );
  gauge(
    {
      name: "leasepair_failover_last_contact_time_seconds",
      help: "When the partner was last heard; 0 = never.",
    },
    (set, { lastContactAt }) => set(lastContactAt),
  );
  gauge({ name: "leasepair_failover_link_up", help: "1 while the link to the partner stands." }, (set, r) =>
    set(r.connected ? 1 : 0),
  );
  gauge(
    {
      name: "leasepair_failover_link_certificate_expiry_time_seconds",
      help: "When this member's certificate of the failover link ends; 0 = there is none.",
    },
    (set, { linkCertificateExpiresAt }) => set(linkCertificateExpiresAt ?? 0),
  );
  gauge(
    {
      name: "leasepair_failover_unacked_updates",
      help: "Bindings that the partner has not acknowledged yet.",
    },
    (set, { unackedUpdates }) => set(unackedUpdates),
  );
  gauge(
    {
      name: "leasepair_failover_clock_offset_seconds",
      help: "The partner's clock minus ours while the link stands.",
    },
    (set, { clockOffsetSeconds }) => set(clockOffsetSeconds ?? 0),
  );
  gauge(
    {
      name: "leasepair_scope_addresses",
      help: "Addresses of a scope by status: free = the primary's, backup = the secondary's.",
      labelNames: ["scope", "status"],
    },
    (set, { addresses }) => {
      for (const [scope, { total: _, ...counts }] of Object.entries(addresses)) {
        for (const [status, value] of Object.entries(counts)) set(value, { scope, status });
      }
    },
  );
}

function registerCounts(registers: Registry[], counts: () => EngineCounts): void {
  const counter = (
    name: string,
    help: string,
    label: string | null,
    values: (counts: EngineCounts) => Iterable<readonly [string, number]>,
  ) =>
    new Counter({
      name,
      help,
      labelNames: label === null ? [] : [label],
      registers,
      collect() {
        this.reset();
        for (const [key, value] of values(counts())) this.inc(label === null ? {} : { [label]: key }, value);
      },
    });
  const one = (value: number): Iterable<readonly [string, number]> => [["", value]];
  counter("leasepair_dhcp_received_total", "Datagrams received by message type.", "type", (c) => c.received);
  counter("leasepair_dhcp_outcomes_total", "What became of datagrams.", "outcome", (c) => c.outcomes);
  counter(
    "leasepair_dhcp_options_omitted_total",
    "Options without room in a reply.",
    "code",
    (c) => c.omissions,
  );
  counter("leasepair_failover_updates_total", "Binding updates with the partner.", "kind", (c) =>
    Object.entries(c.updates),
  );
  counter("leasepair_socket_errors_total", "Datagrams the kernel refused.", "error", (c) => c.socketErrors);
  counter("leasepair_dhcp_queue_overflows_total", "Datagrams dropped: the engine was too busy.", null, (c) =>
    one(c.queueOverflows),
  );
  counter("leasepair_dhcp_late_replies_total", "Replies dropped because they were late.", null, (c) =>
    one(c.lateReplies),
  );
  counter("leasepair_failover_link_losses_total", "How often the link was lost.", null, (c) =>
    one(c.linkLosses),
  );
  counter("leasepair_failover_strangers_total", "Connections from others than the partner.", null, (c) =>
    one(c.strangers),
  );
  counter("leasepair_log_lines_lost_total", "Lines of the log that could not be written.", null, (c) =>
    one(c.logLinesLost),
  );
  const flag = (name: string, help: string, value: (c: EngineCounts) => boolean) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(counts()) ? 1 : 0);
      },
    });
  flag("leasepair_ready", "1 while the member would answer a client.", (c) => c.isReady);
  flag(
    "leasepair_config_source_up",
    "1 while the configuration's source can be read.",
    (c) => c.isSourceReachable,
  );
}
