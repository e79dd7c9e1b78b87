import assert from "node:assert/strict";
import { test } from "node:test";
import { type DesiredObject, renderMember, renderPair } from "../../../src/controller/desired/desired.ts";
import {
  ANNOTATION_TEMPLATE_HASH,
  claimName,
  type Owner,
  storeLabels,
} from "../../../src/controller/desired/names.ts";
import { renderRemovalPod } from "../../../src/controller/desired/removal-pod.ts";
import { dhcpPort, type RenderOptions } from "../../../src/controller/desired/render-options.ts";
import { config, OPTIONS, OWNER_UID, relationship } from "../observed-fixture.ts";

type Json = Record<string, unknown>;

const OWNER = { ...relationship(), kind: "FailoverRelationship", stopped: null, storeUid: OWNER_UID };

function rendered(
  changes: Parameters<typeof config>[0] = {},
  options: RenderOptions = OPTIONS,
  ownerChanges: Partial<Owner> = {},
): DesiredObject[] {
  const of = config(changes);
  const owner = { ...OWNER, ...ownerChanges };
  return [
    ...renderPair(of, owner),
    ...of.members.flatMap((member) => renderMember(of, member, owner, options)),
  ];
}

function find(objects: readonly DesiredObject[], kind: string, name: string): Json {
  const found = objects.find((object) => object.kind === kind && object.name === name);
  assert.ok(found, `${kind} ${name}`);
  return found.body;
}

/** What stands at a path such as `spec.template.spec.hostNetwork`. */
function at(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (value as Json | undefined)?.[name], object);
}

const set = (objects = rendered()) => find(objects, "StatefulSet", "campus-a");
const pod = (objects = rendered()) => at(set(objects), "spec.template.spec");
const engine = (objects = rendered()) => at(pod(objects), "containers.0");
const withInterface = () => {
  const [a, b] = config().members;
  return rendered({ members: [{ ...a, interfaces: ["eth1"] }, b] });
};

test("everything carries the pair's labels and one controlling owner that blocks nothing", () => {
  for (const { body, kind, name } of rendered()) {
    const { labels, ownerReferences } = body.metadata;
    assert.equal(labels?.["app.kubernetes.io/name"], "leasepair", `${kind} ${name}`);
    assert.equal(labels?.["app.kubernetes.io/instance"], "campus");
    assert.equal(labels?.["app.kubernetes.io/managed-by"], "leasepair-controller");
    assert.deepEqual(ownerReferences, [
      {
        apiVersion: "leasepair.io/v1alpha1",
        kind: "FailoverRelationship",
        name: "campus",
        uid: OWNER_UID,
        controller: true,
      },
    ]);
  }
});

test("the same configuration renders the same bytes", () => {
  assert.equal(JSON.stringify(rendered()), JSON.stringify(rendered()));
});

test("a member is one replica that only the controller replaces", () => {
  assert.equal(at(set(), "spec.replicas"), 1);
  assert.equal(at(set(), "spec.updateStrategy.type"), "OnDelete");
});

test("the selector selects the template's pods and no others", () => {
  const selector = at(set(), "spec.selector.matchLabels") as Json;
  const labels = at(set(), "spec.template.metadata.labels") as Json;
  for (const [name, value] of Object.entries(selector)) assert.equal(labels[name], value);
  const other = at(find(rendered(), "StatefulSet", "campus-b"), "spec.template.metadata.labels") as Json;
  assert.ok(Object.entries(selector).some(([name, value]) => other[name] !== value));
});

test("the pod is on the host network of its node, apart from its partner, and stays through trouble", () => {
  assert.equal(at(pod(), "hostNetwork"), true);
  assert.equal(at(pod(), "dnsPolicy"), "ClusterFirstWithHostNet");
  assert.equal(at(pod(), "priorityClassName"), "system-node-critical");
  assert.equal(at(pod(), "terminationGracePeriodSeconds"), 30);
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  assert.deepEqual(at(pod(), `affinity.nodeAffinity.${required}.nodeSelectorTerms.0.matchFields.0`), {
    key: "metadata.name",
    operator: "In",
    values: ["node-1"],
  });
  const apart = at(pod(), `affinity.podAntiAffinity.${required}.0`);
  assert.equal(at(apart, "topologyKey"), "kubernetes.io/hostname");
  const partner = at(find(rendered(), "StatefulSet", "campus-b"), "spec.template.metadata.labels") as Json;
  for (const [name, value] of Object.entries(at(apart, "labelSelector.matchLabels") as Json)) {
    assert.equal(partner[name], value);
  }
  for (const toleration of at(pod(), "tolerations") as Json[]) {
    assert.equal(toleration["effect"], "NoExecute");
    assert.equal(toleration["tolerationSeconds"], undefined);
  }
});

