// etcd, API server, controller manager and scheduler in the control plane's namespace, as processes that can be stopped
// and let go on, or killed and started again with what etcd has on disk.

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { endProcess } from "../lib/end-process.ts";
import { AUDIT_POLICY, readAuditLog, type Write } from "./audit.ts";
import { startIn } from "./machine.ts";
import { CONTROL_PLANE_ADDRESS } from "./network.ts";
import type { Pki, Subject } from "./pki.ts";
import type { Program } from "./programs.ts";

export const API_SERVER = `https://${CONTROL_PLANE_ADDRESS}:6443`;
const SERVICE_ADDRESS = "10.96.0.1";
const ETCD = "http://127.0.0.1:2379";
const READY_MS = 180_000;
const END_MS = 5_000;
const POLL_MS = 200;
/** How long a node may be silent before it counts as gone: Kubernetes' default is 50 s. */
const NODE_GRACE = "20s";

export const CONTROL_PLANE_SUBJECTS: readonly Subject[] = [
  {
    name: "apiserver",
    user: "kube-apiserver",
    hosts: [CONTROL_PLANE_ADDRESS, "127.0.0.1", SERVICE_ADDRESS, "kubernetes.default.svc", "localhost"],
  },
  { name: "apiserver-to-kubelet", user: "apiserver-to-kubelet", group: "system:masters" },
  { name: "admin", user: "admin", group: "system:masters" },
  { name: "controller-manager", user: "system:kube-controller-manager" },
  { name: "scheduler", user: "system:kube-scheduler" },
  { name: "kube-proxy", user: "system:kube-proxy" },
];

type Component = "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler";

/** One that has ended would never say so again. */
function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

export class ControlPlane {
  readonly #namespace: string;
  readonly #directory: string;
  readonly #program: (name: Program) => string;
  readonly #running = new Map<Component, ChildProcess>();
  #isReady: () => Promise<boolean> = () => Promise.resolve(false);

  constructor(namespace: string, directory: string, program: (name: Program) => string) {
    this.#namespace = namespace;
    this.#directory = directory;
    this.#program = program;
  }

