// What a pod says about an engine that does not run, in words that a person can act on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { observedPod } from "../../src/controller/observe-machines.ts";

const SAID = "cannot bind 10.20.0.12:67/udp: no interface of this machine has the address 10.20.0.12.";
const LOG = `{"level":"info","event":"store-opened"}\nleasepair engine: ${SAID}\n{"level":"error"}\n`;
const BACK_OFF = {
  waiting: { reason: "CrashLoopBackOff", message: "back-off 40s restarting failed container" },
};

function failure(status: object): string | null {
  const containerStatuses = [{ name: "engine", ...status }];
  return observedPod({ metadata: { name: "campus-a-0" }, status: { containerStatuses } }, undefined).failure;
}

test("why an engine does not run: its own last words, else the kubelet's or the scheduler's reason", () => {
  const ended = (fields: object) => ({ lastState: { terminated: { exitCode: 1, ...fields } } });
  const cases: readonly (readonly [string, object, string | null])[] = [
    ["running", { state: { running: {} }, ...ended({ message: LOG }) }, null],
    ["gave up and waits", { state: BACK_OFF, ...ended({ reason: "Error", message: LOG }) }, SAID],
    ["has just given up", { state: { terminated: { exitCode: 1, message: LOG } } }, SAID],
    [
      "out of memory",
      { state: BACK_OFF, ...ended({ reason: "OOMKilled", exitCode: 137 }) },
      "OOMKilled, exit code 137",
    ],
    [
      "no image",
      { state: { waiting: { reason: "ErrImageNeverPull", message: "image is not present" } } },
      "ErrImageNeverPull: image is not present",
    ],
    ["on its way", { state: { waiting: { reason: "PodInitializing" } } }, null],
    ["stopped in order", { state: { terminated: { exitCode: 0, reason: "Completed" } } }, null],
    ["nothing known", {}, null],
  ];
  for (const [name, status, expected] of cases) assert.equal(failure(status), expected, name);
  const message = "0/3 nodes are available: 1 node(s) had volume node affinity conflict.";
  const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }];
  const unscheduled = observedPod({ metadata: { name: "campus-a-0" }, status: { conditions } }, undefined);
  assert.equal(unscheduled.failure, `Unschedulable: ${message}`);
});

test("last words of any length stay short enough for a condition", () => {
  const message = `leasepair engine: ${"x".repeat(4000)}`;
  assert.equal(failure({ state: { terminated: { exitCode: 1, message } } })?.length, 400);
});

test("a pod that is older than its ServiceAccount has a token that the API refuses", () => {
  const at = (creationTimestamp: string) => ({ metadata: { name: "campus-a", creationTimestamp } });
  const pod = at("2026-03-01T03:00:00Z");
  const isReplaced = (account: ReturnType<typeof at> | undefined) =>
    observedPod(pod, account).isAccountReplaced;
  assert.equal(isReplaced(at("2026-03-01T03:00:01Z")), true);
  assert.equal(isReplaced(at("2026-03-01T03:00:00Z")), false);
  assert.equal(isReplaced(undefined), false);
});
