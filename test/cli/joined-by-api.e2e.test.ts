// A pair that ran without any API is joined by one, as docs/guides/without-cluster.md says: the controller is told the UID under
// which the stores lie, its pods wait for the plain engines to stop, one member at a time, and no client notices.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { RelayedClient } from "../../dev/demo/relayed-client.ts";
import { type EmbeddedApi, startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { runController } from "../../src/controller/main.ts";
import { TYPES, type WatchedKind } from "../../src/controller/resource-types.ts";
import { loadKubeConfig } from "../../src/kube/connection.ts";
import { formatTime, type KubeObject } from "../../src/kube/resource.ts";
import { OPTIONS } from "../controller/observed-fixture.ts";
import { campusYaml } from "../dhcp/host/campus.ts";
import { until } from "../interop-clients/network.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.54.${process.pid % 250}`;
const ADDRESS = { a: `${NETWORK}.91`, b: `${NETWORK}.92` } as const;
const DHCP_PORT = 20_091;
const UID = "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42";
type Member = keyof typeof ADDRESS;
type Json = Record<string, unknown>;

test("a pair from manifests goes on under an API: pods wait for the plain engines, and no lease is lost", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-joined-"));
  const link = join(directory, "link");
  const engines: RunningCli[] = [];
  const api = await startEmbeddedApi();
  let stopController = async () => {};
  const start = (args: readonly string[]) => {
    const engine = startCli([...args, "--dhcp-port", String(DHCP_PORT)]);
    engines.push(engine);
    return engine;
  };
  const client = new RelayedClient({
    name: "client",
    hardwareAddress: "02:00:00:00:00:41",
    relayAddress: "127.0.0.1",
    servers: Object.values(ADDRESS),
    port: DHCP_PORT,
  });
  try {
    const certs = ["--relationship", "default/campus", "--member", "a", "b", "--out", link];
    assert.equal((await runCli(["certs", ...certs])).code, 0);
    mkdirSync(join(directory, "manifests"));
    const yaml = campusYaml({ addresses: [ADDRESS.a, ADDRESS.b], metricsPort: 29_671, linkPort: 26_481 });
    writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
    const plain = (member: Member) =>
      start([
        ...["engine", "--relationship", "default/campus", "--member", member],
        ...["--manifests", join(directory, "manifests"), "--data-dir", join(directory, UID, member)],
        ...["--link-certificates", join(link, member)],
      ]);
    const alone = { a: plain("a"), b: plain("b") };
    await Promise.all(Object.values(alone).map((engine) => engine.until(/"to":"NORMAL"/)));
    const { address } = await client.acquire(15_000);

    const kubeconfig = join(directory, "kubeconfig");
    api.writeKubeConfig(kubeconfig);
    for (const name of ["node-1", "node-2"]) put(api, { kind: "Node", metadata: { name } });
    for (const member of ["a", "b"]) put(api, secretOf(member, join(link, member)));
    for (const object of parseAllDocuments(yaml).map((document) => document.toJS() as KubeObject)) {
      const own = {
        link: { port: 26_481, tls: { secretRef: { name: "campus-tls" } } },
        storage: { adoptFrom: UID },
      };
      const spec =
        object.kind === "FailoverRelationship" ? { ...(object["spec"] as Json), ...own } : object["spec"];
      put(api, { ...object, spec });
    }
    const controller = await runController({
      loadKubeConfig: () => loadKubeConfig({ kubeconfig, context: null }),
      namespaces: null,
      engine: { ...OPTIONS, dataRoot: directory },
      leaderElection: null,
      metrics: null,
      log: () => {},
      onLeadershipLost: () => {},
    });
    stopController = () => controller.stop();
    const set = (member: Member) =>
      api.objects.store.get(api.kind("statefulsets"), `default/campus-${member}`);
    await until(
      () => "the pods are rendered",
      20_000,
      () => set("a") !== null && set("b") !== null,
    );
    const pod = (member: Member, files = link) =>
      start([...podArgs(set(member)!, files, member), "--kubeconfig", kubeconfig]);

    const tooEarly = pod("b");
    assert.equal(await tooEarly.ended(), 3, "the plain engine has the store still");
    assert.match(tooEarly.errors(), /is in use by .*\(pid \d+\)/);

    const joined = { ...alone };
    for (const member of ["b", "a"] as const) {
      alone[member].child.kill("SIGTERM");
      assert.equal(await alone[member].ended(), 0);
      joined[member] = pod(member);
      await joined[member].until(/"to":"NORMAL"/);
      assert.equal((await client.renew(15_000)).address, address, `${member} has joined`);
    }
    const status = (plural: string, name: string) =>
      (api.objects.store.get(api.kind(plural), `default/${name}`)?.["status"] ?? {}) as Json;
    const shown = () => JSON.stringify([status("failoverrelationships", "campus"), members()]);
    const members = () => ["a", "b"].map((member) => status("failovermembers", `campus-${member}`));
    await until(shown, 30_000, () => {
      const { stores = {} } = (status("failoverrelationships", "campus")["witness"] ?? {}) as {
        stores?: Json;
      };
      const [a, b] = members().map(({ store }) => store);
      const isListed = stores["a"] === a && stores["b"] === b;
      return isListed && members().every(({ state, complete }) => state === "Normal" && complete === true);
    });
    assert.equal((await client.renew(15_000)).address, address);

    // b comes with a certificate of an authority that was followed by the present one.
    for (const member of ["a", "b"]) putRunningPod(api, member);
    joined.b.child.kill("SIGTERM");
    await joined.b.ended();
    const other = join(directory, "another-authority");
    assert.equal((await runCli(["certs", ...certs.slice(0, -1), other])).code, 0);
    pod("b", other);
    const secure = () => {
      const { conditions = [] } = status("failoverrelationships", "campus") as { conditions?: Json[] };
      return conditions.find(({ type }) => type === "LinkSecure") ?? {};
    };
    await until(
      () => JSON.stringify([secure(), members()]),
      30_000,
      () => secure()["reason"] === "CertificateRevoked",
    );
    // Each trusts another authority than the other has: whoever of the two says so first.
    assert.match(
      String(secure()["message"]),
      /^(a refuses b|b refuses a): .*earlier authority CN=.*default\/campus, which is not trusted/,
    );
  } finally {
    await client.stop();
    await stopController();
    for (const engine of engines) engine.child.kill("SIGKILL");
    await Promise.all(engines.map((engine) => engine.ended()));
    await api.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});

function put(api: EmbeddedApi, object: KubeObject): void {
  const plural = object.kind === "Secret" ? "secrets" : TYPES[object.kind as WatchedKind].plural;
  api.objects.create(api.kind(plural), object.kind === "Node" ? null : "default", object);
}

/** As a kubelet says it of an engine's pod that is well: only then its engine's report counts. */
function putRunningPod(api: EmbeddedApi, member: string): void {
  const labels = { "app.kubernetes.io/name": "leasepair", "leasepair.io/relationship": "campus" };
  const name = `campus-${member}-0`;
  put(api, { kind: "Pod", metadata: { name, namespace: "default", labels }, spec: {} });
  const conditions = [{ type: "Ready", status: "True", lastTransitionTime: formatTime(0) }];
  const status = { conditions, containerStatuses: [{ name: "engine", state: { running: {} } }] };
  const target = { kind: api.kind("pods"), namespace: "default", name, subresource: "status" } as const;
  api.objects.mergePatch(target, { status });
}

/** As `kubectl create secret generic` makes it of the files that `leasepair certs` wrote. */
function secretOf(member: string, directory: string): KubeObject {
  const read = (name: string) => [name, readFileSync(join(directory, name)).toString("base64")] as const;
  const data = Object.fromEntries(["tls.crt", "tls.key", "ca.crt"].map(read));
  return { kind: "Secret", metadata: { name: `campus-tls-${member}`, namespace: "default" }, data };
}

/** The engine's command line as rendered, with what its pod would have mounted. */
function podArgs(set: KubeObject, link: string, member: string): readonly string[] {
  const { containers, volumes } = ((set["spec"] as Json)["template"] as KubeObject)["spec"] as {
    containers: { args: string[]; volumeMounts: { name: string; mountPath: string }[] }[];
    volumes: { name: string; hostPath?: { path: string } }[];
  };
  const [{ args, volumeMounts }] = containers as [(typeof containers)[0]];
  const mounts = new Map(volumeMounts.map(({ name, mountPath }) => [mountPath, name]));
  return args.map((argument) => {
    const volume = volumes.find(({ name }) => name === mounts.get(argument));
    return volume === undefined ? argument : (volume.hostPath?.path ?? join(link, member));
  });
}
