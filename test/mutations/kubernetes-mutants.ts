// Breaches of the rules for a life in Kubernetes, in the controller, its client and its objects, and of the controller's part of the
// witness. Source: reliability rules K1-K10; docs/protocol/witness.md W1, W8, W10, W13.

import type { Mutant } from "./mutant.ts";

export const KUBERNETES_MUTANTS: readonly Mutant[] = [
  {
    name: "without the API nobody proves anything, though the partner answers",
    rule: "K1, W2",
    patches: [
      {
        file: "src/dhcp/engine/echo.ts",
        find: "      if (proves === true && engine.session === session && mayBelieve(session)) noteProof(engine, askedAt);\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "a pair that is linked serves everybody, and changes no state",
    },
  },
  {
    name: "a definition that is deleted takes the scopes out of force",
    rule: "K1",
    patches: [
      {
        file: "src/dhcp/host/api-source.ts",
        find: "doubtsDeletions: true };",
        replace: "doubtsDeletions: false };",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/host/api-source.test.ts",
      name: "with one scope or many: what goes with its definition stays in force, and is followed again once both are back",
    },
  },
  {
    name: "a start waits for the API, under fencing too",
    rule: "K1, S13",
    patches: [
      {
        file: "src/dhcp/engine/startup.ts",
        find: "  if (isFenced(engine)) return true;\n  const away",
        replace: "  const away",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "a member that starts alone goes on with its saved state, however long it was away",
    },
  },
  {
    name: "the deletion of its node is a proof that a holder is dead",
    rule: "K2, W8",
    patches: [
      {
        file: "src/controller/decide/automatic.ts",
        find: "partner.node?.isOutOfService === true;",
        replace: "partner.node?.isOutOfService !== false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/automatic.test.ts",
      name: "the holder's node was deleted: no proof of death: none",
    },
  },
  {
    name: "who cannot be reached is down, whatever its kubelet says",
    rule: "K2",
    patches: [
      {
        file: "src/controller/decide/automatic.ts",
        find: "unixSeconds(Math.max(apartSince, sign) + observed.afterSeconds)",
        replace: "unixSeconds(apartSince + observed.afterSeconds)",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/automatic.test.ts",
      name: "its kubelet says that the partner answers: wait 300",
    },
  },
  {
    name: "who reports itself is declared down",
    rule: "K2",
    patches: [
      {
        file: "src/controller/decide/automatic.ts",
        find: 'if (partner === null || liveness(partner, survivor, observed.now).kind !== "unknown") continue;',
        replace: "if (partner === null) continue;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/automatic.test.ts",
      name: "both report: each is cut off from the other alone: none",
    },
  },
  {
    name: "the time of a loss runs on through a silence of the survivor",
    rule: "K2",
    patches: [
      {
        file: "src/controller/memory.ts",
        find: "known !== undefined && heard - known.heardAt <= SILENCE_SECONDS ? known.since : now",
        replace: "known !== undefined ? known.since : now",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/memory.test.ts",
      name: "loss counts from the first look, goes on while reports come, and starts anew after a silence",
    },
  },
  {
    name: "a grant does not wait until both members cap their leases",
    rule: "K2",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: '  if (fencing.fencing === "None") return [];\n',
        replace: "  if (members.length > 0) return [];\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/automatic.test.ts",
      name: "a member that does not cap its leases yet: blocked: b did not report that leases are capped by the witness",
    },
  },
  {
    name: "a grant is written over a holder",
    rule: "W1",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: "  if (witness.holder !== null || store === undefined) return null;",
        replace: "  if (store === undefined) return null;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/witness.test.ts",
      name: "no grant is written over a holder, its own included (W1)",
    },
  },
  {
    name: "a grant is cleared that its holder has not given back",
    rule: "W8",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: " || holder.report.returned < witness.epoch) return null;",
        replace: ") return null;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/witness.test.ts",
      name: "only the holder's own returned, from the store it was granted to, clears a grant (W8a)",
    },
  },
  {
    name: "the next store of a holder gives back what that holds",
    rule: "W8, W13",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: "holder.report.store !== witness.holderStore || ",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/witness.test.ts",
      name: "only the holder's own returned, from the store it was granted to, clears a grant (W8a)",
    },
  },
  {
    name: "a grant is taken from a holder that nobody has called destroyed",
    rule: "W8",
    patches: [
      {
        file: "src/controller/decide/operation-partner-down.ts",
        find: "if (holder === survivor || !isPartnerDestroyed) {",
        replace: "if (holder === survivor) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/operation.test.ts",
      name: "a grant is taken from a holder only when it was declared destroyed and says nothing itself",
    },
  },
  {
    name: "a grant is taken from a holder that reports itself",
    rule: "W8",
    patches: [
      {
        file: "src/controller/decide/operation-partner-down.ts",
        find: "  if (!isAlive) return null;\n",
        replace: "  if (isAlive || !isAlive) return null;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/operation.test.ts",
      name: "a grant is taken from a holder only when it was declared destroyed and says nothing itself",
    },
  },
  {
    name: "a transfer keeps the epoch",
    rule: "W8",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: "witness: { ...change.witness, transferredFrom: holder },",
        replace: "witness: { ...change.witness, epoch: witness.epoch, transferredFrom: holder },",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/automatic.test.ts",
      name: "a transfer raises the epoch, names whom it was taken from, and says what follows when the word is wrong",
    },
  },
  {
    name: "a new store is listed while a grant of the old one is open",
    rule: "W13",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: "    if (holdsGrant(witness, name)) continue;\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/witness.test.ts",
      name: "a new store is listed, but not while a grant of the old one is open (W13)",
    },
  },
  {
    name: "two empty stores are listed without a human",
    rule: "W10",
    patches: [
      {
        file: "src/controller/decide/witness.ts",
        find: "    if (!isFirst && !isPartnerComplete(known, members, name) && !areJoined(members)) continue;\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/witness.test.ts",
      name: "two empty stores wait for a human: neither is listed while the partner is not complete (W10)",
    },
  },
  {
    name: "a watch that goes on is trusted without another list",
    rule: "K3",
    patches: [
      {
        file: "src/kube/reflector.ts",
        find: 'if (next === "relist" || this.#options.timing.nowMs() >= this.#relistAtMs) {',
        replace: 'if (next === "relist") {',
      },
    ],
    caught: {
      by: "test",
      file: "test/kube/reflector.test.ts",
      name: "lists again within five minutes though the watch is alive",
    },
  },
  {
    name: "a gap in a watch is passed over",
    rule: "K3",
    patches: [
      {
        file: "src/kube/reflector.ts",
        find: 'if (type === "MODIFIED" && known === undefined) return',
        replace: 'if (type === "MODIFIED" && known === null) return',
      },
    ],
    caught: {
      by: "test",
      file: "test/kube/reflector.test.ts",
      name: "lists again after a change of an object it never heard of: something was missed",
    },
  },
  {
    name: "what vanished while nobody watched is not told",
    rule: "K3",
    patches: [
      {
        file: "src/kube/reflector.ts",
        find: "    for (const key of before.keys()) if (!after.has(key)) changed.push(key);\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/kube/reflector.test.ts",
      name: "ignores an object that has not changed, and reports what vanished, after a new list",
    },
  },
  {
    name: "a grant is written though the reports that it rests on have changed",
    rule: "K4",
    patches: [
      {
        file: "src/controller/apply.ts",
        find: "  await verifyBasis(effect.verify, context);\n  const { target",
        replace: "  const { target",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/apply.test.ts",
      name: "a write that rests on a report is not made when the report has changed since",
    },
  },
  {
    name: "a pod is deleted though the one that stays has changed",
    rule: "K4, K6",
    patches: [
      {
        file: "src/controller/apply.ts",
        find: "      await verifyBasis(effect.verify, context);\n      return deleteAsFound(TYPES.Pod",
        replace: "      return deleteAsFound(TYPES.Pod",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/apply.test.ts",
      name: "a pod whose deletion rests on another pod stays when that one has changed, or is gone",
    },
  },
  {
    name: "a status is written whatever stands there meanwhile",
    rule: "K4, W1",
    patches: [
      {
        file: "src/controller/apply.ts",
        find: "const body = { metadata: { resourceVersion }, status: patch };",
        replace: "const body = { status: patch };",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/apply.test.ts",
      name: "the first failure ends it, and who no longer leads writes nothing",
    },
  },
  {
    name: "who leads no longer goes on writing",
    rule: "K4",
    patches: [
      {
        file: "src/controller/apply.ts",
        find: 'if (group.some(({ kind }) => kind !== "event") && !context.mayWrite())',
        replace: "if (group.length === 0)",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/apply.test.ts",
      name: "the first failure ends it, and who no longer leads writes nothing",
    },
  },
  {
    name: "a leader's time counts from the answer to its renewal",
    rule: "K4",
    patches: [
      {
        file: "src/kube/elector.ts",
        find: "      this.#renewedMs = sentMs;",
        replace: "      this.#renewedMs = this.#options.timing.nowMs();",
      },
    ],
    caught: {
      by: "test",
      file: "test/kube/elector.test.ts",
      name: "counts its time from when a renewal was sent, not from when its answer came",
    },
  },
  {
    name: "what is in force is applied again at each look",
    rule: "K5",
    patches: [
      {
        file: "src/controller/decide/children.ts",
        find: "} else if (!child.deleting && !isKept(object.body, child)) {",
        replace: "} else if (!child.deleting) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/decide.test.ts",
      name: "at the fixpoint there is no effect and nothing to wake up for",
    },
  },
  {
    name: "a status is written that says what it said before",
    rule: "K5",
    patches: [
      {
        file: "src/controller/merge-patch.ts",
        find: "if (value === undefined || sameJson(old[name], value)) continue;",
        replace: "if (value === undefined) continue;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/decide.test.ts",
      name: "a pair at rest is not written to by time alone",
    },
  },
  {
    name: "what an older definition drops is written again at every look",
    rule: "K5",
    patches: [
      {
        file: "src/controller/unkept.ts",
        find: "if (unkept === undefined || unkept.isDue) return status;",
        replace: "if (status !== null) return status;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/definitions.e2e.test.ts",
      name: "what an older definition drops is told, keeps no scope waiting and is not written again, until it is upgraded",
    },
  },
  {
    name: "a member is restarted while its partner is not NORMAL",
    rule: "K6",
    patches: [
      {
        file: "src/controller/decide/rollout.ts",
        find: "if (!statesOf(observed).every(isNormal)) {",
        replace: "if (!statesOf(observed).some(isNormal)) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/rollout.test.ts",
      name: "rollout: the new one runs but is not NORMAL: the other one is left alone",
    },
  },
  {
    name: "the second member is restarted as soon as both are NORMAL",
    rule: "K6",
    patches: [
      {
        file: "src/controller/decide/rollout.ts",
        find: "  if (observed.now >= settled) return null;\n",
        replace: "  if (observed.now >= 0 * settled) return null;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/rollout.test.ts",
      name: "rollout: NORMAL for less than a minute",
    },
  },
  {
    name: "a member is restarted while the other's pod is going",
    rule: "K6",
    patches: [
      {
        file: "src/controller/decide/rollout.ts",
        find: 'if (gone !== undefined) return wait("RollingMember",',
        replace: 'if (gone === null) return wait("RollingMember",',
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/rollout.test.ts",
      name: "rollout: one is on its way",
    },
  },
  {
    name: "the budget lets both pods be evicted",
    rule: "K6",
    patches: [
      {
        file: "src/controller/desired/desired.ts",
        find: ": { minAvailable: 1 };",
        replace: ": { minAvailable: 0 };",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/desired/desired.test.ts",
      name: "one disruption budget keeps one of the two",
    },
  },
  {
    name: "both members may come to one node",
    rule: "K6",
    patches: [
      {
        file: "src/controller/desired/stateful-set.ts",
        find: "podAntiAffinity: {\n      requiredDuringSchedulingIgnoredDuringExecution",
        replace: "podAntiAffinity: {\n      preferredDuringSchedulingIgnoredDuringExecution",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/desired/desired.test.ts",
      name: "the pod is on the host network of its node, apart from its partner, and stays through trouble",
    },
  },
  {
    name: "a new template restarts each member at once",
    rule: "K6",
    patches: [
      {
        file: "src/controller/desired/stateful-set.ts",
        find: 'updateStrategy: { type: "OnDelete" }',
        replace: 'updateStrategy: { type: "RollingUpdate" }',
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/desired/desired.test.ts",
      name: "a member is one replica that only the controller replaces",
    },
  },
  {
    name: "a retained claim goes with its relationship",
    rule: "K7",
    patches: [
      {
        file: "src/controller/desired/desired.ts",
        find: 'const staysBehind = object.kind === "PersistentVolumeClaim" && owner.retainsStores;',
        replace: "const staysBehind = false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/desired/desired.test.ts",
      name: "a retained claim has no owner to go with; one that is not, has the relationship, and no node waits for it",
    },
  },
  {
    name: "stores are retained only where the spec says so",
    rule: "K7",
    patches: [
      {
        file: "src/api/storage.ts",
        find: "retain: z.boolean().default(true)",
        replace: "retain: z.boolean().default(false)",
      },
    ],
    caught: {
      by: "test",
      file: "test/api/compile.test.ts",
      name: "lease stores are retained where the relationship does not say otherwise",
    },
  },
  {
    name: "a store may lie in an emptyDir",
    rule: "K7",
    patches: [
      {
        file: "src/api/storage.ts",
        find: '["HostPath", "PersistentVolumeClaim"],',
        replace: '["HostPath", "PersistentVolumeClaim", "EmptyDir"],',
      },
    ],
    caught: { by: "test", file: "test/api/corpus.test.ts", name: "bad: relationship-storage-type-unknown" },
  },
  {
    name: "the deletion of each member waits for the controller",
    rule: "K8",
    patches: [
      {
        file: "src/controller/desired/desired.ts",
        find: "...(owner.retainsStores || owner.claim !== null",
        replace: "...(owner.claim !== null",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/desired/desired.test.ts",
      name: "nothing of a pair whose stores are retained waits for anybody to be deleted",
    },
  },
  {
    name: "what is being deleted is made anew, or restarted",
    rule: "K8",
    patches: [
      {
        file: "src/controller/decide/plan.ts",
        find: "if (problem !== null || observed.relationship.deleting)",
        replace: "if (problem !== null)",
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/decide.test.ts",
      name: "of a relationship that is being deleted nothing but the status is written",
    },
  },
  {
    name: "addresses outside of a shrunk range are given anew",
    rule: "K9",
    patches: [
      {
        file: "src/dhcp/server/allocate.ts",
        find: "return pool !== null && scope.poolsToSearch.includes(pool);",
        replace: "return pool === null || scope.poolsToSearch.includes(pool);",
      },
      {
        file: "src/dhcp/server/grant.ts",
        find: "isDraining ? seconds(Math.min(wished, left)) : wished;",
        replace: "isDraining && left > 0 ? seconds(Math.min(wished, left)) : wished;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/server/discover.test.ts",
      name: "a wish outside of pool or network, held by somebody, in quarantine or the partner's is passed over",
    },
  },
  {
    name: "a lease outside of a shrunk range is renewed for ever",
    rule: "K9",
    patches: [
      {
        file: "src/dhcp/server/grant.ts",
        find: "const desiredSeconds = isDraining ? seconds(Math.min(wished, left)) : wished;",
        replace: "const desiredSeconds = isDraining ? seconds(Math.max(wished, left)) : wished;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/server/grant.test.ts",
      name: "an address that left its pool is renewed to its end and not a second further, then no more",
    },
  },
  {
    name: "a lease outside of a shrunk range is taken away",
    rule: "K9",
    patches: [
      {
        file: "src/dhcp/server/request.ts",
        find: '  if (chosen.record?.status === "ACTIVE") return give(view, request, chosen);',
        replace:
          '  if (chosen.record?.status === "ACTIVE" && isEligible(view, request, scope, address)) return give(view, request, chosen);',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/server/grant.test.ts",
      name: "an address that left its pool is renewed to its end and not a second further, then no more",
    },
  },
  {
    name: "the kernel's word that nothing keeps its clock right is not heard",
    rule: "K10",
    patches: [
      {
        file: "src/dhcp/host/clock.ts",
        find: " && (timex.readInt32LE(TIMEX_STATUS_AT) & LINUX.STA_UNSYNC) === 0",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/host/clock.test.ts",
      name: "whether the wall clock is synchronised is what adjtimex(2) answers",
    },
  },
  {
    name: "a clock that nothing keeps right is not reported",
    rule: "K10",
    patches: [
      {
        file: "src/dhcp/host/member-status.ts",
        find: "if (report.clockIsSynchronised === false) {",
        replace: "if (report.clockIsSynchronised === null) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/host/member-status.test.ts",
      name: "what is wrong with the clock is told, the worst of it",
    },
  },
  {
    name: "a clock that nothing keeps right is no condition",
    rule: "K10",
    patches: [
      {
        file: "src/controller/decide/clocks.ts",
        find: "report?.clockProblem ? [",
        replace: 'report?.clockProblem && report.clockProblem.reason !== "NotSynchronised" ? [',
      },
    ],
    caught: {
      by: "test",
      file: "test/controller/decide/clocks.test.ts",
      name: "NotSynchronised of either member, with what to do",
    },
  },
];
