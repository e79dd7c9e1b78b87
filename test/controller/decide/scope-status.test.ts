import assert from "node:assert/strict";
import { test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { pairOf } from "../../../src/controller/decide/pair.ts";
import { scopeStatus } from "../../../src/controller/decide/scope-status.ts";
import type { Observed, ObservedScope } from "../../../src/controller/observed.ts";
import { config, member, NOW, observed, REVISION, type ShownCondition } from "../observed-fixture.ts";

const scope = (changes: Partial<ObservedScope> = {}): ObservedScope => ({
  name: "office",
  resourceVersion: "1",
  generation: 2,
  status: {},
  countsWrittenAt: unixSeconds(0),
  ...changes,
});
const counting = (used: number) =>
  member("a", { says: { scopes: { office: { total: 100, used, free: 40, backup: 45 } } } });

function look(seen: Observed, of = scope(), revision: string | null = REVISION) {
  const { status, until } = scopeStatus(pairOf(seen, null), of, revision);
  const shown = (type: string) => {
    const found = (status.conditions as ShownCondition[]).find((condition) => condition.type === type);
    return `${found?.status}/${found?.reason}`;
  };
  return { status, until, accepted: shown("Accepted"), programmed: shown("Programmed") };
}

test("a scope that both members run is accepted and programmed", () => {
  const { accepted, programmed, status } = look(observed());
  assert.equal(accepted, "True/Accepted");
  assert.equal(programmed, "True/Programmed");
  assert.equal(status.observedGeneration, 2);
});

test("a refused scope carries its own reason and field", () => {
  const refused = {
    kind: "DHCPScope",
    namespace: "dhcp",
    name: "office",
    reason: "SubnetOverlap",
    field: "spec.subnet",
    message: "overlaps. Change it.",
  };
  const compiled = { kind: "compiled" as const, config: config(), rejected: [refused] };
  const { accepted, programmed, status } = look(observed({ compiled }));
  assert.equal(accepted, "False/SubnetOverlap");
  assert.equal(programmed, "False/NotAccepted");
  assert.match(JSON.stringify(status.conditions), /spec\.subnet: overlaps\. Change it\./);
});

test("a scope is not accepted while its relationship is refused", () => {
  assert.equal(look(observed(), scope(), null).accepted, "False/RelationshipNotAccepted");
});

test("a member that has not loaded it yet keeps a scope from being programmed", () => {
  const behind = observed({
    members: [member("a"), member("b", { says: { activeRevision: "c".repeat(64) } })],
  });
  assert.equal(look(behind).programmed, "False/Propagating");
  assert.equal(
    look(observed({ members: [member("a"), member("b", { pod: null })] })).programmed,
    "False/Propagating",
  );
});

test("who has not loaded it yet is said once, not again when one of the two follows", () => {
  const behind = { says: { activeRevision: "c".repeat(64) } };
  const { status } = look(observed({ members: [member("a", behind), member("b", behind)] }));
  const again = look(observed({ members: [member("a"), member("b", behind)] }), scope({ status }));
  assert.deepEqual(again.status, status);
  const done = look(observed(), scope({ status: again.status }));
  assert.equal(done.programmed, "True/Programmed");
});

test("what was programmed in this generation stays so when only its neighbours change", () => {
  const { status } = look(observed());
  const behind = observed({
    members: [member("a"), member("b", { says: { activeRevision: "c".repeat(64) } })],
  });
  assert.equal(look(behind, scope({ status })).programmed, "True/Programmed");
  assert.equal(look(behind, scope({ status, generation: 3 })).programmed, "False/Propagating");
});

test("counts are written at once, then at most once a minute, and never unchanged", () => {
  const first = look(observed({ members: [counting(10), member("b")] }));
  assert.deepEqual(first.status.addresses, {
    total: 100,
    used: 10,
    free: [
      { member: "a", count: 40 },
      { member: "b", count: 45 },
    ],
  });
  const written = scope({ status: first.status, countsWrittenAt: NOW });
  const soon = observed({ members: [counting(11), member("b")], now: unixSeconds(NOW + 59) });
  assert.equal(look(soon, written).status.addresses?.used, 10);
  assert.equal(look(soon, written).until, NOW + 60);
  const later = { ...soon, now: unixSeconds(NOW + 60) };
  assert.equal(look(later, written).status.addresses?.used, 11);
  const same = observed({ members: [counting(10), member("b")], now: unixSeconds(NOW + 600) });
  assert.deepEqual(look(same, written).status.updatedAt, first.status.updatedAt);
  // The API server gives the fields back in another order.
  const addresses = {
    free: [
      { count: 40, member: "a" },
      { count: 45, member: "b" },
    ],
    used: 10,
    total: 100,
  };
  const sorted = scope({ status: { ...first.status, addresses }, countsWrittenAt: NOW });
  assert.deepEqual(look(same, sorted).status.updatedAt, first.status.updatedAt);
});

test("counts of the partner serve while the primary is silent, and the last ones when nobody counts", () => {
  const says = { scopes: { office: { total: 100, used: 7, free: 1, backup: 2 } } };
  const partner = observed({ members: [member("a", { pod: null }), member("b", { says })] });
  assert.equal(look(partner).status.addresses?.used, 7);
  const before = look(observed({ members: [counting(10), member("b")] })).status;
  const nobody = observed({ members: [member("a", { pod: null }), member("b", { pod: null })] });
  assert.deepEqual(look(nobody, scope({ status: before })).status.addresses, before.addresses);
});
