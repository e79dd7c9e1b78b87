// A class without a provisioner and the volumes of it: what stands in for a storage system on the cluster.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../../dev/cluster/cluster.ts";

const CLASS = "stores";
export const IN_CLAIMS = {
  type: "PersistentVolumeClaim",
  persistentVolumeClaim: { storageClassName: CLASS, size: "64Mi" },
};

export function storageClass(): object {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: CLASS },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  };
}

/** On this machine's disk, which all nodes share outside of their own directories. */
function directory(cluster: Cluster, name: string): string {
  const path = join(cluster.directory, `volume-${name}`);
  mkdirSync(path, { recursive: true });
  return path;
}

export function volume(cluster: Cluster, name: string, nodes: readonly string[]): object {
  const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values: nodes }];
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "64Mi" },
      accessModes: ["ReadWriteOncePod"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: CLASS,
      local: { path: directory(cluster, name) },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}
