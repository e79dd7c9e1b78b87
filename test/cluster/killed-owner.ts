// A program for a test: starts a cluster, freezes a node and is killed without a chance to clean up.

import { Cluster } from "../../dev/cluster/cluster.ts";

const cluster = await Cluster.start({ say: () => {} });
cluster.node(2).freeze();
process.kill(process.pid, "SIGKILL");
