// What Events say of an object that lacks something: the latest word, unless it only says that all is in order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRefusals } from "../../src/controller/apply-refusals.ts";
import { newMemory } from "../../src/controller/memory.ts";

const CLAIM = {
  kind: "PersistentVolumeClaim",
  metadata: { namespace: "dhcp", name: "leasepair-x-a", uid: "uid" },
};
const said = (reason: string, note: string, deprecatedLastTimestamp: string, uid = "uid") => ({
  metadata: { name: `${reason}.1` },
  regarding: { uid },
  reason,
  note,
  deprecatedLastTimestamp,
});
const NOT_FOUND = said("ProvisioningFailed", "class not found", "2026-03-01T03:00:00Z");
const WAITS = said("WaitForFirstConsumer", "waiting for first consumer", "2026-03-01T03:00:10Z");

test("of a claim the latest word counts; that it waits for its pod is none", async () => {
  const memory = newMemory();
  const selectors: string[] = [];
  const read = (...items: object[]) =>
    readRefusals(
      {
        list: (
          _type: unknown,
          _namespace: unknown,
          { fieldSelector = "" }: { fieldSelector?: string } = {},
        ) => {
          selectors.push(fieldSelector);
          return Promise.resolve({ items });
        },
      } as never,
      memory,
      [CLAIM],
    );
  await read(NOT_FOUND);
  assert.equal(memory.refusals.get("uid"), "class not found");
  await read(NOT_FOUND, WAITS);
  assert.equal(memory.refusals.has("uid"), false, "the class is there by now");
  await read({ ...WAITS, deprecatedLastTimestamp: "2026-03-01T02:00:00Z" }, NOT_FOUND);
  assert.equal(memory.refusals.get("uid"), "class not found");
  await read({ ...NOT_FOUND, regarding: { uid: "of an earlier one of its name" } });
  assert.equal(memory.refusals.has("uid"), false);
  assert.equal(selectors[0], "regarding.kind=PersistentVolumeClaim,regarding.name=leasepair-x-a");
});

test("a pod that lost its labels is in the way of the next one, and said to be", async () => {
  const memory = newMemory();
  const set = { kind: "StatefulSet", metadata: { namespace: "dhcp", name: "campus-a", uid: "uid" } };
  const read = (pod: object | null) => {
    const client = { list: () => Promise.resolve({ items: [] }), find: () => Promise.resolve(pod) };
    return readRefusals(client as never, memory, [set]);
  };
  await read({ metadata: { name: "campus-a-0" } });
  assert.match(
    memory.refusals.get("uid") ?? "",
    /^Pod campus-a-0 exists .* kubectl delete pod -n dhcp campus-a-0$/,
  );
  // Its own, which the cache does not show yet.
  await read({ metadata: { name: "campus-a-0", ownerReferences: [{ controller: true, uid: "uid" }] } });
  assert.equal(memory.refusals.has("uid"), false);
  await read(null);
  assert.equal(memory.refusals.has("uid"), false);
});
