// Prometheus and Alertmanager (the Debian packages) beside the control plane, as a platform team runs them: the chart's rules
// file, and a webhook that hears what Alertmanager says. Debian builds Prometheus without Kubernetes, so the targets are
// read from the pods once: an engine's from the annotation by which the chart's PodMonitor finds it.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startIn } from "../../dev/cluster/machine.ts";
import { OPERATOR_NAMESPACE } from "../../dev/cluster/operator.ts";
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
      {
        job_name: "leasepair-engines",
        honor_labels: true,
        static_configs: [
          {
            targets: targets(
              cluster,
              "engine",
              "default",
              "{.metadata.annotations.leasepair\\.io/metrics-address}",
            ),
          },
        ],
      },
      {
        job_name: "leasepair-controller",
        honor_labels: true,
        static_configs: [
          { targets: targets(cluster, "controller", OPERATOR_NAMESPACE, "{.status.podIP}:9646") },
        ],
      },
    ],
  };
}

function targets(cluster: Cluster, component: string, namespace: string, address: string): readonly string[] {
  const selector = `app.kubernetes.io/part-of=leasepair,app.kubernetes.io/component=${component}`;
  const path = `{range .items[*]}${address}{" "}{end}`;
  const found = cluster.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", `jsonpath=${path}`);
  return found.trim().split(" ");
}
