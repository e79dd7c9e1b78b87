// Holds an embedded API and a node agent with one pod, prints the pod's process id and waits to be killed.

import { join } from "node:path";
import { startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { startNodeAgent } from "../../dev/node-agent/node-agent.ts";

const dataRoot = process.argv[2]!;
const api = await startEmbeddedApi();
const agent = startNodeAgent({
  api,
  nodes: [{ name: "n1", address: "127.0.0.1" }],
  dataRoot,
  logDirectory: join(dataRoot, "logs"),
  programs: { sleep: ["/bin/sleep"] },
});
const pinned = { matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] };
const nodeAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [pinned] } };
const spec = { affinity: { nodeAffinity }, containers: [{ name: "c", command: ["sleep", "600"] }] };
api.objects.store.subscribe(() => {
  const pid = agent.pid("default", "set-0");
  if (pid !== null) console.log(pid);
});
api.objects.create(api.kind("statefulsets"), "default", {
  metadata: { name: "set" },
  spec: { replicas: 1, template: { metadata: {}, spec } },
});
