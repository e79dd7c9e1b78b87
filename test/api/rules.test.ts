// Each rule's TypeScript check, held and broken. The corpus holds the same rules to whole manifests, and the API server
// to their CEL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath } from "../../src/api/field-error.ts";
import { KINDS } from "../../src/api/kinds.ts";
import { readManifests } from "../../src/api/manifests.ts";
import { parseObject } from "../../src/api/parse.ts";
import type { Rule } from "../../src/api/rule.ts";
import { RULES } from "../../src/api/rules.ts";
import { leaseTimeRules, networkRule, optionsRules, orderedRangeRule } from "../../src/api/rules-common.ts";
import { corpusCases } from "./corpus.ts";
import { operationJson, relationshipJson, reservationSetJson, scopeJson } from "./objects.ts";

/** The paths that break the rule, as text. */
function broken(rule: Rule | undefined, self: unknown): string[] {
  assert.ok(rule !== undefined);
  return rule.check(self as never, undefined as never).map(formatPath);
}

const NETWORKS: readonly [string, boolean][] = [
  ["10.0.0.0/8", true],
  ["10.20.0.0/30", true],
  ["10.20.0.0/31", false],
  ["10.0.0.0/7", false],
  ["10.20.0.1/24", false],
  ["10.20.0.128/24", false],
  ["10.20.0.128/25", true],
  ["10.20.0.0/024", false],
  ["10.20.0.0", false],
  ["10.20.0/24", false],
];

test("a subnet has no host bits and a length from 8 to 30", () => {
  for (const [network, holds] of NETWORKS) {
    assert.equal(broken(networkRule("x", 8, 30), network).length === 0, holds, network);
  }
});

test("a range does not end before it starts, compared as numbers", () => {
  const rule = orderedRangeRule("x", "");
  assert.deepEqual(broken(rule, { start: "10.0.0.9", end: "10.0.0.10" }), []);
  assert.deepEqual(broken(rule, { start: "10.0.0.10", end: "10.0.0.9" }), ["end"]);
  assert.deepEqual(broken(rule, { start: "9.255.255.255", end: "10.0.0.0" }), []);
  assert.deepEqual(broken(rule, { start: "200.0.0.0", end: "100.255.255.255" }), ["end"]);
  assert.deepEqual(broken(rule, { start: "10.0.0.9" }), []);
});

test("lease times keep their order, equal only where that means something", () => {
  const cases: readonly [Record<string, number>, string[]][] = [
    [{}, []],
    [{ minSeconds: 60, defaultSeconds: 60, maxSeconds: 60 }, []],
    [{ minSeconds: 61, defaultSeconds: 60 }, ["minSeconds"]],
    [{ defaultSeconds: 61, maxSeconds: 60 }, ["defaultSeconds"]],
    [{ minSeconds: 61, maxSeconds: 60 }, ["minSeconds"]],
    [{ renewSeconds: 60, rebindSeconds: 60 }, ["renewSeconds"]],
    [{ renewSeconds: 59, rebindSeconds: 60, defaultSeconds: 61 }, []],
    [{ renewSeconds: 60, defaultSeconds: 60 }, ["renewSeconds"]],
    [{ rebindSeconds: 60, defaultSeconds: 60 }, ["rebindSeconds"]],
  ];
  for (const [times, fields] of cases) {
    assert.deepEqual(
      leaseTimeRules("x").flatMap((rule) => broken(rule, times)),
      fields,
      JSON.stringify(times),
    );
  }
});

test("an extra option's value has the form of its type, and of no other", () => {
  const forms = optionsRules("x").filter(({ fieldPath }) => fieldPath === ".value");
  const good: Readonly<Record<string, readonly string[]>> = {
    ip: ["0.0.0.0", "255.255.255.255"],
    ipList: ["10.0.0.1", "10.0.0.1,10.0.0.2"],
    uint8: ["0", "9", "255"],
    uint16: ["0", "65535"],
    uint32: ["0", "4294967295"],
    hex: ["00", "aAfF"],
    flag: ["true", "false"],
    string: ["anything", " "],
  };
  const bad: Readonly<Record<string, readonly string[]>> = {
    ip: ["10.0.0", "10.0.0.01", "10.0.0.1,10.0.0.2", "::1", " 10.0.0.1"],
    ipList: [",", "10.0.0.1,", "10.0.0.1, 10.0.0.2", "a"],
    uint8: ["256", "-1", "1.0", "0x1", "00", "1e1", "+1", ""],
    uint16: ["65536", "100000"],
    uint32: ["4294967296", "99999999999"],
    hex: ["0", "0g", "00 11", "0x00"],
    flag: ["True", "1", "yes"],
  };
  for (const [type, values] of Object.entries(good)) {
    for (const value of values) {
      assert.deepEqual(
        forms.flatMap((rule) => broken(rule, { type, value })),
        [],
        `${type} ${value}`,
      );
    }
  }
  for (const [type, values] of Object.entries(bad)) {
    for (const value of values) {
      assert.deepEqual(
        forms.flatMap((rule) => broken(rule, { type, value })),
        ["value"],
        `${type} ${value}`,
      );
    }
  }
});

