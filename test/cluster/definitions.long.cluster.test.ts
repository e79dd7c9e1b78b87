// Definitions (CRDs) deleted, or of an earlier release, on a real cluster while clients lease: with two scopes as with many nobody is
// served less, what is wrong is told, and with the definition and the objects back everything goes on. Only the relationships' own takes
// the servers with it; their leases wait on the nodes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { condition, LEASES, PAIR, pairObjects } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";
import { ROOT } from "./typed.ts";

/** Longer than nobody is served. */
const LEASE_TIME = { defaultSeconds: 900, minSeconds: 60, maxSeconds: 900, ...LEASES };
/** Every client has renewed twice. */
const RENEWED_MS = 12_000;
const TOLD_MS = 60_000;
/** One object of a kind is tried again each minute. */
const TRIED_MS = 180_000;
const NEWCOMER_MS = 3_000;
const CRDS = join(ROOT, "crds");

describe("definitions on a real cluster", { skip: clusterUnmet(), timeout: 1_200_000 }, () => {
  const objects = pairObjects({ scopeDefaults: { leaseTime: LEASE_TIME } });
  const pair = runningPair(objects);

  const deleteDefinitions = (...plurals: readonly string[]) =>
    pair.cluster.kubectl(
      "delete",
      "crd",
      ...plurals.map((plural) => `${plural}.leasepair.io`),
      "--timeout=60s",
    );
  const bringBack = () => {
    pair.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename", CRDS);
    pair.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s");
  };
  const told = (type: string, expected: string, ms = TOLD_MS) =>
    eventually(
      `${type} ${expected}`,
      ms,
      () => condition(pair.cluster, type),
      (seen) => seen === expected,
    );
  const scopes = () =>
    pair.cluster.kubectl("get", "dhcpscopes", "--output", "jsonpath={.items[*].status.addresses.total}");

  it("scopes, reservation sets and operations: nobody is served less, and it says what to type", async () => {
    await pair.disturb.with(
      "definitions of scopes, reservation sets and operations deleted",
      async () => {
        deleteDefinitions("dhcpscopes", "dhcpreservationsets", "failoveroperations");
        await told("Stalled", "True DefinitionMissing");
        assert.equal(condition(pair.cluster, "Ready"), "True Normal");
        await pause(RENEWED_MS);
        bringBack();
        pair.cluster.apply(objects);
        await told("Stalled", "");
      },
      NEWCOMER_MS,
    );
    await eventually("both told", TOLD_MS + TOLD_MS, scopes, (seen) => seen.split(" ").length === 2);
  });

  it("members: nobody is served less, and their reports come back by themselves", async () => {
    await pair.disturb.with(
      "definition of the members deleted",
      async () => {
        deleteDefinitions("failovermembers");
        await told("Stalled", "True DefinitionMissing");
        await pause(RENEWED_MS);
        bringBack();
        await told("Stalled", "");
      },
      NEWCOMER_MS,
    );
  });

  it("of an earlier release: what it drops is told, and comes once it is upgraded", async () => {
    const field = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/addresses";
    const patch = JSON.stringify([{ op: "remove", path: field }]);
    pair.cluster.kubectl("patch", "crd", "dhcpscopes.leasepair.io", "--type=json", "--patch", patch);
    pair.cluster.kubectl("annotate", "dhcpscopes", "--all", "looked=at");
    await told("Reconciling", "True DefinitionOutdated", TRIED_MS);
    assert.equal(scopes(), "");
    bringBack();
    await told("Reconciling", "", TRIED_MS);
    await eventually("counts", TOLD_MS + TOLD_MS, scopes, (seen) => seen.split(" ").length === 2);
  });

  it("relationships: the servers go, and with the same files every lease goes on", async () => {
    const { cluster, disturb } = pair;
    const store = "jsonpath={.items[*].status.store}";
    const stores = () => cluster.kubectl("get", "failovermembers", "--output", store);
    const before = stores();
    await disturb.with("definition of the relationships deleted", async () => {
      await pause(RENEWED_MS);
      deleteDefinitions("failoverrelationships");
      const pods = () => cluster.kubectl("get", "pods", "--output", "name");
      await eventually("no servers", TRIED_MS, pods, (seen) => seen === "");
      bringBack();
      cluster.apply(objects);
    });
    assert.equal(stores(), before);
    assert.equal(condition(cluster, "Accepted", PAIR), "True Accepted");
  });
});
