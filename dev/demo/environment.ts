// What the story happens in: the embedded API, the node agent and the real controller as a child process, all below one
// directory, and the few questions that the story asks of them.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { FailoverMemberStatus } from "../../src/api/failover-member.ts";
import type { FailoverRelationshipObject } from "../../src/api/failover-relationship.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { type EmbeddedApi, startEmbeddedApi } from "../embedded-api/embedded-api.ts";
import { endProcess } from "../lib/end-process.ts";
import { type NodeAgent, startNodeAgent } from "../node-agent/node-agent.ts";
import type { Lab } from "./lab.ts";

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
export const NAMESPACE = "default";
const NODES = [
  { name: "node-1", host: "11" },
  { name: "node-2", host: "12" },
] as const;
/** An engine whose pod fails is started again after this long; kubelets begin with ten seconds. */
const BACKOFF_MS = 500;
const CONTROLLER_GRACE_MS = 10_000;
const OUTPUT_BYTES_MAX = 64 << 20;

export class Environment {
  readonly api: EmbeddedApi;
  readonly agent: NodeAgent;
  readonly lab: Lab;
  readonly directory: string;
  readonly kubeConfigFile: string;
  readonly #controller: ChildProcess;

  private constructor(
    lab: Lab,
    directory: string,
    api: EmbeddedApi,
    agent: NodeAgent,
    controller: ChildProcess,
  ) {
    this.lab = lab;
    this.directory = directory;
    this.api = api;
    this.agent = agent;
    this.kubeConfigFile = join(directory, "kubeconfig");
    this.#controller = controller;
  }

  static async start(lab: Lab, directory: string): Promise<Environment> {
    const logs = join(directory, "logs");
    mkdirSync(logs, { recursive: true });
    const api = await startEmbeddedApi({ host: lab.apiAddress, namespaces: ["leasepair-system"] });
    const kubeConfigFile = join(directory, "kubeconfig");
    api.writeKubeConfig(kubeConfigFile);
    const agent = startNodeAgent({
      api,
      nodes: NODES.map(({ name, host }) => ({
        name,
        address: lab.kind === "namespaces" ? `172.31.97.${host}` : "127.0.0.1",
        wrapper: lab.wrapperFor(name),
      })),
      dataRoot: join(directory, "n"),
      logDirectory: logs,
      backoffMs: BACKOFF_MS,
    });
    const args = ["controller", "--kubeconfig", kubeConfigFile, "--image", "leasepair:demo"];
    args.push("--metrics-address", `${lab.apiAddress}:${lab.controllerPort}`);
    for (const argument of lab.engineArgs) args.push(`--engine-arg=${argument}`);
    const controller = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const log = createWriteStream(join(logs, "controller.log"));
    controller.stdout.pipe(log, { end: false });
    controller.stderr.pipe(log, { end: false });
    return new Environment(lab, directory, api, agent, controller);
  }

  get logs(): string {
    return join(this.directory, "logs");
  }

  /** Reads an object as the API has it; null when there is none. */
  read(plural: string, name: string): KubeObject | null {
    const kind = this.api.kind(plural);
    try {
      return this.api.objects.get({ kind, namespace: NAMESPACE, name, subresource: "" });
    } catch {
      return null;
    }
  }

  relationship(name: string): FailoverRelationshipObject {
    return this.read("failoverrelationships", name) as unknown as FailoverRelationshipObject;
  }

  /** What a member last reported; empty before its first report. */
  member(relationship: string, member: string): Partial<FailoverMemberStatus> {
    const object = this.read("failovermembers", `${relationship}-${member}`);
    return (object?.["status"] ?? {}) as Partial<FailoverMemberStatus>;
  }

  /** The members' names, the primary's first. */
  members(relationship: string): readonly string[] {
    const { primary, members } = this.relationship(relationship).spec;
    return members.map(({ name }) => name).sort((x, y) => Number(y === primary) - Number(x === primary));
  }

  podOf(relationship: string, member: string): string {
    return `${relationship}-${member}-0`;
  }

  nodeOf(relationship: string, member: string): string {
    const { members } = this.relationship(relationship).spec;
    return members.find(({ name }) => name === member)?.nodeName ?? "";
  }

  /** The member's directory on its node, as a path of this machine. */
  dataDirectory(relationship: string, member: string): string {
    const uid = this.relationship(relationship).metadata.uid ?? relationship;
    return join(this.directory, "n", this.nodeOf(relationship, member), "var/lib/leasepair", uid, member);
  }

  /** Runs a command of `leasepair`; gives its standard output, rejects with its standard error. */
  async leasepair(...args: readonly string[]): Promise<string> {
    const options = { encoding: "utf8", maxBuffer: OUTPUT_BYTES_MAX } as const;
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], options);
    return stdout;
  }

  /** One metric's samples, as lines of the exposition format; none while the engine answers nothing. */
  async metric(relationship: string, member: string, name: string): Promise<string[]> {
    const spec = this.relationship(relationship).spec.members.find((one) => one.name === member);
    const signal = AbortSignal.timeout(2_000);
    const page = fetch(`http://${spec?.address}:${spec?.metricsPort}/metrics`, { signal });
    const text = await page.then((answer) => answer.text()).catch(() => "");
    return text.split("\n").filter((line) => line.startsWith(`${name}{`));
  }

  /** Ends the controller and all pods, each in its order; the stores stay on disk. */
  async stopEngines(): Promise<void> {
    await endProcess(this.#controller, CONTROLLER_GRACE_MS);
    await this.agent.stop();
  }

  async stop(): Promise<void> {
    await this.stopEngines();
    await this.api.stop();
  }
}
