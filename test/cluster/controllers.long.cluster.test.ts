// Two controllers at once, and a controller that dies at every one of its effects, while clients lease: the witness is granted
// once, comes back, and nothing is lost. What embedded tests do at every single write with caches that lag
// (test/controller/automatic.e2e.test.ts) is done here with real processes and real elections. LEASEPAIR_ROUNDS sets up to
// which effect the controller is killed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { kill } from "../../dev/cluster/machine.ts";
import { startOperatorCluster } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { effects, freshReplicas, leader, type Replica } from "./controllers.ts";
import { AUTOMATIC, memberStatus, PAIR, pairObjects } from "./pair-objects.ts";
import { ROUNDS } from "./rounds.ts";
import { runningPair } from "./running-pair.ts";

/** A grant follows afterSeconds after the loss, and a new leader has to see that for itself. */
const GRANT_MS = 120_000;
const LEADER_MS = 60_000;

describe("controllers that die and freeze, on a real cluster", { skip: clusterUnmet() }, () => {
  // One on each node: with the leader frozen and another node lost there still is one to take over.
  const pair = runningPair(pairObjects({ partnerDown: AUTOMATIC }), () =>
    startOperatorCluster((line) => console.log(line), ["controller.replicas=3"]),
  );

  const witness = () => {
    const path = "jsonpath={.status.witness.epoch} {.status.witness.holder}";
    return pair.cluster.kubectl("get", "dhcpfo", PAIR, "--output", path).split(" ");
  };
  const leading = async (isOther: (replica: Replica) => boolean = () => true) => {
    const look = () => leader(pair.cluster);
    const found = await eventually("a leader", LEADER_MS, look, (seen) => seen !== null && isOther(seen));
    return found as Replica;
  };
  /** A node is lost, but never the leader's, its member declared down, the node comes back, the grant is given back; gives by
   *  how much the epoch rose. */
  const life = async ({ nodeName }: Replica) => {
    const [before = ""] = witness();
    const [lost, survivor] = nodeName === "node-2" ? ([1, "b"] as const) : ([2, "a"] as const);
    await pair.cluster.node(lost).crash();
    const state = () => String(memberStatus(pair.cluster, survivor)["state"]);
    await eventually(`${survivor} in PARTNER-DOWN`, GRANT_MS, state, (seen) => seen === "PartnerDown");
    await pair.cluster.node(lost).start();
    await eventually("the grant given back", GRANT_MS, witness, ([, holder]) => holder === "");
    return Number(witness()[0]) - Number(before);
  };

  it("a leader that freezes is replaced, and writes nothing once it thaws", async () => {
    await pair.disturb.with("leader frozen, partner lost, leader thawed", async () => {
      const frozen = await leading();
      for (const pid of frozen.pids) kill(pid, "SIGSTOP");
      const from = Date.now();
      const grants = life(frozen);
      await leading(({ pod }) => pod !== frozen.pod);
      for (const pid of frozen.pids) kill(pid, "SIGCONT");
      assert.equal(await grants, 1, "granted once");
      const late = effects(pair.cluster, from).filter(({ pod }) => pod === frozen.pod);
      assert.deepEqual(late, []);
      assert.notEqual((await leading()).pod, frozen.pod);
    });
  });

  it(`a controller killed at each of its first ${ROUNDS} effects after a loss: one grant, given back`, async () => {
    for (let nth = 1; nth <= ROUNDS; nth++) {
      freshReplicas(pair.cluster);
      const struck = await leading();
      let isStruck = false;
      await pair.disturb.with("partner lost, controller killed at an effect", async () => {
        const from = Date.now();
        const grants = life(struck);
        const watched = eventually(
          `effect ${nth}`,
          2 * GRANT_MS,
          () => effects(pair.cluster, from).length,
          (seen) => seen >= nth,
        ).then(() => {
          isStruck = true;
          for (const pid of struck.pids) kill(pid, "SIGKILL");
        });
        assert.equal(await grants, 1, `effect ${nth}: granted once`);
        await Promise.race([watched, pause(1_000)]);
      });
      if (!isStruck) return;
    }
  });
});
