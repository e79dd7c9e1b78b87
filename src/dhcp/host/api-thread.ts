// The configuration thread's program: reads the relationship's objects from the API or from manifests, compiles them
// and tells the DHCP thread. It may be slow, block or die without harm to clients.

import { flushCompileCache } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import type { CompiledRelationship } from "../../api/compiled.ts";
import { assert } from "../../base/assert.ts";
import { FaultError } from "../../base/fault.ts";
import { packConfig } from "../server/engine-config.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { ConfigHold } from "./config-hold.ts";
import type {
  ConfigThreadData,
  FromConfigSource,
  FromConfigThread,
  ToConfigThread,
} from "./config-message.ts";
import { SnapshotKeeper } from "./snapshot.ts";

const port = parentPort;
assert(port !== null, "api-thread.ts runs as a worker thread");
const data = workerData as ConfigThreadData;
const snapshots = new SnapshotKeeper(data.dataDirectory);
let newest: CompiledRelationship | null = snapshots.stored;
let keepsSnapshots = false;

const hold = new ConfigHold({
  member: data.member,
  pass: (message) => {
    // A configuration is on disk before the engine runs on it, so that a restart finds it.
    if (message.config.members.some(({ name }) => name === data.member)) {
      newest = message.config;
      if (keepsSnapshots) keepSnapshot();
    }
    const { config, buffers } = packConfig(message.config);
    port?.postMessage({ ...message, config } satisfies FromConfigThread, buffers);
  },
  onProblem: (problem) => reader.setMachineProblem(problem),
  log: (entry) => port?.postMessage({ kind: "log", entry } satisfies FromConfigThread),
});

function post(message: FromConfigSource): void {
  if (message.kind === "configured") hold.take(message);
  else port?.postMessage(message);
}

function keepSnapshot(): void {
  if (newest === null) return;
  try {
    snapshots.keep(newest);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    const entry = {
      level: "error",
      event: "snapshot-not-written",
      message: error.message,
      fields: {},
    } as const;
    port?.postMessage({ kind: "log", entry } satisfies FromConfigThread);
  }
}

const { source } = data;
const lastGood = () => newest;
// Only the one that is needed is loaded: the API's client library takes more memory than everything else here.
const reader =
  source.kind === "api"
    ? new (await import("./api-source.ts")).ApiSource({
        ...data,
        kubeconfig: source.kubeconfig,
        lastGood,
        post,
      })
    : new (await import("./manifest-source.ts")).ManifestSource({
        ...data,
        directory: source.directory,
        lastGood,
        post,
      });

port.on("message", (message: ToConfigThread) => {
  switch (message.kind) {
    case "report":
      snapshots.setShapeInForce(message.report.shape);
      return reader.report(message.report);
    case "news":
      return reader.tell(message.entry);
    case "keep-snapshots":
      // The start is over.
      flushCompileCache();
      keepsSnapshots = true;
      hold.engineRuns();
      keepSnapshot();
      return collectGarbage();
    case "stop":
      hold.stop();
      void reader.stop().then(() => port.close());
  }
});
reader.start();
