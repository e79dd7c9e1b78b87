// Alerting end to end: a node is crashed, and a person hears of it. Real Prometheus scrapes the cluster, real Alertmanager
// sends to a webhook. With the operator gone the alerts say what is still true.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../dev/cluster/cluster.ts";
import { OPERATOR_NAMESPACE, startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { CONTROLLER } from "./controllers.ts";
import { recordFact } from "./disturbance.ts";
import { INTERVALS, Monitoring } from "./monitoring.ts";
import { AUTOMATIC, memberStatus, pairObjects, untilNormal } from "./pair-objects.ts";

/** Nodes that no test here crashes. */
const ON = [1, 3] as const;
const GRANT_MS = 90_000;
/** From the state change to the webhook, and from NORMAL to the word that it is over. */
const ALERT_MS = 60_000;
const NORMAL_MS = 180_000;
/** Scraped and evaluated several times. */
const STILL_MS = 15_000;
/** Longer than the `for` of the rules, their evaluation and the scrape. */
const ONE_MINUTE_RULE_MS = 120_000;

describe("alerting on a real cluster", { skip: clusterUnmet(), timeout: 840_000 }, () => {
  let cluster: Cluster;
  let monitoring: Monitoring;
  before(async () => {
    cluster = await startOperatorCluster((line) => console.log(line));
    cluster.apply(pairObjects({ partnerDown: AUTOMATIC }));
    await normal();
    monitoring = await Monitoring.start(cluster);
  });
  after(async () => {
    monitoring?.stop();
    await cluster?.stop();
  });

  const normal = () => untilNormal(cluster, NORMAL_MS);
  const hears = (alert: string, member: string, status: string, ms: number) =>
    eventually(
      `${alert} of ${member} ${status}`,
      ms,
      () => monitoring.state(alert, member),
      (seen) => seen === status,
    );

  it("a crashed node becomes PARTNER-DOWN, and LeasepairPartnerDown reaches the webhook within 60 s of that", async () => {
    await cluster.node(2).crash();
    const state = () => String(memberStatus(cluster, "a")["state"]);
    await eventually("a in PARTNER-DOWN", GRANT_MS, state, (seen) => seen === "PartnerDown");
    const since = Date.parse(String(memberStatus(cluster, "a")["since"]));
    await hears("LeasepairPartnerDown", "a", "firing", ALERT_MS);
    const seconds = ((monitoring.heard.get("LeasepairPartnerDown a")?.at ?? 0) - since) / 1000;
    const { scrapeSeconds, evaluationSeconds, groupWaitSeconds } = INTERVALS;
    const intervals = `scraped every ${scrapeSeconds} s, evaluated every ${evaluationSeconds} s, group_wait ${groupWaitSeconds} s`;
    recordFact(`LeasepairPartnerDown from the state to the webhook, ${intervals}`, `${seconds.toFixed(1)} s`);
    assert.ok(seconds <= ALERT_MS / 1000, `${seconds} s`);
  });

  it("the alert outlives the operator, and resolves without it once the node is back", async () => {
    cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "scale", "deployment", "--all", "--replicas=0");
    const controllers = () => ON.flatMap((node) => cluster.node(node).processes(CONTROLLER));
    await eventually("no operator", 60_000, controllers, (pids) => pids.length === 0);
    await pause(STILL_MS);
    assert.equal(monitoring.state("LeasepairPartnerDown", "a"), "firing");
    await cluster.node(2).start();
    await normal();
    await hears("LeasepairPartnerDown", "a", "resolved", ALERT_MS);
  });

  it("with no operator a crashed node is interrupted and absent, and nobody says PARTNER-DOWN", async () => {
    monitoring.heard.clear();
    await cluster.node(2).crash();
    await hears("LeasepairCommunicationsInterrupted", "a", "firing", ONE_MINUTE_RULE_MS);
    await hears("LeasepairEngineAbsent", "b", "firing", ONE_MINUTE_RULE_MS);
    assert.equal(monitoring.state("LeasepairPartnerDown", "a"), "silent");
  });
});
