// `leasepair status`: in what state pairs are, why, and what happens next.

import type { Command } from "commander";
import { REFUSED_BY_PARTNER, TERMS_DIFFER } from "../base/link-refusal.ts";
import { formatTime } from "../base/time.ts";
import type { UnixSeconds } from "../base/units.ts";
import type { MemberReport } from "../dhcp/engine/event.ts";
import type { KubeObject } from "../kube/resource.ts";
import { adviceOn } from "./advice.ts";
import { choiceArgument, directoryArgument, optionalFileArgument } from "./arguments.ts";
import { CommandError, EXIT, usageError } from "./command-error.ts";
import { askEngine } from "./engine-client.ts";
import { formatTable, times } from "./table.ts";

const FORMATS = ["table", "json"] as const;

interface StatusFlags {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  local: boolean;
  dataDir?: string;
  output: string;
}

export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .summary("show in what state pairs are, and why")
    .description(
      "Shows every FailoverRelationship, or the one that is named: both members' states, who serves, and in words what " +
        "is wrong and what happens next. With --local it asks a running engine on this machine instead of the API.",
    )
    .argument("[name]", "name of one FailoverRelationship")
    .option("-n, --namespace <name>", "only this namespace (default: all)")
    .option(
      "--kubeconfig <file>",
      "how to reach the API (default: $KUBECONFIG, ~/.kube/config, or the pod's account)",
    )
    .option("--context <name>", "context of the kubeconfig")
    .option("--local", "ask the engine of --data-dir; works without any API", false)
    .option("--data-dir <dir>", "with --local: data directory of the running engine")
    .option("-o, --output <format>", "table or json", "table")
    .addHelpText(
      "after",
      `
Examples:
  leasepair status
  leasepair status campus --namespace default
  leasepair status --local --data-dir /var/lib/leasepair

Exit codes: 0 shown; 1 the API or the engine does not answer, or there is no such relationship; 2 wrong command line.`,
    )
    .action(async (name: string | undefined, flags: StatusFlags) => {
      const format = choiceArgument("--output", flags.output, FORMATS);
      if (!flags.local && flags.dataDir !== undefined) {
        throw usageError(
          "--data-dir: asks a running engine, which needs --local; without it the API is asked",
        );
      }
      process.stdout.write(
        await (flags.local ? localStatus(flags, format) : pairStatus(name, flags, format)),
      );
    });
}

async function localStatus(flags: StatusFlags, format: "table" | "json"): Promise<string> {
  if (flags.dataDir === undefined)
    throw usageError("--local: needs --data-dir, the running engine's data directory");
  const report = JSON.parse(
    await askEngine(directoryArgument("--data-dir", flags.dataDir), "/status"),
  ) as MemberReport;
  return format === "json" ? `${JSON.stringify(report, null, 2)}\n` : reportText(report);
}

function timeText(at: UnixSeconds): string {
  return at === 0 ? "never" : formatTime(at);
}

function linkText({ connected, linkRefusal, linkSecurity }: MemberReport): string {
  const clear = linkSecurity === "Clear" ? ", in clear: anybody on the way can read and forge it" : "";
  // An engine of an earlier version does not say.
  if (connected || linkRefusal == null) return `${connected ? "up" : "down"}${clear}`;
  const { reason, message } = linkRefusal;
  const whose = reason === REFUSED_BY_PARTNER ? "its partner refuses it" : "its partner is refused";
  return `down, ${reason === TERMS_DIFFER ? message : `${whose}: ${message}`}${clear}`;
}

/** An engine of an earlier version does not say. */
function carrierText({ carrierLost = [], partnerCarrierLost = false }: Partial<MemberReport>): string {
  const own =
    carrierLost.length === 0
      ? "present"
      : `lost on ${carrierLost.join(", ")}: the partner answers all clients`;
  return partnerCarrierLost ? `${own}; lost at the partner: this member answers all clients` : own;
}

