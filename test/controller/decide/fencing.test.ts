// How PARTNER-DOWN is decided: what is chosen at creation, what is pinned, what the spec overrules, and when it may change.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseFencing, type FencingInputs } from "../../../src/controller/decide/fencing.ts";
import type { ObservedNode } from "../../../src/controller/observed.ts";
import { conditionOf, node, observed, relationship, statusAfter, witness } from "../observed-fixture.ts";

function choose(changes: Partial<Omit<FencingInputs, "nodes">> & { controlPlanes?: readonly string[] } = {}) {
  const { controlPlanes = [], ...rest } = changes;
  const names = new Set(["node-1", "node-2", ...controlPlanes]);
  const nodes = new Map(
    [...names].map((name): [string, ObservedNode] => [
      name,
      node(name, { isControlPlane: controlPlanes.includes(name) }),
    ]),
  );
  const members = [
    { name: "a", nodeName: "node-1", isExternal: false, reportsCap: false },
    { name: "b", nodeName: "node-2", isExternal: false, reportsCap: false },
  ];
  return chooseFencing({ wanted: {}, pinned: {}, isGranted: false, members, nodes, ...rest });
}

const WITNESS = { fencing: "Witness", automatic: "Enabled" } as const;
const NONE = { fencing: "None", automatic: "Disabled" } as const;

for (const [what, inputs, expected] of [
  ["what the spec says", { wanted: { fencing: "Witness", automatic: "Disabled" } }, ["Witness", "Disabled"]],
  ["fencing alone brings automatic", { wanted: { fencing: "Witness" } }, ["Witness", "Enabled"]],
  ["None is never automatic", { wanted: { automatic: "Enabled" }, pinned: NONE }, ["None", "Disabled"]],
  ["what is pinned stays", { pinned: WITNESS }, ["Witness", "Enabled"]],
  [
    "what is pinned stays though the control plane moved onto a member's node",
    { pinned: WITNESS, controlPlanes: ["node-1"] },
    ["Witness", "Enabled"],
  ],
  [
    "what is pinned stays though the spec cannot be read",
    { wanted: null, pinned: WITNESS },
    ["Witness", "Enabled"],
  ],
  [
    "the spec goes before what is pinned",
    { wanted: { fencing: "None" }, pinned: WITNESS },
    ["None", "Disabled"],
  ],
  [
    "automatic is chosen anew with a new fencing",
    { wanted: { fencing: "Witness" }, pinned: NONE },
    ["Witness", "Enabled"],
  ],
  [
    "automatic needs an API that outlives the members",
    { wanted: { fencing: "Witness" }, controlPlanes: ["node-1"] },
    ["Witness", "Disabled"],
  ],
  [
    "a partner elsewhere can be neither capped nor seen",
    {
      wanted: { fencing: "Witness" },
      members: [
        { name: "a", nodeName: "node-1", isExternal: false, reportsCap: false },
        { name: "b", nodeName: "", isExternal: true, reportsCap: false },
      ],
    },
    ["None", "Disabled"],
  ],
  ["the only control plane under a member", { controlPlanes: ["node-2"] }, ["None", "Disabled"]],
] as const) {
  test(`fencing: ${what}`, () => {
    const { fencing, automatic } = choose(inputs);
    assert.deepEqual([fencing, automatic], expected);
  });
}

for (const [controlPlanes, sharedWith] of [
  [[], null],
  [["node-9"], null],
  [["node-1"], "a"],
  // Two lose their majority with either.
  [["node-9", "node-2"], "b"],
  [["node-1", "node-2", "node-9"], null],
] as const) {
  test(`control planes on ${controlPlanes.join(", ") || "no node shown"}: shared with ${sharedWith}`, () => {
    assert.equal(choose({ controlPlanes }).sharedWith, sharedWith);
    assert.equal(choose({ controlPlanes, wanted: { fencing: "None" } }).sharedWith, null);
  });
}

test("fencing is switched off only when nobody holds a grant", () => {
  const off = { wanted: { fencing: "None" }, pinned: WITNESS } as const;
  const held = choose({ ...off, isGranted: true });
  assert.deepEqual([held.fencing, held.automatic, held.isSwitchHeld], ["Witness", "Enabled", true]);
  const free = choose({ ...off, isGranted: false });
  assert.deepEqual([free.fencing, free.isSwitchHeld], ["None", false]);
});

test("fencing is switched on only when no member's last word is from before it was off", () => {
  const on = { wanted: { fencing: "Witness" }, pinned: NONE } as const;
  const members = (reportsCap: boolean) => [
    { name: "a", nodeName: "node-1", isExternal: false, reportsCap: false },
    { name: "b", nodeName: "node-2", isExternal: false, reportsCap },
  ];
  const held = choose({ ...on, members: members(true) });
  assert.deepEqual([held.fencing, held.automatic, held.isSwitchHeld], ["None", "Disabled", true]);
  assert.deepEqual([choose({ ...on, members: members(false) }).fencing], ["Witness"]);
  assert.equal(choose({ wanted: on.wanted, members: members(true) }).fencing, "Witness", "at the creation");
});

test("the choice stands in status.effective, and a shared node in WitnessHealthy with what to do", () => {
  const fencing = { ...NONE, sharedWith: "b", isSwitchHeld: false };
  const status = statusAfter(observed({ fencing }));
  const { fencing: shown, automatic } = status["effective"] as Record<string, unknown>;
  assert.deepEqual([shown, automatic], ["None", "Disabled"]);
  const healthy = conditionOf(status, "WitnessHealthy");
  assert.equal(healthy?.reason, "SharesNodeWithMember");
  assert.match(healthy.message, /node of b.*spec\.partnerDown\.fencing to Witness/);
});

test("a relationship that never had a configuration has nothing pinned", () => {
  const rejected = [
    {
      kind: "FailoverRelationship",
      namespace: "dhcp",
      name: "campus",
      reason: "Invalid",
      field: "",
      message: "",
    },
  ];
  const compiled = { kind: "rejected", rejected } as const;
  const bare = relationship({ status: { witness: witness() } });
  assert.deepEqual(statusAfter(observed({ compiled, relationship: bare }))["effective"], {});
});
