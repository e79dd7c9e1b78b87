// What the cluster needs of the machine, as the reason to skip a test.

import { readFileSync } from "node:fs";
import { CLUSTER_PACKAGES, isRoot, missingPackages } from "../lib/debian-packages.ts";

/** False when a cluster can be started here, else the reason why not. */
export function clusterUnmet(): string | false {
  if (!isRoot()) return "needs root";
  const missing = missingPackages(CLUSTER_PACKAGES);
  if (missing.length > 0) return `needs the Debian packages ${missing.join(", ")}`;
  const hasVersion1 = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[2] === "cgroup");
  return hasVersion1 ? false : "needs control groups of version 1, which the nodes are made of";
}