/** A member's own view for people. */
export function reportText(report: MemberReport): string {
  const lines: (readonly [string, string])[] = [
    ["State", `${report.state} since ${timeText(report.stateSince)}`],
    ["Serving", report.serving],
    ["Partner", `${report.partnerState ?? "never heard"}, last heard ${timeText(report.lastContactAt)}`],
    ["Link", linkText(report)],
    ["Carrier", carrierText(report)],
    ["Updates owed to the partner", String(report.unackedUpdates)],
    ["Store", `${report.store}, opened ${times(report.generation)}`],
    ["Revision", report.revision],
  ];
  const width = Math.max(...lines.map(([label]) => label.length)) + 2;
  const table = lines.map(([label, value]) => `${`${label}:`.padEnd(width)}${value}\n`).join("");
  const head = `${table}\n${adviceOn(report)}\n`;
  const rows = Object.entries(report.addresses).map(([scope, counts]) => [
    scope,
    counts.total,
    counts.active,
    counts.free,
    counts.backup,
    counts.expired + counts.released + counts.reset,
    counts.abandoned,
  ]);
  if (rows.length === 0) return `${head}\nNo scopes.\n`;
  const headings = ["SCOPE", "TOTAL", "LEASED", "FREE-PRIMARY", "FREE-SECONDARY", "ENDING", "ABANDONED"];
  return `${head}\n${formatTable(headings, rows)}`;
}

async function pairStatus(
  name: string | undefined,
  flags: StatusFlags,
  format: "table" | "json",
): Promise<string> {
  const kubeconfig = optionalFileArgument("--kubeconfig", flags.kubeconfig);
  const { KubeClient } = await import("../kube/client.ts");
  const { ConnectionPool, loadKubeConfig } = await import("../kube/connection.ts");
  const { systemTiming } = await import("../kube/timing.ts");
  const { failoverRelationshipKind } = await import("../api/failover-relationship.ts");
  const load = () => loadKubeConfig({ kubeconfig, context: flags.context ?? null });
  // A wrong kubeconfig is a mistake in the command line, told as such.
  await load();
  const pool = new ConnectionPool(load);
  const client = new KubeClient({ pool, timing: systemTiming, log: () => {}, userAgent: "leasepair-cli" });
  const { group, version, plural, kind } = failoverRelationshipKind;
  try {
    const type = { group, version, plural, kind, namespaced: true };
    const { items } = await client.list(type, flags.namespace ?? null, { attempts: 1 });
    const shown = items.filter((item) => name === undefined || item.metadata.name === name);
    if (name !== undefined && shown.length === 0) {
      const where = flags.namespace === undefined ? "any namespace" : `namespace ${flags.namespace}`;
      const known = items.map((item) => item.metadata.name).join(", ") || "none";
      throw new CommandError(
        EXIT.failed,
        `${name}: no such FailoverRelationship in ${where}; there are: ${known}`,
      );
    }
    return format === "json" ? `${JSON.stringify(shown, null, 2)}\n` : relationshipText(shown);
  } finally {
    await client.close();
  }
}

interface RelationshipStatus {
  readonly primary?: string;
  readonly secondary?: string;
  readonly serving?: string;
  readonly takeover?: string;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
  }[];
}

/** The table, then in words what each pair that is not ready suffers from. */
export function relationshipText(objects: readonly KubeObject[]): string {
  if (objects.length === 0) return "No FailoverRelationships.\n";
  const views = objects.map((object) => {
    const spec = (object["spec"] ?? {}) as { mode?: string };
    const status = (object["status"] ?? {}) as RelationshipStatus;
    const conditions = status.conditions ?? [];
    const ready = conditions.find(({ type }) => type === "Ready");
    const accepted = conditions.find(({ type }) => type === "Accepted");
    const { namespace = "", name = "" } = object.metadata;
    const row = [
      namespace,
      name,
      spec.mode ?? null,
      status.primary || null,
      status.secondary || null,
      status.serving || null,
      status.takeover || null,
      ready?.status ?? "Unknown",
    ];
    const says = accepted?.status === "False" ? accepted : ready;
    return { row, name: `${namespace}/${name}`, words: says?.message ?? "" };
  });
  const headings = ["NAMESPACE", "NAME", "MODE", "PRIMARY", "SECONDARY", "SERVING", "TAKEOVER", "READY"];
  const table = formatTable(
    headings,
    views.map(({ row }) => row),
  );
  const words = views.filter((view) => view.words !== "").map((view) => `${view.name}: ${view.words}\n`);
  return words.length === 0 ? table : `${table}\n${words.join("")}`;
}
