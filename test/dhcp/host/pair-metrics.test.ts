import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import type { MemberReport } from "../../../src/dhcp/engine/event.ts";
import { registerPairMetrics } from "../../../src/dhcp/host/pair-metrics.ts";

const pair = (external: object | null) =>
  ({
    primary: "a",
    members: [
      { name: "a", external },
      { name: "b", external: null },
    ],
  }) as unknown as CompiledRelationship;
const report = {
  state: "COMMUNICATIONS-INTERRUPTED",
  serving: "OwnAddresses",
  entry: 1_800_000_000,
  waitLeadSeconds: 600,
  seen: 3,
  entered: 2,
  returned: 1,
  carrierLost: [],
  partnerCarrierLost: true,
  revision: `${"a".repeat(12)}b`,
  addresses: { office: { free: 7, backup: 5 } },
} as unknown as MemberReport;

async function shown(
  member: string,
  stands: boolean,
  config = pair(null),
  says: Partial<MemberReport> = {},
): Promise<string[]> {
  const registry = new Registry();
  registerPairMetrics(registry, member, {
    config: () => (stands ? config : null),
    report: () => (stands ? { ...report, ...says } : null),
  });
  return (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("each member names its partner and both roles, and every free address has its owner's name", async () => {
  assert.deepEqual(await shown("b", true), [
    'leasepair_relationship_info{partner="a",primary="a",secondary="b",external=""} 1',
    'leasepair_carrier_lost{of="a"} 1',
    'leasepair_carrier_lost{of="b"} 0',
    'leasepair_scope_free_addresses{scope="office",owner="a"} 7',
    'leasepair_scope_free_addresses{scope="office",owner="b"} 5',
    'leasepair_serving{service="All"} 0',
    'leasepair_serving{service="OwnAddresses"} 1',
    'leasepair_serving{service="RenewOnly"} 0',
    'leasepair_serving{service="None"} 0',
    'leasepair_witness_epoch{kind="seen"} 3',
    'leasepair_witness_epoch{kind="entered"} 2',
    'leasepair_witness_epoch{kind="returned"} 1',
    'leasepair_config_revision_info{revision="aaaaaaaaaaaa"} 1',
  ]);
  assert.match((await shown("a", true))[0] ?? "", /partner="b"/);
  const withDhcpd = await shown("b", true, pair({ dialect: "ISC" }));
  assert.match(withDhcpd[0] ?? "", /,external="a"\}/);
});

test("the takeover is told in PARTNER-DOWN, by the MCLT that the member waits with", async () => {
  const takeover = async (says: Partial<MemberReport>) =>
    (await shown("a", true, pair(null), says)).filter((line) => line.startsWith("leasepair_takeover"));
  assert.deepEqual(await takeover({ state: "PARTNER-DOWN" }), [
    'leasepair_takeover_time_seconds{partner="b"} 1800000600',
  ]);
  assert.deepEqual(await takeover({ state: "NORMAL" }), []);
});

test("before the engine stands nothing is shown", async () => {
  assert.deepEqual(await shown("a", false), []);
});
