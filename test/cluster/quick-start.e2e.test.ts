// The README's quick start for cluster owners, typed word for word on a cluster that has never seen the product; then an
// upgrade from the first green version's chart to this one, with a new image, and back, while clients lease.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { CHART, OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { cachedImage } from "../../dev/image/cached-image.ts";
import { Disturbance } from "./disturbance.ts";
import { Fleet } from "./fleet.ts";
import { LEASES, pairObjects, SERVERS, states } from "./pair-objects.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const FIRST_GREEN = join(ROOT, "test/corpus/n-1/chart");
const ROLLOUT_MS = 180_000;
const CLIENTS = 60;

describe("as a cluster owner", { skip: clusterUnmet(), timeout: 720_000 }, () => {
  let cluster: Cluster;
  let fleet: Fleet;
  before(async () => {
    const images = [await cachedImage(), await cachedImage("next")];
    cluster = await Cluster.start({ images, say: (line) => console.log(line) });
  });
  after(async () => {
    await fleet?.stop();
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
    const [archive = ""] = readdirSync(FIRST_GREEN);
    const where = ["--namespace", OPERATOR_NAMESPACE, "--wait"];
    cluster.helm("install", RELEASE, join(FIRST_GREEN, archive), ...where);
    cluster.apply(pairObjects());
    fleet = await Fleet.start(cluster, { servers: Object.values(SERVERS), ...LEASES });
    await eventually(
      "both NORMAL",
      ROLLOUT_MS,
      () => states(cluster),
      (seen) => seen === "Normal Normal",
    );
    await fleet.add(CLIENTS);
    fleet.welcome(500);
    const disturb = new Disturbance(cluster, fleet);
    await disturb.with("chart and image upgraded", async () => {
      cluster.helm("upgrade", RELEASE, CHART, ...where, "--set", "image.tag=next");
      await eventually(
        "both to run the new image",
        ROLLOUT_MS,
        () => images(cluster),
        (seen) => seen === "next next",
      );
    });
    await disturb.with("rolled back", async () => {
      cluster.helm("rollback", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait");
      await eventually(
        "both to run the old image",
        ROLLOUT_MS,
        () => images(cluster),
        (seen) => !seen.includes("next"),
      );
    });
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

/** The tags of the images that run, of member a and of b. */
function images(cluster: Cluster): string {
  const path = '{range .items[*]}{.spec.containers[0].image}{" "}{end}';
  const selector = "app.kubernetes.io/component=engine";
  const running = cluster.kubectl("get", "pods", "--selector", selector, "--output", `jsonpath=${path}`);
  return running
    .trim()
    .split(" ")
    .map((image) => image.slice(image.lastIndexOf(":") + 1))
    .join(" ");
}