/** The relationship with its second member on another node and under this name. */
function renamed(name: string) {
  const { spec } = relationshipJson() as { spec: { members: object[] } };
  const [a, b] = spec.members;
  return relationshipJson({ members: [a, { ...b, name, nodeName: "node-9" }] });
}

/** [after, before, fields that may not change so] */
function storageChanges(): readonly [unknown, unknown, string[]][] {
  const onHost = relationshipJson();
  const defaults = { size: "1Gi", accessMode: "ReadWriteOncePod" };
  const claims = (changes: object) =>
    relationshipJson({
      storage: { type: "PersistentVolumeClaim", persistentVolumeClaim: { ...defaults, ...changes } },
    });
  const claim = "spec.storage.persistentVolumeClaim";
  return [
    [claims({}), onHost, []],
    [onHost, claims({}), []],
    [claims({ size: "1025Mi" }), claims({ size: "1Gi" }), []],
    [claims({ size: "1024Mi" }), claims({ size: "1Gi" }), []],
    [claims({ size: "1023Mi" }), claims({ size: "1Gi" }), [`${claim}.size`]],
    [claims({ size: "999999Gi" }), claims({ size: "977Ti" }), [`${claim}.size`]],
    [claims({ storageClassName: "fast" }), claims({}), [`${claim}.storageClassName`]],
    [claims({}), claims({ storageClassName: "" }), [`${claim}.storageClassName`]],
    [claims({ accessMode: "ReadWriteOnce" }), claims({}), [`${claim}.accessMode`]],
    [claims({ storageClassName: "fast" }), claims({ storageClassName: "fast" }), []],
  ];
}

test("a rule on changes lets creation pass and names what may not change", () => {
  const scope = scopeJson();
  const cases: readonly [unknown, unknown, string[]][] = [
    [scope, undefined, []],
    [scope, structuredClone(scope), []],
    [scopeJson({ state: "Disabled" }), scope, []],
    [scopeJson({ subnet: "10.20.0.0/16" }), scope, ["spec.subnet"]],
    [scopeJson({ relationshipRef: { name: "lab" } }), scope, ["spec.relationshipRef"]],
    [reservationSetJson({ scopeRef: { name: "other" } }), reservationSetJson(), ["spec.scopeRef"]],
    [operationJson({ reason: "another" }), operationJson(), ["spec"]],
    [operationJson({ expectedEpoch: 1 }), operationJson(), ["spec"]],
    [operationJson(), operationJson({ expectedEpoch: 1 }), ["spec"]],
    [operationJson({}, { labels: { a: "b" } }), operationJson(), []],
    [relationshipJson({ primary: "b" }), relationshipJson(), []],
    [renamed("c"), relationshipJson(), ["spec.members[1].name"]],
    [renamed("b"), relationshipJson(), []],
  ];
  for (const [now, before, fields] of [...cases, ...storageChanges()]) {
    const parsed = parseObject(now, before);
    assert.deepEqual(
      parsed.kind === "ok" ? [] : parsed.errors.map(({ field }) => field),
      fields,
      JSON.stringify(now),
    );
  }
});

test("every rule that is not about changes is broken by a manifest of the corpus", () => {
  const messages = corpusCases("bad").flatMap(({ file, text }) =>
    readManifests([{ file, text }]).errors.map(({ message }) => message),
  );
  const rules = KINDS.flatMap(({ kind }) => RULES[kind]).filter(({ transition }) => !transition);
  // One sentence may stand at several places (the options of scopes, of reservations, of scopeDefaults).
  const unproven = rules.filter(({ message }) => !messages.some((found) => found.endsWith(message)));
  assert.deepEqual(
    unproven.map(({ at, message }) => `${at}: ${message}`),
    [],
  );
});
