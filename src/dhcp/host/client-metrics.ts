// What Prometheus sees of limits, classes, probes, relays and the lease history. Read when somebody scrapes.
// Labels name limits, classes and relays, never a client.

import { Counter, Gauge, type Registry } from "prom-client";
import { formatIpv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";
import type { Engine } from "../engine/engine-state.ts";
import type { ScopeNewsEvent } from "../engine/scope-news.ts";

export interface ClientMetricsSource {
  /** Null before the engine stands. */
  engine(): Engine | null;
  nowMs(): BootMs;
  probesFailed(): number;
  history(): { readonly written: number; readonly lost: number };
}

type Values = Iterable<readonly [label: string, value: number]>;

export function registerClientMetrics(registry: Registry, source: ClientMetricsSource): void {
  registerScopeNews(registry, source);
  const metric =
    (Kind: typeof Counter | typeof Gauge) =>
    (name: string, help: string, label: string | null, values: (engine: Engine) => Values) =>
      new Kind({
        name,
        help,
        labelNames: label === null ? [] : [label],
        registers: [registry],
        collect() {
          this.reset();
          const engine = source.engine();
          if (engine === null) return;
          for (const [key, value] of values(engine)) this.inc(label === null ? {} : { [label]: key }, value);
        },
      });
  const gauge = metric(Gauge);
  const counter = metric(Counter);
  const uses = (engine: Engine) => [
    ...engine.limits.use(),
    { limit: "offers", used: engine.offers.size, max: engine.offers.offersMax },
    ...(engine.probes === null
      ? []
      : [{ limit: "probes", used: engine.probes.size, max: engine.probes.sizeMax }]),
  ];
  gauge("leasepair_dhcp_limit_used", "Entries of a bounded table in use.", "limit", (engine) =>
    uses(engine).map(({ limit, used }) => [limit, used]),
  );
  gauge("leasepair_dhcp_limit_max", "Entries that a bounded table can hold.", "limit", (engine) =>
    uses(engine).flatMap(({ limit, max }) => (max === null ? [] : [[limit, max] as const])),
  );
  gauge(
    "leasepair_dhcp_relay_knows_one_member",
    "1 for a relay whose clients seem to reach this member only.",
    "relay",
    (engine) =>
      [...engine.relays.findings(source.nowMs())].map(([relay, found]) => [formatIpv4(relay), found ? 1 : 0]),
  );
  counter(
    "leasepair_client_class_errors_total",
    "Requests for which a class's expression had no value.",
    "class",
    (engine) => engine.datagrams.classErrors,
  );
  counter("leasepair_address_probes_total", "Addresses looked for on the wire.", "result", (engine) => {
    const { silent, conflicts, skipped } = engine.probes?.counts ?? { silent: 0, conflicts: 0, skipped: 0 };
    return Object.entries({ silent, conflict: conflicts, skipped, failed: source.probesFailed() });
  });
  counter("leasepair_lease_history_lines_total", "Lines of the lease history.", "result", () =>
    historyLines(source.history()),
  );
}

/** Counters of what the engine tells the owners of scopes (engine/scope-news.ts), by scope. */
function registerScopeNews(registry: Registry, source: ClientMetricsSource): void {
  const counter = (
    name: string,
    help: string,
    label: string,
    words: Readonly<Record<string, ScopeNewsEvent>>,
  ) =>
    new Counter({
      name,
      help,
      labelNames: ["scope", label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [word, event] of Object.entries(words)) {
          const counts = source.engine()?.scopeNews.counts(event) ?? [];
          for (const [scope, count] of counts) this.inc({ scope, [label]: word }, count);
        }
      },
    });
  counter("leasepair_address_conflicts_total", "Addresses found in use by somebody else.", "found_by", {
    decline: "address-declined",
    probe: "address-conflict",
  });
  counter("leasepair_reservations_total", "Reservations that moved a client, or must wait.", "result", {
    honoured: "reservation-honoured",
    waits: "reservation-waits",
  });
}

function historyLines({ written, lost }: ReturnType<ClientMetricsSource["history"]>): Values {
  return Object.entries({ written, lost });
}
