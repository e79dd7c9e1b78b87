// Prometheus and Alertmanager (the Debian packages) beside the control plane, as a platform team runs them: targets found by
// the API with the chart's relabelling, the chart's rules file, and a webhook that hears what Alertmanager says.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startIn } from "../../dev/cluster/machine.ts";
import { OPERATOR_NAMESPACE } from "../../dev/cluster/operator.ts";
import type { Alert } from "./webhook-main.ts";

/** What stands in docs/reliability.md beside the figures. */
export const INTERVALS = { scrapeSeconds: 5, evaluationSeconds: 5, groupWaitSeconds: 1 } as const;
const RULES = join(import.meta.dirname, "..", "..", "charts/leasepair/files/alerts.yaml");
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
    writeFileSync(
      file("prometheus.yaml"),
      stringify(prometheusConfig(join(cluster.directory, "control-plane/admin/kubeconfig"))),
    );
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
      "--web.listen-address=127.0.0.1:9090",
    ]);
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

function prometheusConfig(kubeConfigFile: string): object {
  const metricsPort = {
    source_labels: ["__meta_kubernetes_pod_container_port_name"],
    regex: "metrics",
    action: "keep",
  };
  const find = (label: string, namespaces?: readonly string[]) => [
    {
      role: "pod",
      kubeconfig_file: kubeConfigFile,
      selectors: [
        { role: "pod", label: `app.kubernetes.io/part-of=leasepair,app.kubernetes.io/component=${label}` },
      ],
      ...(namespaces === undefined ? {} : { namespaces: { names: namespaces } }),
    },
  ];
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
        kubernetes_sd_configs: find("engine"),
        relabel_configs: [
          metricsPort,
          {
            source_labels: ["__meta_kubernetes_pod_annotation_leasepair_io_metrics_address"],
            regex: "(.+)",
            target_label: "__address__",
          },
        ],
      },
      {
        job_name: "leasepair-controller",
        honor_labels: true,
        kubernetes_sd_configs: find("controller", [OPERATOR_NAMESPACE]),
        relabel_configs: [metricsPort],
      },
    ],
  };
}