test("an engine tolerates what the installation says besides; where it says nothing no running pod is outdated", () => {
  const dedicated = { key: "dedicated", operator: "Exists", effect: "NoSchedule" } as const;
  const usual = [
    { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
    { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  ];
  const told = (tolerations: RenderOptions["tolerations"]) =>
    at(pod(rendered({}, { ...OPTIONS, ...(tolerations && { tolerations }) })), "tolerations");
  assert.deepEqual(told([dedicated]), [...usual, dedicated]);
  assert.deepEqual(told([]), usual);
  assert.deepEqual(told(undefined), usual);
});

test("the engine is told its relationship, its name and where its store is; extra arguments come last", () => {
  const objects = rendered({}, { ...OPTIONS, engineArgs: ["--dhcp-port", "1067"] });
  assert.deepEqual(at(engine(objects), "args"), [
    ...[
      "engine",
      "--relationship",
      "dhcp/campus",
      "--member",
      "a",
      "--data-dir",
      "/var/lib/leasepair",
      "--link-certificates",
      "/etc/leasepair/link",
    ],
    ...["--dhcp-port", "1067"],
  ]);
  assert.equal(at(engine(objects), "ports.0.containerPort"), 1067);
});

test("every port is claimed on the member's own address", () => {
  const [a, b] = config().members;
  const link = { ...a, linkAddress: b.address, metricsPort: 9999 };
  const ports = at(engine(rendered({ members: [link, b], linkPort: 1647 })), "ports");
  assert.deepEqual(ports, [
    { name: "dhcp", containerPort: 67, hostPort: 67, hostIP: "192.0.2.1", protocol: "UDP" },
    { name: "link", containerPort: 1647, hostPort: 1647, hostIP: "192.0.2.2", protocol: "TCP" },
    { name: "metrics", containerPort: 9999, hostPort: 9999, hostIP: "192.0.2.1", protocol: "TCP" },
  ]);
});

test("probes ask the member's address and its metrics port", () => {
  const paths = { startupProbe: "/healthz", livenessProbe: "/healthz", readinessProbe: "/readyz" };
  for (const [probe, path] of Object.entries(paths)) {
    assert.deepEqual(at(engine(), `${probe}.httpGet`), {
      path,
      port: 9647,
      host: "192.0.2.1",
      scheme: "HTTP",
    });
  }
});

test("the engine has the fewest rights that let it answer", () => {
  const security = at(engine(), "securityContext") as Json;
  assert.equal(security["runAsUser"], 10001);
  assert.equal(security["runAsNonRoot"], true);
  assert.equal(security["allowPrivilegeEscalation"], false);
  assert.equal(security["readOnlyRootFilesystem"], true);
  assert.deepEqual(security["capabilities"], { drop: ["ALL"], add: ["NET_BIND_SERVICE"] });
  assert.equal(at(pod(), "securityContext.seccompProfile.type"), "RuntimeDefault");
  const local = at(engine(withInterface()), "securityContext.capabilities.add");
  assert.deepEqual(local, ["NET_BIND_SERVICE", "NET_RAW"]);
});

test("the store lies under relationship and member, and is given to the engine's user by CHOWN alone", () => {
  const volume = at(pod(), "volumes.0.hostPath") as Json;
  assert.deepEqual(volume, { path: `/var/lib/leasepair/${OWNER_UID}/a`, type: "DirectoryOrCreate" });
  const init = at(pod(), "initContainers.0") as Json;
  assert.deepEqual(at(init, "securityContext.capabilities"), { drop: ["ALL"], add: ["CHOWN"] });
  assert.equal(at(init, "securityContext.runAsUser"), 0);
  assert.deepEqual(at(init, "volumeMounts.0"), at(engine(), "volumeMounts.0"));
  assert.equal((init["volumeMounts"] as unknown[]).length, 1, "the link's key is not for root");
});

test("the link's certificate is the member's own Secret, readable by the engine's group alone", () => {
  const secretOf = (owner: Partial<ReturnType<typeof relationship>>, changes = {}) => {
    const set = renderMember(
      config(changes),
      config(changes).members[0],
      { ...OWNER, ...owner },
      OPTIONS,
    ).find(({ kind }) => kind === "StatefulSet");
    return { volumes: at(set?.body, "spec.template.spec.volumes"), set: set?.body };
  };
  const own = secretOf({});
  assert.deepEqual(at(own.volumes, "1"), {
    name: "link",
    secret: { secretName: "campus-a-link", defaultMode: 0o440 },
  });
  assert.equal(at(own.set, "spec.template.spec.securityContext.fsGroup"), 10001);
  assert.equal(at(own.set, "spec.template.spec.containers.0.volumeMounts.1.readOnly"), true);
  const brought = secretOf({ linkSecretBase: "from-cert-manager" });
  assert.equal(at(brought.volumes, "1.secret.secretName"), "from-cert-manager-a");
  const [a, b] = config().members;
  const dhcpd = { dialect: "ISC", relationshipName: "campus", port: 647 } as const;
  const clear = secretOf({}, { members: [a, { ...b, external: dhcpd }] });
  assert.equal((clear.volumes as unknown[]).length, 1);
  const args = at(clear.set, "spec.template.spec.containers.0.args") as string[];
  assert.ok(!args.some((word) => word.includes("link")), "a dhcpd speaks in clear anyway");
});

test("a role reaches its own relationship and report only, and writes nothing but its report's status and events", () => {
  const role = find(rendered(), "Role", "campus-a");
  const rules = role["rules"] as { resources: string[]; resourceNames?: string[]; verbs: string[] }[];
  for (const { resources, resourceNames, verbs } of rules) {
    if (resources.some((resource) => resource.startsWith("failover"))) {
      assert.deepEqual(resourceNames, [resources[0]?.startsWith("failovermembers") ? "campus-a" : "campus"]);
    }
    const writes = verbs.filter((verb) => !["get", "list", "watch"].includes(verb));
    const mayWrite: Readonly<Record<string, string[]>> = {
      "failovermembers/status": ["patch"],
      events: ["create", "patch"],
    };
    assert.deepEqual(writes, mayWrite[resources[0] ?? ""] ?? []);
  }
  assert.ok(rules.some(({ resources }) => resources.includes("events")));
  const binding = find(rendered(), "RoleBinding", "campus-a");
  assert.equal(at(binding, "roleRef.name"), "campus-a");
  assert.deepEqual(at(binding, "subjects.0"), {
    kind: "ServiceAccount",
    name: "campus-a",
    namespace: "dhcp",
  });
});

test("one disruption budget keeps one of the two", () => {
  const budget = find(rendered(), "PodDisruptionBudget", "campus");
  assert.equal(at(budget, "spec.minAvailable"), 1);
  for (const name of ["campus-a", "campus-b"]) {
    const labels = at(find(rendered(), "StatefulSet", name), "spec.template.metadata.labels") as Json;
    for (const [label, value] of Object.entries(at(budget, "spec.selector.matchLabels") as Json)) {
      assert.equal(labels[label], value);
    }
  }
});

test("the node of a member whose partner runs elsewhere can be drained: its budget lets the only pod go", () => {
  const [a, b] = config().members;
  for (const dialect of ["ISC", "Leasepair"] as const) {
    const external = { dialect, relationshipName: "fo-campus", port: 647 };
    const pair = config({ members: [a, { ...b, nodeName: "", external }] });
    const budget = renderPair(pair, OWNER)[0]?.body;
    assert.deepEqual(at(budget, "spec"), {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: at(find(rendered(), "PodDisruptionBudget", "campus"), "spec.selector"),
    });
  }
});

test("what changes a pod changes its template's hash, and nothing else does", () => {
  const hash = (objects: DesiredObject[]) =>
    at(set(objects), "spec.template.metadata.annotations") as Record<string, string>;
  const now = hash(rendered())[ANNOTATION_TEMPLATE_HASH];
  assert.equal(
    hash(rendered({ mcltSeconds: 60 as never, revision: "c".repeat(64), scopes: [] }))[
      ANNOTATION_TEMPLATE_HASH
    ],
    now,
  );
  assert.notEqual(hash(rendered({}, { ...OPTIONS, image: "other" }))[ANNOTATION_TEMPLATE_HASH], now);
  assert.notEqual(hash(rendered({ linkPort: 648 }))[ANNOTATION_TEMPLATE_HASH], now);
  assert.notEqual(hash(withInterface())[ANNOTATION_TEMPLATE_HASH], now);
});

test("the DHCP port is read from either form of the flag, and is 67 otherwise", () => {
  assert.equal(dhcpPort([]), 67);
  assert.equal(dhcpPort(["--dhcp-port", "1067"]), 1067);
  assert.equal(dhcpPort(["--x", "--dhcp-port=2067"]), 2067);
  assert.equal(dhcpPort(["--dhcp-port", "many"]), 67);
});

const CLAIM = { storageClassName: "fast", size: "2Gi", accessMode: "ReadWriteOncePod" };
const inClaims = (changes: Partial<Owner> = {}) => rendered({}, OPTIONS, { claim: CLAIM, ...changes });

test("a store in a claim: named by the store, mounted above the data directory, without a root container", () => {
  const objects = inClaims({ storeUid: "uid-of-store" });
  const claim = find(objects, "PersistentVolumeClaim", "leasepair-uid-of-store-a");
  assert.deepEqual(at(claim, "spec"), {
    accessModes: ["ReadWriteOncePod"],
    resources: { requests: { storage: "2Gi" } },
    storageClassName: "fast",
  });
  assert.equal(at(claim, "metadata.labels")?.["leasepair.io/relationship" as never], "campus");
  assert.deepEqual(at(pod(objects), "volumes.0"), {
    name: "data",
    persistentVolumeClaim: { claimName: "leasepair-uid-of-store-a" },
  });
  assert.equal(at(pod(objects), "initContainers"), undefined);
  assert.equal(at(pod(objects), "securityContext.fsGroup"), 10_001);
  assert.deepEqual(at(engine(objects), "volumeMounts.0"), { name: "data", mountPath: "/var/lib" });
  assert.match(JSON.stringify(at(engine(objects), "args")), /"--data-dir","\/var\/lib\/leasepair"/);
  assert.equal(JSON.stringify(objects).includes("hostPath"), false);
});

test("every container says what it may use: a quota of the namespace takes no pod of which one does not", () => {
  const resources = { requests: { memory: "1Gi" }, limits: { memory: "1Gi" } };
  const options = { ...OPTIONS, resources };
  const store = { namespace: "dhcp", relationship: "campus", member: "a", node: "node-1", storeUid: "uid" };
  const removal = renderRemovalPod(
    { ...store, memberObject: { apiVersion: "leasepair.io/v1alpha1", name: "campus-a", uid: "u" } },
    options,
  );
  for (const spec of [pod(rendered({}, options)), at(removal, "spec")]) {
    const { containers, initContainers = [] } = spec as { containers: Json[]; initContainers?: Json[] };
    for (const container of [...containers, ...initContainers])
      assert.deepEqual(container["resources"], resources, `${container["name"]}`);
  }
});

test("the engines have the class for what a node cannot do without, another one, or none", () => {
  const classOf = (options: RenderOptions) => at(pod(rendered({}, options)), "priorityClassName");
  assert.equal(classOf(OPTIONS), "system-node-critical");
  assert.equal(classOf({ ...OPTIONS, priorityClassName: "dhcp" }), "dhcp");
  assert.equal(
    Object.hasOwn(pod(rendered({}, { ...OPTIONS, priorityClassName: "" })) as Json, "priorityClassName"),
    false,
  );
});

test("what has no owner is no part of an Argo CD application that is called like the relationship", () => {
  const owners = inClaims().filter(({ body }) => body.metadata.ownerReferences === undefined);
  assert.deepEqual(
    owners.map(({ kind }) => kind),
    ["PersistentVolumeClaim", "PersistentVolumeClaim"],
  );
  for (const labels of [
    ...owners.map(({ body }) => body.metadata.labels ?? {}),
    storeLabels("campus", null),
  ]) {
    assert.equal(labels["app.kubernetes.io/instance"], undefined);
    assert.equal(labels["app.kubernetes.io/component"], "store");
    assert.equal(labels["leasepair.io/relationship"], "campus");
  }
});

test("nothing of a pair whose stores are retained waits for anybody to be deleted", () => {
  for (const objects of [rendered(), inClaims()])
    for (const { body, kind, name } of objects)
      assert.equal(at(body, "metadata.finalizers"), undefined, `${kind} ${name}`);
});

test("a retained claim has no owner to go with; one that is not, has the relationship, and no node waits for it", () => {
  const claimIn = (objects: readonly DesiredObject[]) =>
    find(objects, "PersistentVolumeClaim", claimName(OWNER_UID, "b"));
  assert.equal(Object.hasOwn(claimIn(inClaims())["metadata"] as Json, "ownerReferences"), false);
  const gone = inClaims({ retainsStores: false });
  assert.equal(at(claimIn(gone), "metadata.ownerReferences.0.uid"), OWNER_UID);
  assert.equal(at(find(gone, "FailoverMember", "campus-b"), "metadata.finalizers"), undefined);
});

test("without a class in the spec none is asked for: the cluster's default is meant", () => {
  const [claim] = inClaims({ claim: { ...CLAIM, storageClassName: null } }).filter(
    ({ kind }) => kind === "PersistentVolumeClaim",
  );
  assert.equal(at(claim?.body, "spec.storageClassName"), undefined);
});
