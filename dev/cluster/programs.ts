// The programs of the cluster: Kubernetes as one multi-call binary and Helm, built from Go modules. Built once and kept
// under ~/.cache/leasepair, keyed by the version and by everything that goes into the build. LEASEPAIR_KUBE_BIN names a
// folder that already holds them all, under their usual names.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findGo } from "./go-toolchain.ts";

const COMPONENTS = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
  "kubelet",
  "kubectl",
] as const;
export type Program = (typeof COMPONENTS)[number] | "helm";

interface GoProgram {
  /** The folder here with go.mod, go.sum and perhaps main.go; also the binary's name. */
  readonly name: "kubernetes" | "helm";
  /** The module whose version counts. */
  readonly module: string;
  readonly package: string;
  /** Names by which the binary is called besides its own. */
  readonly links: readonly string[];
  /** Go variables that carry the version. */
  readonly variables: (version: string) => readonly string[];
}

const KUBERNETES: GoProgram = {
  name: "kubernetes",
  module: "k8s.io/kubernetes",
  package: ".",
  links: COMPONENTS,
  variables: (version) => {
    const [major, minor] = version.slice(1).split(".");
    const prefix = "k8s.io/component-base/version";
    return [`${prefix}.gitVersion=${version}`, `${prefix}.gitMajor=${major}`, `${prefix}.gitMinor=${minor}`];
  },
};

const HELM: GoProgram = {
  name: "helm",
  module: "helm.sh/helm/v4",
  package: "helm.sh/helm/v4/cmd/helm",
  links: [],
  variables: (version) => [`helm.sh/helm/v4/internal/version.version=${version}`],
};

/** Where everything built or fetched for the cluster is kept between runs. */
export function cacheDirectory(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "leasepair");
}

/** The folders with the programs, built first where they are missing; `say` is told how far it is. */
export async function clusterPrograms(say: (line: string) => void): Promise<(program: Program) => string> {
  const brought = process.env["LEASEPAIR_KUBE_BIN"] ?? "";
  if (brought !== "") {
    for (const name of [...COMPONENTS, "helm"]) requireProgram(join(brought, name));
    return (program) => join(brought, program);
  }
  const kubernetes = await built(KUBERNETES, say);
  const helm = await built(HELM, say);
  return (program) => join(program === "helm" ? helm : kubernetes, program);
}

function requireProgram(path: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(
      `LEASEPAIR_KUBE_BIN: ${path} is missing or cannot be run; the folder must hold ${COMPONENTS.join(", ")} and helm`,
    );
  }
}

/** The folder with the built program. */
async function built(program: GoProgram, say: (line: string) => void): Promise<string> {
  const source = join(import.meta.dirname, program.name);
  const files = readdirSync(source).sort();
  const digest = createHash("sha256").update(process.arch);
  for (const file of files) digest.update(`${file}\0`).update(readFileSync(join(source, file)));
  const version = moduleVersion(readFileSync(join(source, "go.mod"), "utf8"), program.module);
  const cache = cacheDirectory();
  const kept = join(cache, `${program.name}-${version}-${digest.digest("hex").slice(0, 12)}`);
  try {
    accessSync(join(kept, program.name), constants.X_OK);
    return kept;
  } catch {
    // Not built yet.
  }
  mkdirSync(cache, { recursive: true });
  const go = findGo(cache, say);
  const work = mkdtempSync(join(cache, "build-"));
  try {
    cpSync(source, work, { recursive: true });
    say(`building ${program.name} ${version} from Go modules; minutes the first time, then kept in ${kept}`);
    const variables = program.variables(version).map((variable) => `-X ${variable}`);
    const flags = [
      "-trimpath",
      "-mod=readonly",
      "-buildvcs=false",
      "-v",
      "-ldflags",
      ["-s -w", ...variables].join(" "),
    ];
    await runGo(go, work, ["build", ...flags, "-o", join(work, "out", program.name), program.package], say);
    for (const link of program.links) symlinkSync(program.name, join(work, "out", link));
    rmSync(kept, { recursive: true, force: true });
    renameSync(join(work, "out"), kept);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return kept;
}

function moduleVersion(goMod: string, module: string): string {
  const match = new RegExp(`^(?:require )?\\s*${module.replaceAll(".", "\\.")} (v\\S+)`, "m").exec(goMod);
  if (match?.[1] === undefined) throw new Error(`go.mod requires no ${module}`);
  return match[1];
}

const PROGRESS_MS = 10_000;

/** Runs go, which names each download and each package it compiles, and tells every ten seconds how far it is. */
async function runGo(
  go: string,
  directory: string,
  args: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "local" };
  const child = spawn(go, args, { cwd: directory, env, stdio: ["ignore", "ignore", "pipe"] });
  const counts = { downloaded: 0, compiled: 0 };
  const last: string[] = [];
  const began = performance.now();
  const tell = () => {
    const seconds = Math.round((performance.now() - began) / 1000);
    say(`  ${seconds} s: ${counts.downloaded} modules downloaded, ${counts.compiled} packages compiled`);
  };
  const timer = setInterval(tell, PROGRESS_MS);
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.startsWith("go: downloading ")) counts.downloaded += 1;
    else if (/^[\w./-]+$/.test(line)) counts.compiled += 1;
    last.push(line);
    if (last.length > 20) last.shift();
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  }).finally(() => clearInterval(timer));
  if (status !== 0) throw new Error(`go build failed (exit ${status}):\n${last.join("\n")}`);
  tell();
}
