// From a container in a pod's spec to a process on this machine: program, arguments, environment, directories.
// There is no image and no mount namespace here, so a path below a volume's mount is rewritten to where it really is.

import { join } from "node:path";
import type { KubeObject } from "../../src/kube/resource.ts";

export interface Probe {
  readonly httpGet?: { readonly path?: string; readonly port: number | string; readonly host?: string };
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
  readonly successThreshold?: number;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}

export interface PodSpec {
  readonly nodeName?: string;
  readonly serviceAccountName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms: readonly {
          readonly matchFields?: readonly { readonly key: string; readonly values: readonly string[] }[];
        }[];
      };
    };
  };
}

export function specOf(pod: KubeObject): PodSpec {
  return pod["spec"] as PodSpec;
}

export interface CommandLine {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** To be made before the start. */
  readonly directories: readonly string[];
}

export interface Surroundings {
  /** What a program's name in the image stands for here. */
  readonly programs: Readonly<Record<string, readonly string[]>>;
  /** The directory that plays the node's root. */
  readonly nodeRoot: string;
  readonly hostAddress: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Throws when the container asks for what cannot be had here, naming it. */
export function commandLine(pod: KubeObject, container: Container, around: Surroundings): CommandLine {
  const mounts = mountsOf(pod, container, around);
  const env: Record<string, string> = { ...around.env };
  for (const entry of container.env ?? []) {
    const { fieldRef } = entry.valueFrom ?? {};
    if (entry.valueFrom !== undefined && fieldRef === undefined)
      throw new Error(`env ${entry.name}: only fieldRef works here`);
    env[entry.name] = fieldRef
      ? fieldValue(pod, fieldRef.fieldPath, around)
      : rewrite(expand(entry.value ?? "", env), mounts);
  }
  const words = [...(container.command ?? []), ...(container.args ?? [])].map((word) =>
    rewrite(expand(word, env), mounts),
  );
  // Without a command the image's entry point runs; ours is the command line.
  const [name = "", ...rest] = container.command === undefined ? ["leasepair", ...words] : words;
  const program = around.programs[name];
  if (program === undefined)
    throw new Error(`container ${container.name}: program ${name} does not exist here`);
  return {
    program: program[0]!,
    arguments: [...program.slice(1), ...rest],
    env,
    directories: [...mounts.values()],
  };
}

/** Mount paths with the directories behind them, the longest first. */
function mountsOf(pod: KubeObject, container: Container, around: Surroundings): Map<string, string> {
  const mounts = (container.volumeMounts ?? []).map(({ name, mountPath }): [string, string] => {
    const volume = specOf(pod).volumes?.find((candidate) => candidate.name === name);
    if (volume?.hostPath === undefined) throw new Error(`volume ${name}: only hostPath works here`);
    return [mountPath, join(around.nodeRoot, volume.hostPath.path)];
  });
  return new Map(mounts.sort(([a], [b]) => b.length - a.length));
}

function rewrite(word: string, mounts: ReadonlyMap<string, string>): string {
  const [, flag = "", path = word] = /^(--[\w-]+=)(.*)$/.exec(word) ?? [];
  for (const [from, to] of mounts) {
    if (path === from || path.startsWith(`${from}/`)) return flag + to + path.slice(from.length);
  }
  return word;
}

/** `$(NAME)` is a variable defined before; one that is not stays as it is. */
function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\((\w+)\)/g, (whole, name) => env[name] ?? whole);
}

function fieldValue(pod: KubeObject, path: string, around: Surroundings): string {
  const [, map, key] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path) ?? [];
  if (map !== undefined) return (pod.metadata[map] as Record<string, string> | undefined)?.[key!] ?? "";
  if (["status.hostIP", "status.podIP", "status.hostIPs", "status.podIPs"].includes(path))
    return around.hostAddress;
  const value = path
    .split(".")
    .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], pod);
  return typeof value === "string" ? value : "";
}
