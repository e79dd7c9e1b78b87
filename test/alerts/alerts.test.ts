// The alert rules: judged by promtool on series of their own (alerts.promtool.yaml), each with what a person who is woken by
// it needs, each with its runbook, and all their metrics really shown by engine or controller.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { unmet } from "../../dev/lib/requirements.ts";
import { readTrackedFiles } from "../../dev/lib/tidy/tracked-text.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RULES = `${ROOT}charts/leasepair/files/alerts.yaml`;
const TESTS = fileURLToPath(new URL("alerts.promtool.yaml", import.meta.url));

interface AlertRule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: AlertRule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);

test("there is an alert for everything that a person must be told of", () => {
  assert.deepEqual(
    alerts.map(({ alert }) => alert),
    [
      "LeasepairPartnerDown",
      "LeasepairCommunicationsInterrupted",
      "LeasepairNotServing",
      "LeasepairEngineAbsent",
      "LeasepairNothingSeen",
      "LeasepairScopeExhausted",
      "LeasepairDiskFilling",
      "LeasepairConfigOutOfSync",
      "LeasepairCarrierLost",
      "LeasepairWitnessUnhealthy",
    ],
  );
});

for (const { alert = "", labels = {}, annotations = {} } of alerts) {
  test(`${alert} has a severity, names both members, and leads to a runbook that exists and names it`, () => {
    assert.match(labels["severity"] ?? "", /^(critical|warning)$/);
    assert.match(annotations["summary"] ?? "", /\$labels\.namespace.*\$labels\.relationship/);
    const description = annotations["description"] ?? "";
    const both = [
      ["member", "partner"],
      ["primary", "secondary"],
    ].some((names) => names.every((name) => description.includes(`$labels.${name} `)));
    assert.ok(both, description);
    const [, page] =
      /^https:\/\/leasepair\.io\/runbooks\/([a-z-]+)$/.exec(annotations["runbook_url"] ?? "") ?? [];
    assert.ok(page !== undefined, `runbook_url ${annotations["runbook_url"]}`);
    const file = `${ROOT}docs/runbooks/${page}.md`;
    assert.ok(existsSync(file), file);
    assert.ok(readFileSync(file, "utf8").includes(alert), `${file} does not name ${alert}`);
  });
}

test("every metric of the rules is one that the engine or the controller shows, or the rules record", () => {
  const sources = readTrackedFiles(ROOT)
    .filter(({ path }) => path.startsWith("src/"))
    .map(({ text }) => text)
    .join("\n");
  const recorded = new Set(rules.map(({ record }) => record));
  const named = new Set(rules.flatMap(({ expr }) => expr.match(/\bleasepair[_:][a-z_:]+/g) ?? []));
  const unknown = [...named].filter((name) => !recorded.has(name) && !sources.includes(`"${name}"`));
  assert.deepEqual(unknown, []);
});

test("promtool finds every alert raised and resolved when it should be", { skip: unmet("promtool") }, () => {
  const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", TESTS], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  const text = readFileSync(TESTS, "utf8");
  for (const { alert = "" } of alerts) assert.ok(text.includes(`alertname: ${alert}`), alert);
});
