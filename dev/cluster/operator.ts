// The product on the cluster: this checkout's image on every node and the chart installed.

import { join } from "node:path";
import { cachedImage } from "../image/cached-image.ts";
import { Cluster } from "./cluster.ts";

export const CHART = join(import.meta.dirname, "..", "..", "charts", "leasepair");
export const OPERATOR_NAMESPACE = "leasepair-system";
export const RELEASE = "leasepair";

/** A cluster with the operator running in it. `values` are further `--set` arguments. */
export async function startOperatorCluster(
  say: (line: string) => void,
  values: readonly string[] = [],
): Promise<Cluster> {
  const image = await cachedImage();
  const cluster = await Cluster.start({ images: [image], say });
  try {
    installOperator(cluster, values);
  } catch (error) {
    await cluster.stop().catch(() => {});
    throw error;
  }
  say(`the operator is installed with Helm in ${OPERATOR_NAMESPACE}`);
  return cluster;
}

/** `helm install`, waiting until it is ready. Nodes have the image already, and nothing can be pulled. */
export function installOperator(cluster: Cluster, values: readonly string[] = []): string {
  const where = ["--namespace", OPERATOR_NAMESPACE, "--create-namespace"];
  const set = ["image.pullPolicy=Never", ...values].flatMap((value) => ["--set", value]);
  return cluster.helm("install", RELEASE, CHART, ...where, ...set, "--wait", "--timeout", "180s");
}
