// A pair at rest costs the API nothing: both members NORMAL, no client asks for anything. LEASEPAIR_REST_MINUTES sets for how
// long it is watched.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Write } from "../../dev/cluster/audit.ts";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { recordFact } from "./disturbance.ts";
import { condition, pairObjects } from "./pair-objects.ts";

const MINUTES = Number(process.env["LEASEPAIR_REST_MINUTES"] ?? 3);
/** Counts of addresses are written at most once a minute; the last ones have been after this. */
const QUIET_MS = 75_000;

describe("a pair at rest on a real cluster", { skip: clusterUnmet() }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
    cluster.apply(pairObjects());
    const ready = () => condition(cluster, "Ready");
    await eventually("Ready", 90_000, ready, (seen) => seen === "True Normal");
    await pause(QUIET_MS);
  });
  after(() => cluster?.stop());

  it(`writes nothing in ${MINUTES} minutes but the renewals of the leader's Lease`, async () => {
    const began = Date.now();
    await pause(MINUTES * 60_000);
    const writes = cluster.controlPlane.writes().filter(({ at }) => at >= began);
    const ours = writes.filter((write) => isOurs(write) && !isRenewal(write));
    const renewals = writes.filter((write) => isOurs(write) && isRenewal(write)).length;
    const others = Object.fromEntries(
      Map.groupBy(
        writes.filter((write) => !isOurs(write)),
        nameOf,
      ).entries(),
    );
    for (const [name, { length }] of Object.entries(others)) console.log(`${length} times ${name}`);
    recordFact(
      `writes at rest in ${MINUTES} minutes`,
      `${ours.length}, besides ${renewals} renewals of the leader's Lease`,
    );
    assert.deepEqual(ours.map(nameOf), []);
    assert.ok(renewals > 0, "the leader's renewals were not seen: the log shows nothing");
  });
});

/** By the controller or by an engine. */
function isOurs({ user }: Write): boolean {
  return /^system:serviceaccount:(leasepair-system|default):/.test(user);
}

function isRenewal({ resource, name }: Write): boolean {
  return resource === "leases" && name === "leasepair-controller";
}

function nameOf({ user, verb, resource, name }: Write): string {
  return `${user}: ${verb} ${resource} ${name}`;
}
