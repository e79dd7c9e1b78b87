import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "../../src/api/compile.ts";
import type { CompiledRelationship } from "../../src/api/compiled.ts";
import { EMPTY_OBJECT_SET } from "../../src/api/object-set.ts";
import { formatIpv4 } from "../../src/base/ipv4.ts";
import { compiled, configOf, objectSet, relationshipJson, reservationSetJson, scopeJson } from "./objects.ts";

function pools(config: CompiledRelationship): string[] {
  return config.scopes.flatMap((scope) =>
    scope.pools.map(({ start, end }) => `${formatIpv4(start)}-${formatIpv4(end)}`),
  );
}

test("a relationship that does not exist is rejected by name", () => {
  const result = compile(EMPTY_OBJECT_SET, "default", "campus");
  assert.equal(result.kind, "rejected");
  assert.equal(result.rejections[0]?.reason, "RelationshipNotFound");
});

test("the relationship's values and defaults reach the configuration", () => {
  const config = configOf(relationshipJson({}, { uid: "u-1" }), scopeJson());
  assert.equal(config.uid, "u-1");
  assert.deepEqual(
    [
      config.mode,
      config.primary,
      config.mcltSeconds,
      config.maxSeconds,
      config.primaryPercent,
      config.linkPort,
    ],
    ["LoadBalance", "a", 3600, 3, 50, 647],
  );
  assert.deepEqual([config.fencing, config.automatic, config.reservePercent], ["None", "Disabled", 5]);
  assert.equal(config.members[1].linkAddress, config.members[1].address);
  assert.deepEqual(config.members[0].interfaces, []);
});

test("lease stores are retained where the relationship does not say otherwise", () => {
  const [relationship] = objectSet(relationshipJson()).relationships;
  assert.equal(relationship?.spec.storage.retain, true);
});

test("an external member is reached at its own address and port, under the name it knows", () => {
  const external = { dialect: "ISC", address: "10.20.0.12", port: 847, relationshipName: "fo-campus" };
  const own = { name: "a", nodeName: "node-1", address: "10.20.0.11" };
  const config = configOf(relationshipJson({ members: [own, { name: "b", external }] }), scopeJson());
  const [a, b] = config.members;
  assert.equal(a.external, null);
  assert.deepEqual(b.external, { dialect: "ISC", relationshipName: "fo-campus", port: 847 });
  assert.deepEqual([b.address, b.linkAddress, b.nodeName], [a.address + 1, a.address + 1, ""]);
  assert.ok(config.scopes[0]?.pools.length, "its address is left out of the pools like a member's");
  const plain = { name: "b", external: { dialect: "Leasepair", address: "10.20.0.12" } };
  const same = configOf(relationshipJson({ members: [own, plain] }), scopeJson());
  assert.deepEqual(same.members[1].external, {
    dialect: "Leasepair",
    relationshipName: `${same.namespace}/${same.name}`,
    port: 647,
  });
});

const POOL_CASES: readonly [string, Record<string, unknown>, string[]][] = [
  ["a range as it stands", {}, ["10.20.0.100-10.20.0.199"]],
  [
    "network, broadcast and members' addresses are left out",
    { ranges: [{ start: "10.20.0.0", end: "10.20.0.255" }] },
    ["10.20.0.1-10.20.0.10", "10.20.0.13-10.20.0.254"],
  ],
  [
    "exclusions cut, also where they reach over a range's end",
    {
      exclusions: [
        { start: "10.20.0.110", end: "10.20.0.119" },
        { start: "10.20.0.190", end: "10.20.0.250" },
      ],
    },
    ["10.20.0.100-10.20.0.109", "10.20.0.120-10.20.0.189"],
  ],
  [
    "an exclusion without end is one address",
    { exclusions: [{ start: "10.20.0.100" }] },
    ["10.20.0.101-10.20.0.199"],
  ],
  ["an excluded range leaves no pool", { exclusions: [{ start: "10.20.0.0", end: "10.20.0.255" }] }, []],
  [
    "reserved addresses inside a range are left out, others change nothing",
    {
      reservations: [
        { address: "10.20.0.150", clientIdentifier: "01" },
        { address: "10.20.0.50", clientIdentifier: "02" },
      ],
    },
    ["10.20.0.100-10.20.0.149", "10.20.0.151-10.20.0.199"],
  ],
  ["routers are left out", { options: { routers: ["10.20.0.199"] } }, ["10.20.0.100-10.20.0.198"]],
  [
    "ranges are sorted and joined",
    {
      ranges: [
        { start: "10.20.0.150", end: "10.20.0.199" },
        { start: "10.20.0.100", end: "10.20.0.149" },
      ],
    },
    ["10.20.0.100-10.20.0.199"],
  ],
];

