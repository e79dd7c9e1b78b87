// The chart: what it renders for many values is taken by the real API server, it installs, tests itself, upgrades, rolls back
// and says what it leaves; and it gives people the rights their roles promise, nobody a status.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { installManifest } from "../../dev/chart/install-manifest.ts";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { CHART, installOperator, OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { eventually } from "../../dev/demo/teller.ts";
import { cachedImage } from "../../dev/image/cached-image.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import { condition, memberStatus, PAIR, pairObjects, untilNormal } from "./pair-objects.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NEVER = "image.pullPolicy=Never";

/** Values that together switch everything once, as `--set` or, in JSON, `--set-json` takes them. */
const MATRIX: Readonly<Record<string, readonly string[]>> = {
  "the defaults": [],
  "one replica in named namespaces": ["controller.replicas=1", 'watchNamespaces=["default","kube-system"]'],
  "everything for monitoring": [
    "metrics.serviceMonitor.enabled=true",
    "metrics.podMonitor.enabled=true",
    'metrics.podMonitor.labels={"release":"prometheus"}',
    "metrics.prometheusRule.enabled=true",
    "metrics.dashboard.enabled=true",
  ],
  "an image by digest with secrets": [
    'image.repository="registry.example.org/leasepair"',
    `image.digest="sha256:${"0".repeat(64)}"`,
    'imagePullSecrets=["one","two"]',
  ],
  "placement, limits and flags": [
    'controller.nodeSelector={"disk":"ssd"}',
    'controller.tolerations=[{"key":"control-plane","operator":"Exists"}]',
    'controller.priorityClassName="system-cluster-critical"',
    'controller.podAnnotations={"example.org/a":"b"}',
    'controller.resources={"requests":{"cpu":"1"},"limits":{"memory":"1Gi"}}',
    'engine.resources={"requests":{"cpu":"1","memory":"1Gi"},"limits":{"memory":"2Gi"}}',
    'engine.extraArgs=["--log-level","debug"]',
    'engine.tolerations=[{"key":"dedicated","operator":"Equal","value":"dhcp","effect":"NoSchedule"}]',
    'commonLabels={"team":"network"}',
  ],
  "nothing of its own": [
    "serviceAccount.create=false",
    'serviceAccount.name="theirs"',
    "rbac.create=false",
    "rbac.userRoles=false",
    "crds.enabled=false",
    "controller.podDisruptionBudget.enabled=false",
  ],
  "a network policy and more objects": [
    "networkPolicy.enabled=true",
    'networkPolicy.metricsFrom=[{"namespaceSelector":{"matchLabels":{"name":"monitoring"}}}]',
    'extraObjects=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"of-{{ .Release.Name }}"}}]',
  ],
};

/** The Prometheus operator's kinds, as far as the API server must know them to take objects of them. */
const MONITORING_KINDS = ["ServiceMonitor", "PodMonitor", "PrometheusRule"].map((kind) => {
  const plural = `${kind.toLowerCase()}s`;
  const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: "monitoring.coreos.com",
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: anything } }],
    },
  };
});

