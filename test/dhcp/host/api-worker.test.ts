import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LogEntry } from "../../../src/dhcp/engine/event.ts";
import { ConfigWorker, type ConfigWorkerOptions } from "../../../src/dhcp/host/api-worker.ts";
import type { FromConfigThread } from "../../../src/dhcp/host/config-message.ts";

/** A thread that dies on its first message and says each time that it has begun. */
const DYING = `import { parentPort } from "node:worker_threads";
parentPort.postMessage({ kind: "source", reachable: true });
parentPort.on("message", () => { throw new Error("planted"); });`;

function workerOf(program: string, options: Partial<ConfigWorkerOptions> = {}): ConfigWorker {
  return new ConfigWorker({
    data: {
      namespace: "default",
      relationship: "campus",
      member: "a",
      dataDirectory: "/nonexistent",
      source: { kind: "manifests", directory: "/nonexistent" },
    },
    onMessage: () => {},
    log: () => {},
    program: new URL(`data:text/javascript,${encodeURIComponent(program)}`),
    ...options,
  });
}

test("a thread that the kernel holds up is given up, and known to run still", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-worker-"));
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  const worker = workerOf(
    `import { readFileSync } from "node:fs"; readFileSync(${JSON.stringify(fifo)}, "utf8");`,
  );
  worker.start();
  // Open for writing only once the thread reads: in one call that it does not come back from.
  const writer = await open(fifo, "w");
  try {
    await worker.stop(false);
    assert.equal(worker.isRunning, true);
  } finally {
    // Lets it go, or this process would not end either.
    await writer.close();
    rmSync(directory, { recursive: true });
  }
});

test("a thread that dies counts as a lost source, is told of, and started again after a pause", async () => {
  const messages: FromConfigThread[] = [];
  const entries: LogEntry[] = [];
  let wake = () => {};
  const worker = workerOf(DYING, {
    onMessage: (message) => {
      messages.push(message);
      wake();
    },
    log: (entry) => entries.push(entry),
  });
  const until = async (count: number) => {
    const timeout = AbortSignal.timeout(20_000);
    while (messages.length < count) {
      timeout.throwIfAborted();
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), once(timeout, "abort")]);
    }
  };
  worker.start();
  await until(1);
  worker.keepSnapshots();
  // Begun, died, begun again, and died again: the wish to keep snapshots is repeated to the new thread.
  await until(4);
  await worker.stop(false);
  const reachable = messages.map((message) => (message.kind === "source" ? message.reachable : null));
  assert.deepEqual(reachable.slice(0, 4), [true, false, true, false]);
  assert.equal(entries[0]?.event, "config-thread-died");
  assert.match(String(entries[0]?.fields["cause"]), /planted/);
  assert.deepEqual(
    entries.slice(0, 2).map((entry) => entry.fields["restartMs"]),
    [1000, 2000],
  );
});
