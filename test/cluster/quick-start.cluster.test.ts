// The README's quick start for cluster owners, typed word for word on a cluster that has never seen the product; then an
// upgrade from the first green version's chart to this one, with a new image, while clients lease (the way back, and many
// times: upgrade.long.test.ts).

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { Disturbance } from "./disturbance.ts";
import { installFirstGreen, startUpgradeCluster, upgrade } from "./upgrade.ts";

const ROOT = join(import.meta.dirname, "..", "..");

describe("as a cluster owner", { skip: clusterUnmet(), timeout: 720_000 }, () => {
  let cluster: Cluster;
  let disturb: Disturbance;
  before(async () => {
    cluster = await startUpgradeCluster();
  });
  after(async () => {
    await disturb?.fleet.stop();
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

  it("an upgrade from the first green version rolls both members, one at a time, and no lease is lost", async () => {
    installFirstGreen(cluster);
    disturb = await Disturbance.start(cluster);
    await disturb.with("chart and image upgraded", () => upgrade(cluster));
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