describe("the chart", { skip: clusterUnmet(), timeout: 600_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ images: [await cachedImage()], say: (line) => console.log(line) });
    cluster.apply(MONITORING_KINDS);
    cluster.kubectl("create", "namespace", OPERATOR_NAMESPACE);
    // What a careful platform team sets; the controller must live with it.
    cluster.kubectl(
      "label",
      "namespace",
      OPERATOR_NAMESPACE,
      "pod-security.kubernetes.io/enforce=restricted",
    );
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s");
  });
  after(() => cluster?.stop());

  const template = (sets: readonly string[]) =>
    cluster.helm("template", RELEASE, CHART, "--namespace", OPERATOR_NAMESPACE, ...setJson(sets));

  for (const [what, sets] of Object.entries(MATRIX)) {
    it(`with ${what} is linted, and taken by the API server as it is`, () => {
      cluster.helm("lint", "--strict", CHART, ...setJson(sets));
      const file = join(cluster.directory, "rendered.yaml");
      writeFileSync(file, template(sets));
      cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", file);
    });
  }

  it("refuses a value that it does not know, and one that cannot be, by name", () => {
    assert.throws(() => template(["controler.replicas=2"]), /controler/);
    assert.throws(() => template(['controller.replicas="two"']), /controller\/replicas|controller\.replicas/);
    assert.throws(() => template(['engine.tolerations=[{"operator":"Exists"}]']), /tolerations.*key/s);
    assert.throws(() => template(['image.digest="latest"']), /digest/);
    assert.throws(() => template(['controller.extraArgs=[""]']), /extraArgs/);
    assert.throws(() => template(["serviceAccount.create=false"]), /serviceAccount\.name/);
  });

  it("elects the leader of each release by a Lease of its own, which its role names too", () => {
    for (const [release, lease] of [
      [RELEASE, "leasepair-controller"],
      ["second", "second-leasepair-controller"],
    ] as const) {
      const text = cluster.helm("template", release, CHART, "--namespace", OPERATOR_NAMESPACE);
      assert.match(text, new RegExp(`- --leader-election-name=${lease}$`, "m"));
      assert.match(text, new RegExp(`resourceNames: \\[${lease}\\]$`, "m"));
    }
  });

  it("lets its own test in, whoever else may scrape", () => {
    const monitoring = { namespaceSelector: { matchLabels: { name: "monitoring" } } };
    const sets = ["networkPolicy.enabled=true", `networkPolicy.metricsFrom=${JSON.stringify([monitoring])}`];
    const objects = parseAllDocuments(template(sets)).map((one): KubeObject | null => one.toJS());
    const of = (kind: string) => objects.find((object) => object?.kind === kind);
    const policy = of("NetworkPolicy") as { spec?: { ingress: { from: unknown[] }[] } } | undefined;
    const labels = Object.entries(of("Pod")?.metadata.labels ?? {});
    assert.equal(labels.length, 3);
    const policies = objects.filter((object) => object?.kind === "NetworkPolicy");
    for (const { spec } of policies as { spec?: { policyTypes: string[]; egress: unknown[] } }[])
      assert.deepEqual(
        [spec?.policyTypes, spec?.egress],
        [["Ingress", "Egress"], [{}]],
        "under default deny",
      );
    assert.equal(policies.length, 2);
    assert.deepEqual(policy?.spec?.ingress[0]?.from, [
      monitoring,
      { podSelector: { matchLabels: Object.fromEntries(labels) } },
    ]);
  });

  it("installs under the restricted Pod Security level, and its own test passes", () => {
    const notes = installOperator(cluster);
    assert.match(notes, /kubectl get dhcpfo/);
    assert.match(
      cluster.helm("test", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--timeout", "180s"),
      /Succeeded/,
    );
  });

  it("lets the controller read the namespaces that it looks after, and write ConfigMaps where it runs alone", () => {
    const asked = (name: string) => (verb: string, resource: string, namespace: string) =>
      mayInNamespace(cluster, `system:serviceaccount:${OPERATOR_NAMESPACE}:${name}`, {
        verb,
        resource,
        namespace,
      });
    const everywhere = asked("leasepair-controller");
    const sets = ["crds.enabled=false", "rbac.userRoles=false", 'watchNamespaces=["default"]'];
    const text = cluster.helm(
      "template",
      "named",
      CHART,
      "--namespace",
      OPERATOR_NAMESPACE,
      ...setJson(sets),
    );
    const objects = parseAllDocuments(text).map((one): KubeObject | null => one.toJS());
    const rights = objects.filter((object) => /^(Cluster)?Role(Binding)?$/.test(object?.kind ?? ""));
    const file = join(cluster.directory, "rights.json");
    writeFileSync(file, JSON.stringify({ apiVersion: "v1", kind: "List", items: rights }));
    cluster.apply(file);
    const named = asked("named-leasepair-controller");
    for (const may of [everywhere, named]) {
      for (const verb of ["get", "create", "update", "delete"]) {
        assert.ok(may(verb, "configmaps", OPERATOR_NAMESPACE), verb);
        assert.ok(!may(verb, "configmaps", "default"), verb);
      }
      assert.ok(!may("list", "configmaps", OPERATOR_NAMESPACE));
      assert.ok(may("get", "namespaces", "default") && !may("list", "namespaces", "default"));
    }
    assert.deepEqual(
      ["namespaces", "secrets"].map((resource) => named("get", resource, OPERATOR_NAMESPACE)),
      [false, false],
    );
    cluster.kubectl("delete", "--filename", file);
  });

  it("gives the same objects as the definitions and install.yaml with kubectl", () => {
    const manifest = installManifest(cluster.program("helm"), [NEVER]);
    const file = join(cluster.directory, "install.yaml");
    writeFileSync(file, manifest);
    const live = (text: string) =>
      JSON.parse(cluster.kubectl("get", "--filename", text, "--output", "json")).items.map(meaning);
    const byHelm = live(file);
    cluster.helm("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait");
    cluster.apply(join(ROOT, "crds"));
    cluster.apply(file);
    cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "rollout", "status", "deployment", "--timeout=180s");
    assert.deepEqual(live(file), byHelm);
    assert.ok(byHelm.length >= 10);
    cluster.kubectl("delete", "--filename", file, "--wait");
    cluster.kubectl("create", "namespace", OPERATOR_NAMESPACE);
  });

  it("says that a namespace's Pod Security level refuses the servers, and what it says to type brings them", async () => {
    installOperator(cluster, ["crds.enabled=false"]);
    cluster.kubectl("label", "namespace", "default", "pod-security.kubernetes.io/enforce=baseline");
    cluster.apply(pairObjects());
    await eventually(
      "Stalled",
      60_000,
      () => condition(cluster, "Stalled"),
      (seen) => seen === "True PodSecurityViolation",
    );
    const path = `jsonpath={.status.conditions[?(@.type=="Stalled")].message}`;
    const message = cluster.kubectl("get", "dhcpfo", PAIR, "--output", path);
    const [, command = ""] = /Type: kubectl (label .*=privileged)/.exec(message) ?? [];
    cluster.kubectl(...command.split(" "));
    // The API server's admission may have the label a moment later, and whoever makes pods waits longer after each refusal.
    const pods = () => {
      const again = ["--overwrite", `again=${Date.now()}`];
      cluster.kubectl("annotate", "statefulset", "-l", `leasepair.io/relationship=${PAIR}`, ...again);
      return cluster.kubectl("get", "pods", "--output", "name").trim().split("\n");
    };
    await eventually("both pods are made", 60_000, pods, ({ length }) => length === 2);
    await untilNormal(cluster);
  });

  it("removes the stores with a relationship that is not to retain them, and brings the next one up with new ones", async () => {
    const storeOf = (member: "a" | "b") => String(memberStatus(cluster, member)["store"]);
    const before = [storeOf("a"), storeOf("b")];
    const retain = JSON.stringify({ spec: { storage: { retain: false } } });
    cluster.kubectl("patch", "dhcpfo", PAIR, "--type=merge", "--patch", retain);
    const held = () =>
      cluster.kubectl("get", "dhcpfm", "--output", "jsonpath={.items[*].metadata.finalizers}");
    await eventually("held back", 30_000, held, (seen) => seen.split("leasepair.io/store").length === 3);
    cluster.kubectl("delete", "dhcpfo", PAIR, "--timeout=10s");
    const members = () => cluster.kubectl("get", "dhcpfm", "--output", "name");
    await eventually("both stores removed", 90_000, members, (seen) => seen === "");
    const reasons = () =>
      cluster.kubectl("get", "events.events.k8s.io", "--output", "jsonpath={.items[*].reason}");
    await eventually("told", 30_000, reasons, (seen) => seen.split("StoreRemoved").length === 3);
    cluster.apply(pairObjects());
    await untilNormal(cluster);
    assert.ok(!before.includes(storeOf("a")) && !before.includes(storeOf("b")), "new stores");
    cluster.helm("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait");
  });

  it("uninstalled, keeps the definitions and every object, and says so before", () => {
    cluster.apply(pairObjects());
    const notes = installOperator(cluster, ["crds.enabled=false"]);
    assert.match(notes, /The definitions, every pair and its two servers stay/);
    cluster.helm("uninstall", RELEASE, "--namespace", OPERATOR_NAMESPACE, "--wait");
    assert.notEqual(cluster.get("dhcpfo", "campus"), null);
    assert.notEqual(cluster.get("dhcpscope", "far"), null);
  });

  it("gives roles what they promise, and nobody a status", () => {
    cluster.apply(parseAllDocuments(template(["crds.enabled=false"])).flatMap((one) => roleIn(one.toJS())));
    const person = (role: string) => {
      cluster.kubectl(
        "create",
        "clusterrolebinding",
        `of-${role}`,
        `--clusterrole=${role}`,
        `--user=${role}`,
      );
      return (verb: string, resource: string) => may(cluster, role, verb, `${resource}.leasepair.io`);
    };
    const admin = person("leasepair-admin");
    const editor = person("leasepair-scope-editor");
    const viewer = person("leasepair-view");
    const builtInEdit = person("edit");
    const builtInView = person("view");
    assert.deepEqual([admin("create", "failoverrelationships"), admin("delete", "dhcpscopes")], [true, true]);
    assert.deepEqual([editor("patch", "dhcpscopes"), editor("create", "dhcpreservationsets")], [true, true]);
    assert.deepEqual(
      [editor("get", "failoverrelationships"), editor("create", "failoveroperations")],
      [false, false],
    );
    assert.deepEqual([viewer("get", "failoverrelationships"), viewer("patch", "dhcpscopes")], [true, false]);
    assert.deepEqual(
      [builtInEdit("patch", "dhcpscopes"), builtInEdit("patch", "failoverrelationships")],
      [true, false],
    );
    assert.deepEqual([builtInView("list", "dhcpscopes"), builtInView("patch", "dhcpscopes")], [true, false]);
    for (const asks of [admin, editor, viewer, builtInEdit, builtInView]) {
      for (const resource of [
        "failoverrelationships/status",
        "failovermembers/status",
        "dhcpscopes/status",
      ]) {
        assert.deepEqual([asks("patch", resource), asks("update", resource)], [false, false], resource);
      }
    }
  });
});

