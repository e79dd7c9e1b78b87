// From the first green version, its chart and its engines and controller, to this checkout's, and back.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { CHART, OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { cachedImage } from "../../dev/image/cached-image.ts";
import { unpackFirstGreen } from "../n-1/first-green.ts";

const FIRST_GREEN = join(import.meta.dirname, "..", "..", "test/corpus/n-1/chart");
const NEW_TAG = "next";
const ROLLOUT_MS = 240_000;
const IN_OPERATORS = ["--namespace", OPERATOR_NAMESPACE, "--wait", "--timeout", "120s"];

/** A cluster with the first green version installed, whose nodes have both images. */
export async function startFirstGreen(): Promise<Cluster> {
  const cluster = await startUpgradeCluster();
  installFirstGreen(cluster);
  return cluster;
}

/** A cluster whose nodes have both images, and nothing installed. */
async function startUpgradeCluster(): Promise<Cluster> {
  const old = unpackFirstGreen();
  const images = [await cachedImage(undefined, old.root), await cachedImage(NEW_TAG)];
  old.remove();
  return Cluster.start({ images, say: (line) => console.log(line) });
}

/** Its chart, which names its own image. */
function installFirstGreen(cluster: Cluster): void {
  const [archive = ""] = readdirSync(FIRST_GREEN);
  cluster.helm("install", RELEASE, join(FIRST_GREEN, archive), ...IN_OPERATORS, "--create-namespace");
}

/** Resolves once both members run the new image. */
export async function upgrade(cluster: Cluster): Promise<void> {
  const values = ["--reset-then-reuse-values", "--set", `image.tag=${NEW_TAG}`];
  cluster.helm("upgrade", RELEASE, CHART, ...IN_OPERATORS, ...values);
  const both = `${NEW_TAG} ${NEW_TAG}`;
  const look = () => runningTags(cluster);
  await eventually("both to run the new image", ROLLOUT_MS, look, (seen) => seen === both);
}

/** Resolves once neither member runs the new image. */
export async function rollBack(cluster: Cluster): Promise<void> {
  cluster.helm("rollback", RELEASE, ...IN_OPERATORS);
  const look = () => runningTags(cluster);
  const isBack = (seen: string) => !seen.includes(NEW_TAG) && seen.includes(" ");
  await eventually("both to run the old image", ROLLOUT_MS, look, isBack);
}

/** Of the images that run, of member a and of b. */
function runningTags(cluster: Cluster): string {
  const path = '{range .items[*]}{.spec.containers[0].image}{" "}{end}';
  const selector = "app.kubernetes.io/component=engine";
  const running = cluster.kubectl("get", "pods", "--selector", selector, "--output", `jsonpath=${path}`);
  return running
    .trim()
    .split(" ")
    .map((image) => image.slice(image.lastIndexOf(":") + 1))
    .join(" ");
}
