// What the alert rules need to know of the pair: who its two members are, whose the free addresses are, which epochs the
// member remembers. Labels are names of members and scopes, never a client.

import { Gauge, type Registry } from "prom-client";
import { SERVING } from "../../api/failover-state.ts";
import type { MemberReport } from "../engine/event.ts";
import type { EngineConfig } from "../server/engine-config.ts";

export interface PairMetricsSource {
  /** Null before the engine stands. */
  config(): EngineConfig | null;
  report(): MemberReport | null;
}

type Fill = (
  set: (labels: Record<string, string>, value: number) => void,
  config: EngineConfig,
  report: MemberReport,
) => void;

type DefineGauge = (name: string, help: string, labelNames: readonly string[], fill: Fill) => void;

/** `member`: this engine's name; the registry's default labels carry it besides. */
export function registerPairMetrics(registry: Registry, member: string, source: PairMetricsSource): void {
  const gauge: DefineGauge = (name, help, labelNames, fill) => {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        const [config, report] = [source.config(), source.report()];
        if (config !== null && report !== null)
          fill((labels, value) => this.set(labels, value), config, report);
      },
    });
  };
  defineOfBoth(gauge, member);
  defineOfMember(gauge, member);
}

function defineOfBoth(gauge: DefineGauge, member: string): void {
  gauge(
    "leasepair_relationship_info",
    "1; names this member's partner, both roles and the one that runs elsewhere, if one does.",
    ["partner", "primary", "secondary", "external"],
    (set, config) => {
      const roles = rolesOf(config);
      const partner = partnerOf(config, member);
      const external = config.members.find((each) => each.external !== null)?.name ?? "";
      set({ partner, ...roles, external }, 1);
    },
  );
  gauge(
    "leasepair_carrier_lost",
    "1 while that member, `of`, has no carrier on an interface that clients reach it by: the other one answers all clients.",
    ["of"],
    (set, config, { carrierLost, partnerCarrierLost }) => {
      for (const { name } of config.members) {
        const isLost = name === member ? carrierLost.length > 0 : partnerCarrierLost;
        set({ of: name }, isLost ? 1 : 0);
      }
    },
  );
}

function defineOfMember(gauge: DefineGauge, member: string): void {
  gauge(
    "leasepair_scope_free_addresses",
    "Free addresses of a scope by the member that owns them: only the owner gives them to new clients.",
    ["scope", "owner"],
    (set, config, { addresses }) => {
      const { primary, secondary } = rolesOf(config);
      for (const [scope, { free, backup }] of Object.entries(addresses)) {
        set({ scope, owner: primary }, free);
        set({ scope, owner: secondary }, backup);
      }
    },
  );
  gauge(
    "leasepair_serving",
    "1 for whom the member answers: All, OwnAddresses (new clients from its own), RenewOnly or None.",
    ["service"],
    (set, _, { serving }) => {
      for (const service of SERVING) set({ service }, service === serving ? 1 : 0);
    },
  );
  gauge(
    "leasepair_takeover_time_seconds",
    "In PARTNER-DOWN: from when the member gives its partner's free addresses too.",
    ["partner"],
    (set, config, { state, entry, waitLeadSeconds }) => {
      if (state !== "PARTNER-DOWN" || entry === null) return;
      set({ partner: partnerOf(config, member) }, entry + waitLeadSeconds);
    },
  );
  gauge(
    "leasepair_witness_epoch",
    "Epochs of the witness that the member remembers: seen, entered (its last PARTNER-DOWN), returned.",
    ["kind"],
    (set, _, { seen, entered, returned }) => {
      for (const [kind, epoch] of Object.entries({ seen, entered, returned })) set({ kind }, epoch);
    },
  );
  gauge(
    "leasepair_config_revision_info",
    "1; the configuration that the member runs on, the first 12 digits of its digest.",
    ["revision"],
    (set, _, { revision }) => set({ revision: revision.slice(0, 12) }, 1),
  );
}

function partnerOf({ members }: EngineConfig, member: string): string {
  return members.find(({ name }) => name !== member)?.name ?? "";
}

function rolesOf({ primary, members }: EngineConfig) {
  return { primary, secondary: members.find(({ name }) => name !== primary)?.name ?? "" };
}
