// `leasepair controller`: makes the pods of every pair, watches over them and reports.

import type { Command } from "commander";
import {
  addressArgument,
  choiceArgument,
  logLevelArgument,
  optionalFileArgument,
  resourcesArgument,
} from "./arguments.ts";
import { EXIT } from "./command-error.ts";
import { tolerationsArgument } from "./tolerations-argument.ts";

interface ControllerFlags {
  kubeconfig?: string;
  namespace?: string[];
  image: string;
  imagePullPolicy?: string;
  imagePullSecret: string[];
  engineResources?: string;
  engineTolerations?: string;
  engineArg: string[];
  dataRoot: string;
  priorityClass?: string;
  leaderElectionNamespace: string;
  leaderElectionName: string;
  leaderElection: boolean;
  metricsAddress: string;
  logLevel: string;
}

const PULL_POLICIES = ["Always", "IfNotPresent", "Never"] as const;

function collect(value: string, values: string[]): string[] {
  return [...values, value];
}

export function addControllerCommand(program: Command): void {
  program
    .command("controller")
    .summary("run the operator")
    .description(
      "Runs the operator: makes two engine pods for every FailoverRelationship, keeps them as specified, restarts one " +
        "at a time when they change, and writes status, conditions and events. Several replicas elect a leader.",
    )
    .option(
      "--kubeconfig <file>",
      "how to reach the API (default: $KUBECONFIG, ~/.kube/config, or the pod's account)",
    )
    .option(
      "--namespace <name>",
      "look after this namespace only; may be repeated (default: all)",
      collect,
      [],
    )
    .requiredOption("--image <image>", "image of the engine pods")
    .option("--image-pull-policy <policy>", "Always, IfNotPresent or Never, for the engine pods")
    .option("--image-pull-secret <name>", "for the engine pods; may be repeated", collect, [])
    .option(
      "--engine-resources <json>",
      'requests and limits of the engine containers, as {"requests":{"memory":"192Mi"}}',
    )
    .option(
      "--engine-tolerations <json>",
      'for members on tainted nodes, as [{"key":"dedicated","operator":"Exists","effect":"NoSchedule"}]',
    )
    .option("--engine-arg <argument>", "appended to the engines' command line; may be repeated", collect, [])
    .option(
      "--data-root <dir>",
      "directory on the nodes under which lease stores are kept",
      "/var/lib/leasepair",
    )
    .option(
      "--priority-class <name>",
      "priority class of the engine pods; empty: none (default: system-node-critical)",
    )
    .option(
      "--leader-election-namespace <name>",
      "namespace of the election's Lease, and of the ConfigMaps that say where the lease stores lie",
      "leasepair-system",
    )
    .option(
      "--leader-election-name <name>",
      "name of that Lease: whoever looks after the same namespaces shares it, nobody else",
      "leasepair-controller",
    )
    .option("--no-leader-election", "lead without election: only ever one process")
    .option(
      "--metrics-address <address:port>",
      "where /metrics, /healthz and /readyz are served; without address on all, of IPv4 and IPv6",
      ":9646",
    )
    .option("--log-level <level>", "debug, info, warn or error", "info")
    .addHelpText(
      "after",
      `
Examples:
  leasepair controller --image registry.example.org/leasepair:0.1.0
  leasepair controller --kubeconfig ~/.kube/config --image leasepair:dev --no-leader-election --namespace default

Logs JSON lines to standard output. SIGTERM, Ctrl-C or the end of its terminal (SIGHUP) stops it; the pairs go on without it.

Exit codes: 0 stopped in order; 1 failed, or lost the election's Lease; 2 wrong command line.`,
    )
    .action(runControllerCommand);
}

async function runControllerCommand(flags: ControllerFlags): Promise<void> {
  const level = logLevelArgument(flags.logLevel);
  const metrics = addressArgument("--metrics-address", flags.metricsAddress);
  const kubeconfig = optionalFileArgument("--kubeconfig", flags.kubeconfig);
  const pull =
    flags.imagePullPolicy === undefined
      ? {}
      : { imagePullPolicy: choiceArgument("--image-pull-policy", flags.imagePullPolicy, PULL_POLICIES) };
  const resources =
    flags.engineResources === undefined ? {} : { resources: resourcesArgument(flags.engineResources) };
  const tolerations =
    flags.engineTolerations === undefined
      ? {}
      : { tolerations: tolerationsArgument(flags.engineTolerations) };
  const secrets = flags.imagePullSecret.length === 0 ? {} : { imagePullSecrets: flags.imagePullSecret };
  const priority = flags.priorityClass === undefined ? {} : { priorityClassName: flags.priorityClass };
  const { createLogger } = await import("../dhcp/host/logger.ts");
  const { endProcess, STOP_SIGNALS } = await import("../dhcp/host/end-process.ts");
  const { runController } = await import("../controller/main.ts");
  const { loadKubeConfig } = await import("../kube/connection.ts");
  const logger = createLogger({ level, fields: { component: "controller" } });
  const ended = Promise.withResolvers<number>();
  for (const signal of STOP_SIGNALS) process.on(signal, () => ended.resolve(EXIT.ok));
  const load = () => loadKubeConfig({ kubeconfig, context: null });
  // A wrong kubeconfig is a mistake in the command line: it is said now, not in the background.
  await load();
  const controller = await runController({
    loadKubeConfig: load,
    namespaces: flags.namespace === undefined || flags.namespace.length === 0 ? null : flags.namespace,
    engine: {
      image: flags.image,
      engineArgs: flags.engineArg,
      dataRoot: flags.dataRoot,
      ...pull,
      ...secrets,
      ...resources,
      ...tolerations,
      ...priority,
    },
    leaderElection: flags.leaderElection
      ? { namespace: flags.leaderElectionNamespace, name: flags.leaderElectionName }
      : null,
    metrics,
    log: logger.log,
    onLeadershipLost: () => ended.resolve(EXIT.failed),
  });
  const code = await ended.promise;
  await controller.stop();
  await endProcess(code, !(await logger.flush()));
}
