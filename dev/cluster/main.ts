// `npm run cluster`: a real Kubernetes with the operator and the load-balancing example in it, for play. Says what to type, and
// waits for Ctrl-C; then everything is gone.

import { join } from "node:path";
import { CLUSTER_PACKAGES, installMissingPackages, isRoot } from "../lib/debian-packages.ts";
import { readOptions } from "../lib/options.ts";
import { startOperatorCluster } from "./operator.ts";
import { clusterUnmet } from "./requirements.ts";

const EXAMPLE = "examples/load-balance.yaml";
const HOUR_MS = 3_600_000;
const HELP = `A real Kubernetes on this machine with the operator and a pair in it, for play; Ctrl-C removes all of it. Needs root.

  npm run cluster
`;

readOptions(HELP, {});
if (isRoot()) installMissingPackages(CLUSTER_PACKAGES);
const unmet = clusterUnmet();
if (unmet !== false) {
  console.error(`npm run cluster ${unmet}`);
  process.exit(2);
}
const stopped = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopped.resolve());
const starting = startOperatorCluster((line) => console.log(line));
const cluster = await Promise.race([starting, stopped.promise]);
if (cluster !== undefined) {
  cluster.apply(join(import.meta.dirname, "..", "..", EXAMPLE));
  const client = cluster.network.client(1, "lan0");
  console.log(`
${EXAMPLE} is applied. In another terminal, as root:

  export KUBECONFIG=${cluster.kubeConfigFile}
  export PATH=${join(cluster.program("kubectl"), "..")}:${join(cluster.program("helm"), "..")}:$PATH

  kubectl get dhcpfo                     # the pair: both NORMAL in some ten seconds
  kubectl get pods -o wide               # its two servers
  ip netns exec ${client} busybox udhcpc -f -q -i lan        # a client asks for an address
  kubectl exec campus-a-0 -- leasepair leases --data-dir /var/lib/leasepair
  kubectl delete pod campus-a-0          # one server restarts, the other serves

Logs of the control plane: ${cluster.directory}/control-plane/*.log
Ctrl-C ends the cluster and removes everything.`);
  const tick = setInterval(() => {}, HOUR_MS);
  await stopped.promise;
  clearInterval(tick);
}
// Not yet up: the keeper removes what is there when this process is gone.
await cluster?.stop();
process.exit(0);