for (const [claim, spec, expected] of POOL_CASES) {
  test(`pools: ${claim}`, () => {
    assert.deepEqual(pools(configOf(relationshipJson(), scopeJson(spec))), expected);
  });
}

test("routers of scopeDefaults and link addresses are left out of the pools", () => {
  const members = [
    { name: "a", nodeName: "node-1", address: "10.9.0.1", linkAddress: "10.20.0.100" },
    { name: "b", nodeName: "node-2", address: "10.9.0.2", linkAddress: "10.20.0.199" },
  ];
  const relationship = relationshipJson({
    members,
    scopeDefaults: { options: { routers: ["10.20.0.150"] } },
  });
  assert.deepEqual(pools(configOf(relationship, scopeJson())), [
    "10.20.0.101-10.20.0.149",
    "10.20.0.151-10.20.0.198",
  ]);
});

test("a scope's option replaces the inherited one of the same name or code, the others stay", () => {
  const scopeDefaults = {
    options: {
      domainName: "default.example",
      ntpServers: ["192.0.2.1"],
      extra: [
        { code: 224, type: "uint8", value: "1" },
        { code: 225, type: "uint8", value: "2" },
      ],
    },
  };
  const options = { domainName: "own.example", extra: [{ code: 225, type: "uint16", value: "3" }] };
  const config = configOf(relationshipJson({ scopeDefaults }), scopeJson({ options }));
  assert.deepEqual(config.scopes[0]?.options, [
    { code: 15, hex: Buffer.from("own.example").toString("hex") },
    { code: 42, hex: "c0000201" },
    { code: 224, hex: "01" },
    { code: 225, hex: "0003" },
  ]);
});

test("an option in scopeDefaults that cannot be written is the relationship's error, not its scopes'", () => {
  const scopeDefaults = { options: { domainSearch: [`${"a".repeat(64)}.example`] } };
  const result = compile(objectSet(relationshipJson({ scopeDefaults }), scopeJson()), "default", "campus");
  assert.equal(result.kind, "rejected");
  assert.deepEqual(
    result.rejections.map(({ kind, reason, field }) => [kind, reason, field]),
    [["FailoverRelationship", "InvalidOption", "spec.scopeDefaults.options.domainSearch[0]"]],
  );
});

test("scopes are sorted by subnet, reservations by address, in the scope and in its sets", () => {
  const second = scopeJson(
    { subnet: "10.10.0.0/24", ranges: [{ start: "10.10.0.1", end: "10.10.0.9" }] },
    { name: "zz-lower-subnet" },
  );
  const first = scopeJson({ reservations: [{ address: "10.20.0.60", clientIdentifier: "0a" }] });
  const config = configOf(relationshipJson(), first, second, reservationSetJson());
  assert.deepEqual(
    config.scopes.map(({ name }) => name),
    ["zz-lower-subnet", "users"],
  );
  assert.deepEqual(
    config.scopes[1]?.reservations.map(({ address, hardwareAddress, clientIdentifier }) => [
      formatIpv4(address),
      hardwareAddress,
      clientIdentifier,
    ]),
    [
      ["10.20.0.50", "01020000000050", null],
      ["10.20.0.60", null, "0a"],
    ],
  );
});

test("objects of other relationships, scopes and namespaces stay out", () => {
  const foreign = [
    scopeJson({ relationshipRef: { name: "lab" } }, { name: "other-relationship" }),
    scopeJson({}, { namespace: "elsewhere" }),
    reservationSetJson({ scopeRef: { name: "other-relationship" } }, { name: "other-scope" }),
    reservationSetJson({}, { namespace: "elsewhere" }),
  ];
  assert.deepEqual(
    configOf(relationshipJson(), scopeJson(), ...foreign),
    configOf(relationshipJson(), scopeJson()),
  );
});

