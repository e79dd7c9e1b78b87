// The controller's two replicas as the tests see them: which one leads, where its process is, what it wrote.

import type { Write } from "../../dev/cluster/audit.ts";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { OPERATOR_NAMESPACE } from "../../dev/cluster/operator.ts";

/** In the command lines of its processes. */
export const CONTROLLER = "leasepair controller";
const LEASE = "leasepair-controller";

export interface Replica {
  readonly pod: string;
  readonly nodeName: string;
  /** Its processes as this machine counts them. */
  readonly pids: readonly number[];
}

/** The replica whose name stands in the Lease; null when nobody's does, or that pod is gone. */
export function leader(cluster: Cluster): Replica | null {
  const lease = cluster.get("lease", LEASE, OPERATOR_NAMESPACE) as LeaseObject | null;
  const [pod = ""] = (lease?.spec?.holderIdentity ?? "").split("_");
  const found = pod === "" ? null : (cluster.get("pod", pod, OPERATOR_NAMESPACE) as PodObject | null);
  const node = cluster.nodes.find(({ name }) => name === found?.spec?.nodeName);
  return node === undefined ? null : { pod, nodeName: node.name, pids: node.processes(CONTROLLER) };
}

interface LeaseObject {
  readonly spec?: { readonly holderIdentity?: string };
}

interface PodObject {
  readonly spec?: { readonly nodeName?: string };
}

/** What the controllers changed since `from` (Date.now()), without their Lease and what they tell people. */
export function effects(cluster: Cluster, from: number): readonly Write[] {
  return cluster.controlPlane
    .writes()
    .filter(
      ({ at, pod, resource, code }) =>
        at >= from && pod.startsWith(LEASE) && code < 300 && isEffect(resource),
    );
}

function isEffect(resource: string): boolean {
  return resource !== "leases" && resource !== "events";
}

/** Gives every replica a fresh pod, so that no back-off of the kubelet's from earlier deaths is left. */
export function freshReplicas(cluster: Cluster): void {
  const inOperators = ["--namespace", OPERATOR_NAMESPACE];
  const selector = "app.kubernetes.io/component=controller";
  cluster.kubectl(...inOperators, "delete", "pods", "--selector", selector, "--wait", "--grace-period=1");
  cluster.kubectl(...inOperators, "rollout", "status", `deployment/${LEASE}`, "--timeout=90s");
}