  /** Resolves once the API server is ready. `isReady` asks it. */
  async start(pki: Pki, isReady: () => Promise<boolean>): Promise<void> {
    this.#isReady = isReady;
    writeFileSync(this.#file("audit-policy.json"), JSON.stringify(AUDIT_POLICY));
    for (const { name } of CONTROL_PLANE_SUBJECTS) pki.write(join(this.#directory, name), name);
    writeFileSync(join(this.#directory, "tokens.key"), pki.tokens.privateKey, { mode: 0o600 });
    writeFileSync(join(this.#directory, "tokens.pub"), pki.tokens.publicKey);
    await this.powerOn();
  }

  /** Power off without a word, all of it. The disk stays. */
  async crash(): Promise<void> {
    const children = [...this.#running.values()].filter(isRunning);
    const gone = children.map((child) => once(child, "exit"));
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(gone);
  }

  /** Starts all of it on what its disk has. Resolves once the API server is ready. */
  async powerOn(): Promise<void> {
    this.#start("etcd");
    this.#start("kube-apiserver");
    await this.#untilReady();
    this.#start("kube-controller-manager");
    this.#start("kube-scheduler");
  }

  /** SIGSTOP: it answers nobody, its connections stay open. */
  stop(component: Component): void {
    this.#running.get(component)?.kill("SIGSTOP");
  }

  resume(component: Component): void {
    this.#running.get(component)?.kill("SIGCONT");
  }

  async end(component: Component): Promise<void> {
    const child = this.#running.get(component);
    if (child !== undefined) await endProcess(child, END_MS);
  }

  /** Starts one that was ended. Resolves once the API server is ready. */
  async restart(component: Component): Promise<void> {
    this.#start(component);
    await this.#untilReady();
  }

  /** Copies what etcd has on disk while it stands still; gives the copy's directory. */
  backUp(): string {
    const copy = this.#file("etcd-backup");
    this.stop("etcd");
    cpSync(this.#file("etcd"), copy, { recursive: true });
    this.resume("etcd");
    return copy;
  }

  /** Starts etcd and the API server anew on a copy, as an administrator does after losing etcd. Resolves once the API server
   *  is ready. */
  async restore(copy: string): Promise<void> {
    await this.end("kube-apiserver");
    await this.end("etcd");
    rmSync(this.#file("etcd"), { recursive: true });
    cpSync(copy, this.#file("etcd"), { recursive: true });
    this.#start("etcd");
    this.#start("kube-apiserver");
    await this.#untilReady();
  }

  /** Every change asked of the API server so far. */
  writes(): readonly Write[] {
    return readAuditLog(this.#file("audit.log"));
  }

  async #untilReady(): Promise<void> {
    const giveUpAt = performance.now() + READY_MS;
    while (!(await this.#isReady())) {
      if (performance.now() > giveUpAt)
        throw new Error(`the API server is not ready:\n${this.#tail("kube-apiserver")}`);
      await pause(POLL_MS);
    }
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }

  #start(component: Component): void {
    const words = [this.#program(component), ...this.#arguments(component)];
    this.#running.set(component, startIn(this.#namespace, this.#log(component), words));
  }

  #log(component: Component): string {
    return this.#file(`${component}.log`);
  }

  #tail(component: Component): string {
    return readFileSync(this.#log(component), "utf8").split("\n").slice(-15).join("\n");
  }

  #arguments(component: Component): readonly string[] {
    const file = (name: string) => this.#file(name);
    const kubeConfig = (name: string) => {
      const path = file(`${name}/kubeconfig`);
      return [
        `--kubeconfig=${path}`,
        `--authentication-kubeconfig=${path}`,
        `--authorization-kubeconfig=${path}`,
      ];
    };
    switch (component) {
      case "etcd":
        return [
          "--name=one",
          `--data-dir=${file("etcd")}`,
          `--listen-client-urls=${ETCD}`,
          `--advertise-client-urls=${ETCD}`,
          "--listen-peer-urls=http://127.0.0.1:2380",
          "--initial-advertise-peer-urls=http://127.0.0.1:2380",
          "--initial-cluster=one=http://127.0.0.1:2380",
          "--unsafe-no-fsync",
        ];
      case "kube-apiserver":
        return [
          `--etcd-servers=${ETCD}`,
          `--advertise-address=${CONTROL_PLANE_ADDRESS}`,
          "--secure-port=6443",
          "--service-cluster-ip-range=10.96.0.0/16",
          `--client-ca-file=${file("apiserver/ca.crt")}`,
          `--tls-cert-file=${file("apiserver/tls.crt")}`,
          `--tls-private-key-file=${file("apiserver/tls.key")}`,
          "--service-account-issuer=https://kubernetes.default.svc",
          `--service-account-key-file=${file("tokens.pub")}`,
          `--service-account-signing-key-file=${file("tokens.key")}`,
          "--authorization-mode=Node,RBAC",
          "--enable-admission-plugins=NodeRestriction",
          "--allow-privileged=true",
          `--kubelet-client-certificate=${file("apiserver-to-kubelet/tls.crt")}`,
          `--kubelet-client-key=${file("apiserver-to-kubelet/tls.key")}`,
          `--kubelet-certificate-authority=${file("apiserver/ca.crt")}`,
          "--kubelet-preferred-address-types=InternalIP",
          "--profiling=false",
          `--audit-policy-file=${file("audit-policy.json")}`,
          `--audit-log-path=${file("audit.log")}`,
        ];
      case "kube-controller-manager":
        return [
          ...kubeConfig("controller-manager"),
          "--leader-elect=false",
          "--use-service-account-credentials",
          `--service-account-private-key-file=${file("tokens.key")}`,
          `--root-ca-file=${file("apiserver/ca.crt")}`,
          `--node-monitor-grace-period=${NODE_GRACE}`,
          "--node-monitor-period=2s",
        ];
      case "kube-scheduler":
        return [...kubeConfig("scheduler"), "--leader-elect=false"];
    }
  }
}