test("what is refused does not touch the rest", () => {
  const clash = scopeJson({}, { name: "zz-clash" });
  const badSet = reservationSetJson(
    { entries: [{ address: "10.99.0.1", clientIdentifier: "01" }] },
    { name: "bad" },
  );
  const { config, rejected } = compiled(relationshipJson(), scopeJson(), clash, badSet, reservationSetJson());
  assert.deepEqual(
    rejected.map(({ kind, name }) => `${kind} ${name}`),
    ["DHCPScope zz-clash", "DHCPReservationSet bad"],
  );
  assert.deepEqual(config, configOf(relationshipJson(), scopeJson(), reservationSetJson()));
});

test("the result does not depend on the order of the objects", () => {
  const objects = [
    relationshipJson(),
    scopeJson(),
    scopeJson({}, { name: "a-clash", creationTimestamp: "2026-01-01T00:00:00Z" }),
    reservationSetJson(),
    reservationSetJson({}, { name: "again" }),
  ];
  const forward = compile(objectSet(...objects), "default", "campus");
  const backward = compile(objectSet(...objects.toReversed()), "default", "campus");
  assert.deepEqual(backward, forward);
});

test("scopes on one wire may share a relay", () => {
  const second = scopeJson(
    {
      subnet: "10.21.0.0/24",
      ranges: [{ start: "10.21.0.1", end: "10.21.0.9" }],
      sharedNetwork: "floor",
      relayAddresses: ["10.9.9.1", "10.20.0.1"],
    },
    { name: "second" },
  );
  const config = configOf(
    relationshipJson(),
    scopeJson({ sharedNetwork: "floor", relayAddresses: ["10.9.9.1"] }),
    second,
  );
  assert.equal(config.scopes.length, 2);
});

/** Changes and whether they change the revision and the shape. */
const DIGEST_CASES: readonly [string, unknown[], boolean, boolean][] = [
  ["nothing", [relationshipJson(), scopeJson()], false, false],
  [
    "labels",
    [relationshipJson({}, { labels: { a: "b" } }), scopeJson({}, { labels: { a: "b" } })],
    false,
    false,
  ],
  ["lease times", [relationshipJson(), scopeJson({ leaseTime: { defaultSeconds: 600 } })], true, false],
  ["options", [relationshipJson(), scopeJson({ options: { routers: ["10.20.0.100"] } })], true, false],
  [
    "a reservation inside the range",
    [
      relationshipJson(),
      scopeJson(),
      reservationSetJson({ entries: [{ address: "10.20.0.150", clientIdentifier: "01" }] }),
    ],
    true,
    false,
  ],
  ["a scope that is disabled", [relationshipJson(), scopeJson({ state: "Disabled" })], true, false],
  [
    "the range",
    [relationshipJson(), scopeJson({ ranges: [{ start: "10.20.0.100", end: "10.20.0.198" }] })],
    true,
    true,
  ],
  ["an exclusion", [relationshipJson(), scopeJson({ exclusions: [{ start: "10.20.0.150" }] })], true, true],
  ["the mode", [relationshipJson({ mode: "HotStandby" }), scopeJson()], true, true],
  ["the primary", [relationshipJson({ primary: "b" }), scopeJson()], true, true],
  ["the share", [relationshipJson({ loadBalance: { primaryPercent: 60 } }), scopeJson()], true, true],
  [
    "the other mode's share",
    [relationshipJson({ hotStandby: { reservePercent: 60 } }), scopeJson()],
    true,
    false,
  ],
  ["the MCLT", [relationshipJson({ maxClientLeadTimeSeconds: 600 }), scopeJson()], true, true],
  ["the link's port", [relationshipJson({ link: { port: 8647 } }), scopeJson()], true, false],
];

for (const [change, objects, revision, shape] of DIGEST_CASES) {
  test(`digests: ${change} changes ${[revision && "the revision", shape && "the shape"].filter(Boolean).join(" and ") || "nothing"}`, () => {
    const before = configOf(relationshipJson(), scopeJson());
    const after = configOf(...objects);
    assert.deepEqual([after.revision !== before.revision, after.shape !== before.shape], [revision, shape]);
  });
}
