import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { liveness, nextLivenessChange } from "../../../src/controller/decide/liveness.ts";
import type { MemberReportView, ObservedMember } from "../../../src/controller/observed.ts";
import { NOW, observed } from "../observed-fixture.ts";

const [A, B] = observed().members as [ObservedMember, ObservedMember];

function reports(
  member: ObservedMember,
  state: string,
  heardAgo: number,
  stateAgo = heardAgo,
): ObservedMember {
  const report: MemberReportView = { ...member.report!, state, since: unixSeconds(NOW - stateAgo) };
  return { ...member, report, heardAt: unixSeconds(NOW - heardAgo) };
}

test("in NORMAL silence is golden: an old report is believed", () => {
  assert.equal(liveness(reports(B, "Normal", 3600), reports(A, "Normal", 3600), NOW).kind, "known");
});

test("a NORMAL that the partner contradicts is believed for three seconds only", () => {
  const b = reports(B, "Normal", 600);
  for (const [ago, kind] of [
    [2, "known"],
    [4, "unknown"],
  ] as const) {
    assert.equal(liveness(b, reports(A, "CommunicationsInterrupted", ago), NOW).kind, kind, `${ago} s`);
  }
  const life = liveness(b, reports(A, "CommunicationsInterrupted", 4), NOW);
  assert.ok(life.kind === "unknown");
  assert.equal(life.why, "Unheard");
  assert.equal(life.since, NOW - 4);
});

test("a member that speaks after its partner lost contact is believed", () => {
  const b = reports(B, "CommunicationsInterrupted", 1);
  assert.equal(liveness(b, reports(A, "CommunicationsInterrupted", 5), NOW).kind, "known");
  assert.equal(
    liveness(reports(B, "Normal", 1), reports(A, "CommunicationsInterrupted", 5), NOW).kind,
    "known",
  );
});

test("the verdict on a contradicted member is looked at again when its time is over", () => {
  const a = reports(A, "CommunicationsInterrupted", 1);
  assert.equal(nextLivenessChange(reports(B, "Normal", 600), a, NOW), NOW + 3);
  assert.equal(nextLivenessChange(reports(B, "Normal", 600), reports(A, "Normal", 600), NOW), null);
});

test("a member out of NORMAL that has been silent for half a minute is unknown, not down", () => {
  const life = liveness(reports(B, "CommunicationsInterrupted", 31), null, NOW);
  assert.ok(life.kind === "unknown");
  assert.equal(life.why, "Silent");
});

test("what the node says goes before the member's own signs as the reason, and only when the member is not heard", () => {
  const silent = reports(B, "CommunicationsInterrupted", 31);
  const why = (node: ObservedMember["node"], changes: Partial<ObservedMember> = {}) => {
    const life = liveness({ ...silent, node, ...changes }, null, NOW);
    return life.kind === "unknown" ? life.why : "known";
  };
  const node = B.node!;
  assert.equal(why(null), "NodeGone");
  assert.equal(why({ ...node, isOutOfService: true, ready: "Unknown" }), "NodeOutOfService");
  assert.equal(why({ ...node, ready: "Unknown", isCordoned: true }), "NodeSilent");
  assert.equal(why({ ...node, isCordoned: true }, { pod: null }), "NodeCordoned");
  assert.equal(why({ ...node, isCordoned: true }), "Silent", "a cordoned node's pods go on");
  const fresh = { ...reports(B, "CommunicationsInterrupted", 1), node: null };
  assert.equal(
    liveness(fresh, null, NOW).kind,
    "known",
    "who reports is alive, whatever became of its Node object",
  );
});
