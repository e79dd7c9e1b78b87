// The README's quick start for cluster owners, typed word for word on a cluster that has never seen the product.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { cachedImage } from "../../dev/image/cached-image.ts";

const ROOT = join(import.meta.dirname, "..", "..");

describe("as a cluster owner", { skip: clusterUnmet(), timeout: 720_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ images: [await cachedImage()], say: (line) => console.log(line) });
  });
  after(async () => {
    await cluster?.stop();
  });

  it("every line of the quick start does what it says", () => {
    const lines = quickStart();
    assert.ok(lines.length >= 5);
    const outputs = lines.map((line) => type(cluster, line));
    const shown = outputs.at(-2) ?? "";
    assert.match(shown, /campus\s+LoadBalance\s+a Normal\s+b Normal\s+a,b\s+True/);
    type(cluster, "kubectl delete -f examples/load-balance.yaml --wait");
    type(cluster, `helm uninstall ${RELEASE} --namespace ${OPERATOR_NAMESPACE} --wait`);
  });
});

/** The lines of the first shell block under the heading. */
function quickStart(): readonly string[] {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const section = readme.slice(readme.indexOf("## Quick start for cluster owners"));
  return (/```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? "").split("\n").filter(Boolean);
}

/** Runs the line as a person would, in the checkout. */
function type(cluster: Cluster, line: string): string {
  const places = (["kubectl", "helm"] as const).map((name) => dirname(cluster.program(name)));
  const env = {
    ...process.env,
    KUBECONFIG: cluster.kubeConfigFile,
    PATH: [...places, process.env["PATH"]].join(":"),
  };
  const done = spawnSync("sh", ["-c", line], { cwd: ROOT, env, encoding: "utf8" });
  assert.equal(done.status, 0, `${line}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}
