// Prometheus and Alertmanager (the Debian packages) beside the control plane, as a platform team runs them: the chart's rules
// file, and a webhook that hears what Alertmanager says. Debian builds Prometheus without Kubernetes, so the pods are looked up once
// here. What the chart's PodMonitor says of them Prometheus then does itself: the engines' addresses come by its relabelings.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startIn } from "../../dev/cluster/machine.ts";
import { CHART, OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { eventually } from "../../dev/demo/teller.ts";
import type { Alert } from "./webhook-main.ts";

/** What stands in docs/reliability.md beside the figures. */
export const INTERVALS = { scrapeSeconds: 5, evaluationSeconds: 5, groupWaitSeconds: 1 } as const;
const RULES = join(import.meta.dirname, "..", "..", "charts/leasepair/files/alerts.yaml");
const PROMETHEUS_PORT = 9090;
const ALERTMANAGER = "127.0.0.1:9093";

export class Monitoring {
  /** The newest word on each alert: `NAME MEMBER` to firing or resolved, and when it came, Date.now(). */
  readonly heard = new Map<string, { readonly status: string; readonly at: number }>();
  readonly #webhook: ChildProcess;

  private constructor(webhook: ChildProcess) {
    this.#webhook = webhook;
    webhook.on("message", (alerts: readonly Alert[]) => {
      for (const { name, member, status } of alerts)
        this.heard.set(`${name} ${member}`, { status, at: Date.now() });
    });
  }

  static async start(cluster: Cluster): Promise<Monitoring> {
    const directory = join(cluster.directory, "monitoring");
    mkdirSync(directory);
    const namespace = cluster.network.namespace("cp");
    const webhookMain = join(import.meta.dirname, "webhook-main.ts");
    const enter = [`--net=/run/netns/${namespace}`, "--", process.execPath, webhookMain];
    const webhook = spawn("nsenter", enter, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const [port] = (await once(webhook, "message")) as [number];
    const file = (name: string) => join(directory, name);
    writeFileSync(file("alertmanager.yaml"), stringify(alertmanagerConfig(port)));
    writeFileSync(file("prometheus.yaml"), stringify(prometheusConfig(cluster)));
    startIn(namespace, file("alertmanager.log"), [
      "prometheus-alertmanager",
      `--config.file=${file("alertmanager.yaml")}`,
      `--storage.path=${file("alertmanager")}`,
      `--web.listen-address=${ALERTMANAGER}`,
      "--cluster.listen-address=",
    ]);
    startIn(namespace, file("prometheus.log"), [
      "prometheus",
      `--config.file=${file("prometheus.yaml")}`,
      `--storage.tsdb.path=${file("prometheus")}`,
      `--web.listen-address=127.0.0.1:${PROMETHEUS_PORT}`,
    ]);
    const door = await cluster.doors.to("127.0.0.1", PROMETHEUS_PORT);
    const isReady = () =>
      fetch(`http://127.0.0.1:${door}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually("Prometheus to be ready", 60_000, isReady, (seen) => seen);
    return new Monitoring(webhook);
  }

  /** firing, resolved, or silent: nothing was heard of it yet. */
  state(alert: string, member: string): string {
    return this.heard.get(`${alert} ${member}`)?.status ?? "silent";
  }

  stop(): void {
    this.#webhook.disconnect();
  }
}

function alertmanagerConfig(port: number): object {
  const { groupWaitSeconds } = INTERVALS;
  return {
    route: {
      receiver: "webhook",
      group_by: ["alertname", "namespace", "relationship"],
      group_wait: `${groupWaitSeconds}s`,
      group_interval: "5s",
      repeat_interval: "1h",
    },
    receivers: [
      { name: "webhook", webhook_configs: [{ url: `http://127.0.0.1:${port}/`, send_resolved: true }] },
    ],
  };
}

function prometheusConfig(cluster: Cluster): object {
  return {
    global: {
      scrape_interval: `${INTERVALS.scrapeSeconds}s`,
      scrape_timeout: "4s",
      evaluation_interval: `${INTERVALS.evaluationSeconds}s`,
    },
    rule_files: [RULES],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [ALERTMANAGER] }] }] },
    scrape_configs: [
      ...engineJobs(cluster),
      {
        job_name: "leasepair-controller",
        honor_labels: true,
        static_configs: [{ targets: controllerTargets(cluster) }],
      },
    ],
  };
}

interface Endpoint {
  readonly port: string;
  readonly honorLabels: boolean;
  readonly relabelings: readonly {
    readonly sourceLabels: readonly string[];
    readonly targetLabel: string;
    readonly regex: string;
  }[];
}

interface PodMonitor {
  readonly kind: string;
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly podMetricsEndpoints: readonly Endpoint[];
  };
}

interface Pod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly {
      readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
    }[];
  };
  readonly status: { readonly podIP: string };
}

/** As the chart has it for every namespace. */
function podMonitor(cluster: Cluster): PodMonitor["spec"] {
  const only = ["--show-only", "templates/monitoring.yaml", "--set", "metrics.podMonitor.enabled=true"];
  const documents = parseAllDocuments(cluster.helm("template", RELEASE, CHART, ...only));
  const objects = documents.map((document) => document.toJS() as PodMonitor | null);
  const found = objects.find((object) => object?.kind === "PodMonitor");
  if (found === undefined || found === null) throw new Error("the chart has no PodMonitor");
  return found.spec;
}

/** What the Prometheus operator makes of the endpoints. */
function engineJobs(cluster: Cluster): readonly object[] {
  const { selector, podMetricsEndpoints } = podMonitor(cluster);
  const labels = Object.entries(selector.matchLabels).map(([name, value]) => `${name}=${value}`);
  const said = cluster.kubectl("get", "pods", "-A", "-l", labels.join(","), "--output", "json");
  const { items } = JSON.parse(said) as { items: readonly Pod[] };
  return podMetricsEndpoints.map(({ port, honorLabels, relabelings }) => ({
    job_name: "leasepair-engines",
    honor_labels: honorLabels,
    static_configs: items.map((pod) => discovered(pod, port)),
    relabel_configs: relabelings.map(({ sourceLabels, targetLabel, regex }) => ({
      source_labels: sourceLabels,
      target_label: targetLabel,
      regex,
    })),
  }));
}

/** The pod as Prometheus' discovery of Kubernetes hands it to the relabelings. */
function discovered({ metadata, spec, status }: Pod, port: string): object {
  const ports = spec.containers.flatMap(({ ports = [] }) => ports).filter(({ name }) => name === port);
  const annotations = Object.entries(metadata.annotations ?? {}).map(([name, value]) => {
    return [`__meta_kubernetes_pod_annotation_${name.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`, value];
  });
  return {
    targets: ports.map(({ containerPort }) => `${status.podIP}:${containerPort}`),
    labels: Object.fromEntries(annotations),
  };
}

function controllerTargets(cluster: Cluster): readonly string[] {
  const selector = "app.kubernetes.io/part-of=leasepair,app.kubernetes.io/component=controller";
  const path = '{range .items[*]}{.status.podIP}:9646{" "}{end}';
  const where = ["-n", OPERATOR_NAMESPACE, "-l", selector];
  return cluster
    .kubectl("get", "pods", ...where, "-o", `jsonpath=${path}`)
    .trim()
    .split(" ");
}
