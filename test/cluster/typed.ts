// What a page of the documentation says to type, typed as a person would.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import type { Cluster } from "../../dev/cluster/cluster.ts";

export const ROOT = join(import.meta.dirname, "..", "..");

/** Runs the line in a shell with the cluster's kubectl and helm, in the checkout unless told otherwise; gives what it prints. */
export function type(cluster: Cluster, line: string, cwd = ROOT): string {
  const places = (["kubectl", "helm"] as const).map((name) => dirname(cluster.program(name)));
  const env = {
    ...process.env,
    KUBECONFIG: cluster.kubeConfigFile,
    PATH: [...places, process.env["PATH"]].join(":"),
  };
  const done = spawnSync("sh", ["-c", line], { cwd, env, encoding: "utf8" });
  assert.equal(done.status, 0, `${line}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}
