// The configuration thread's program: reads the relationship's objects from the API or from manifests, compiles them
// and tells the DHCP thread. It may be slow, block or die without harm to clients.

import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { ApiSource } from "./api-source.ts";
import type { ConfigThreadData, FromConfigThread, ToConfigThread } from "./config-message.ts";
import { ManifestSource } from "./manifest-source.ts";

const port = parentPort;
assert(port !== null, "api-thread.ts runs as a worker thread");
const data = workerData as ConfigThreadData;
const post = (message: FromConfigThread) => port.postMessage(message);
const { source } = data;
const reader =
  source.kind === "api"
    ? new ApiSource({ ...data, kubeconfig: source.kubeconfig, post })
    : new ManifestSource({ ...data, directory: source.directory, post });

port.on("message", (message: ToConfigThread) => {
  if (message.kind === "report") reader.report(message.report);
  else void reader.stop().then(() => port.close());
});
reader.start();
