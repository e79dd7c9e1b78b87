// The certificates of the link change on a real cluster while clients lease: renewed in time, their authority followed by another step
// by step, and all of them revoked at once. After each change the link is broken, so that the next one is made with what is new.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import {
  AUTHORITY,
  age,
  ageAuthority,
  DAY_MS,
  hurry,
  reconnect,
  revokeAll,
  secretData,
  secretOf,
  taken,
  trusts,
} from "./certificates.ts";
import { freshReplicas } from "./controllers.ts";
import { MEMBERS } from "./pair-objects.ts";
import { runningPair } from "./running-pair.ts";

/** A new leader looks at the Secrets at once. */
const SEEN_MS = 60_000;
/** By then every pod has them, the controller reckons. */
const PROPAGATED_MS = 1_000_000;
const OLD_AUTHORITY_MS = 4.6 * 365 * DAY_MS;
/** What the authority's Secret holds after each step, and how many authorities the members trust by then. */
const STEPS = [
  "ca.crt ca.key next.crt next.key; 2 2",
  "ca.crt ca.key previous.crt; 2 2",
  "ca.crt ca.key; 1 1",
];

describe("certificates that change on a real cluster", { skip: clusterUnmet(), timeout: 2_400_000 }, () => {
  const pair = runningPair();

  /** One engine has the new ones before the other. */
  const takenInTurn = async () => {
    for (const member of MEMBERS) {
      hurry(pair.cluster, member);
      await taken(pair.cluster, member);
      await reconnect(pair);
    }
  };
  const changed = async (what: string, change: () => Promise<void>) => {
    const path = "jsonpath={.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}";
    const pods = () => pair.cluster.kubectl("get", "pods", "--output", path);
    const before = pods();
    await pair.disturb.with(what, change);
    assert.equal(pods(), before);
  };

  it("a certificate that is 61 days old is renewed, and the next link is made with the new one", async () => {
    await changed("certificate of a member renewed", async () => {
      await age(pair.cluster, "a", 61 * DAY_MS);
      const look = () => secretData(pair.cluster, secretOf("a"))["tls.crt"];
      const old = look();
      freshReplicas(pair.cluster);
      await eventually("renewed", SEEN_MS, look, (seen) => seen !== old);
      await takenInTurn();
    });
  });

  it("an authority near its end is followed by another: trusted first, signing then, the old one forgotten last", async () => {
    const { cluster } = pair;
    await changed("authority of the link followed by another", async () => {
      await ageAuthority(cluster, OLD_AUTHORITY_MS);
      for (const member of MEMBERS) hurry(cluster, member);
      for (const member of MEMBERS) await taken(cluster, member);
      for (const step of STEPS) {
        freshReplicas(cluster);
        const look = () =>
          `${Object.keys(secretData(cluster, AUTHORITY)).sort().join(" ")}; ${trusts(cluster)}`;
        await eventually("the next step", SEEN_MS, look, (seen) => seen === step);
        await takenInTurn();
        for (const member of MEMBERS) await age(cluster, member, PROPAGATED_MS);
      }
    });
  });

  it("the authority deleted: there is another one in time, and what the old one signed is refused", async () => {
    await changed("authority of the link deleted, found by the controller", () => revokeAll(pair, false));
  });
});