function setJson(sets: readonly string[]): readonly string[] {
  return sets.flatMap((set) => ["--set-json", set]);
}

/** An object without what the API server and the tool that applied it add. */
function meaning(object: KubeObject): unknown {
  const { metadata, status: _, ...rest } = object as KubeObject & { status?: unknown };
  const { clusterIP: __, clusterIPs: ___, ...spec } = (rest["spec"] ?? {}) as Record<string, unknown>;
  const labels = Object.entries(metadata.labels ?? {}).filter(
    ([name]) => !name.includes("kubernetes.io/metadata") && !name.includes("pod-security"),
  );
  return { ...rest, spec, name: metadata.name, namespace: metadata.namespace, labels, secrets: undefined };
}

function roleIn(object: KubeObject | null): readonly KubeObject[] {
  return object?.kind === "ClusterRole" ? [object] : [];
}

function may(cluster: Cluster, user: string, verb: string, resource: string): boolean {
  const [kind = "", subresource] = resource.replace(".leasepair.io", "").split("/");
  const args = ["auth", "can-i", verb, `${kind}.leasepair.io`, "--as", user, "--quiet"];
  if (subresource !== undefined) args.push("--subresource", subresource);
  try {
    cluster.kubectl(...args);
    return true;
  } catch {
    return false;
  }
}

/** By name in the namespace; of a namespace, it itself. */
function mayInNamespace(
  cluster: Cluster,
  user: string,
  resourceAttributes: { readonly verb: string; readonly resource: string; readonly namespace: string },
): boolean {
  const { namespace, resource } = resourceAttributes;
  const name = resource === "namespaces" ? namespace : "one";
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user, resourceAttributes: { ...resourceAttributes, name } },
  };
  const file = join(cluster.directory, "review.json");
  writeFileSync(file, JSON.stringify(review));
  const answer = cluster.kubectl("create", "--filename", file, "--output", "jsonpath={.status.allowed}");
  return answer === "true";
}
