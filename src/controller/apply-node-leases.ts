// The Leases of nodes, read while a pair is apart: they tell within half a minute whether a kubelet's word on its pods is
// fresh. Read one by one and only then: a cluster of thousands of nodes renews thousands of them every ten seconds.

import type { UnixSeconds } from "../base/units.ts";
import type { KubeClient } from "../kube/client.ts";
import { LEASE } from "../kube/resource.ts";
import { map } from "./json.ts";
import { type Memory, noteNodeLease } from "./memory.ts";

/** The namespace in which kubelets keep their Leases. */
const NAMESPACE = "kube-node-lease";
const TIMEOUT_MS = 2_000;
/** Reads the Leases of `nodes` into `memory`. One that cannot be read counts as not there: the node's condition Ready
 *  then speaks for it, later. Never throws. */
export async function readNodeLeases(
  client: Pick<KubeClient, "find">,
  memory: Memory,
  nodes: readonly string[],
  now: UnixSeconds,
): Promise<void> {
  await Promise.all(
    nodes.map(async (node) => {
      const lease = await client
        .find(LEASE, NAMESPACE, node, { attempts: 1, timeoutMs: TIMEOUT_MS })
        .catch(() => null);
      const { renewTime } = map(lease?.["spec"]);
      noteNodeLease(memory, node, typeof renewTime === "string" ? renewTime : null, now);
    }),
  );
}
