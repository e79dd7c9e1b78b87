// From a kubeconfig to a TLS connection: what is trusted, what is noticed when it changes, what is refused and why.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { makeCertificate } from "../../dev/embedded-api/certificate.ts";
import { FaultError } from "../../src/base/fault.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { ConnectionPool, loadKubeConfig } from "../../src/kube/connection.ts";
import { KubeError } from "../../src/kube/kube-error.ts";
import { podAccess } from "../../src/kube/pod-access.ts";
import { systemTiming } from "../../src/kube/timing.ts";
import { kubeConfigFor, sendJson, startScriptedApi, WIDGET, widget } from "./scripted-api.ts";

const log = () => {};
const ONCE = { attempts: 1 };

describe("TLS", () => {
  it("reaches a server that the kubeconfig's CA vouches for, and no other", async () => {
    const ours = await makeCertificate("127.0.0.1");
    const foreign = await makeCertificate("127.0.0.1");
    const api = await startScriptedApi({ cert: ours.certificate, key: ours.key });
    api.script((_request, response) => sendJson(response, 200, widget("one", "1")));
    const trusting = new ConnectionPool(() => kubeConfigFor(api.url, "t", ours.certificate));
    const wary = new ConnectionPool(() => kubeConfigFor(api.url, "t", foreign.certificate));
    try {
      const client = new KubeClient({ pool: trusting, timing: systemTiming, log });
      await client.get(WIDGET, "lab", "one", ONCE);
      assert.equal(api.requests[0]?.headers["authorization"], "Bearer t");

      const other = new KubeClient({ pool: wary, timing: systemTiming, log });
      const call = other.get(WIDGET, "lab", "one", ONCE);
      await assert.rejects(call, (error) => error instanceof KubeError && error.reason === "Unreachable");
      assert.equal(api.requests.length, 1, "the token was not shown to a stranger");
    } finally {
      await Promise.all([trusting.close(), wary.close()]);
      await api.close();
    }
  });

  it("takes up a CA that was replaced in its file, without a restart", async () => {
    const directory = await mkdtemp(join(tmpdir(), "leasepair-kube-"));
    const caFile = join(directory, "ca.crt");
    const [first, second] = [await makeCertificate("127.0.0.1"), await makeCertificate("127.0.0.1")];
    const api = await startScriptedApi({ cert: second.certificate, key: second.key });
    api.script((_request, response) => sendJson(response, 200, widget("one", "1")));
    const config = kubeConfigFor(api.url);
    config.loadFromClusterAndUser(
      { name: "c", server: api.url, skipTLSVerify: false, caFile },
      { name: "u" },
    );
    const pool = new ConnectionPool(() => config);
    const client = new KubeClient({ pool, timing: systemTiming, log });
    try {
      await writeFile(caFile, first.certificate);
      await assert.rejects(client.get(WIDGET, "lab", "one", ONCE));
      await writeFile(caFile, second.certificate);
      await client.get(WIDGET, "lab", "one", ONCE);
      const connection = await pool.connection();
      assert.equal(
        (await pool.connection()).dispatcher,
        connection.dispatcher,
        "one pool while nothing changes",
      );
    } finally {
      await pool.close();
      await api.close();
      await rm(directory, { recursive: true });
    }
  });
});

describe("the pod's service account", () => {
  it("is shown to the API that the mounted CA vouches for; a token and a CA that were renewed count at once", async () => {
    const directory = await mkdtemp(join(tmpdir(), "leasepair-kube-"));
    const mount = (name: string, text: string) => writeFile(join(directory, name), text);
    const [stranger, ours] = [await makeCertificate("127.0.0.1"), await makeCertificate("127.0.0.1")];
    const api = await startScriptedApi({ cert: ours.certificate, key: ours.key });
    api.script((_request, response) => sendJson(response, 200, widget("one", "1")));
    const { hostname, port } = new URL(api.url);
    const pod = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    try {
      assert.equal(podAccess(pod, directory), null, "nothing is mounted");
      await Promise.all([mount("token", "first\n"), mount("ca.crt", stranger.certificate)]);
      assert.equal(podAccess({}, directory), null, "no API is named");
      const access = podAccess(pod, directory);
      assert.ok(access !== null);
      const pool = new ConnectionPool(() => access);
      const client = new KubeClient({ pool, timing: systemTiming, log });
      await assert.rejects(client.get(WIDGET, "lab", "one", ONCE));
      await mount("ca.crt", ours.certificate);
      await client.get(WIDGET, "lab", "one", ONCE);
      await mount("token", "second");
      await client.get(WIDGET, "lab", "one", ONCE);
      const shown = api.requests.map(({ headers }) => headers["authorization"]);
      assert.deepEqual(shown, ["Bearer first", "Bearer second"]);
      await rm(join(directory, "token"));
      await assert.rejects(client.get(WIDGET, "lab", "one", ONCE), /token/);
      await pool.close();
    } finally {
      await api.close();
      await rm(directory, { recursive: true });
    }
  });

  it("names an IPv6 address as URLs have it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "leasepair-kube-"));
    await writeFile(join(directory, "token"), "t");
    const access = podAccess(
      { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" },
      directory,
    );
    assert.equal(access?.getCurrentCluster()?.server, "https://[fd00::1]:443");
    await rm(directory, { recursive: true });
  });
});

describe("kubeconfig", () => {
  it("names the file, the context and the remedy when it cannot be used", async () => {
    const directory = await mkdtemp(join(tmpdir(), "leasepair-kube-"));
    const file = join(directory, "config");
    await writeFile(file, kubeConfigFor("https://192.0.2.1").exportConfig());
    const failure = async (kubeconfig: string, context: string | null) => {
      try {
        await loadKubeConfig({ kubeconfig, context });
      } catch (error) {
        assert.ok(error instanceof FaultError && error.code === "API_CONFIG_INVALID");
        return error.message;
      }
      return "none";
    };
    try {
      assert.match(await failure(join(directory, "missing"), null), /missing.*ENOENT/);
      assert.match(await failure(file, "production"), /no context "production".*loaded-context/);
      assert.equal(await failure(file, "loaded-context"), "none");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("refuses plain http unless verification is switched off, and socks proxies", async () => {
    for (const [cluster, expected] of [
      [{ name: "c", server: "http://127.0.0.1:1", skipTLSVerify: false }, /HTTP protocol is not allowed/],
      [
        { name: "c", server: "https://127.0.0.1:1", skipTLSVerify: true, proxyUrl: "socks5://127.0.0.1:1" },
        /socks5/,
      ],
    ] as const) {
      const config = kubeConfigFor("https://127.0.0.1:1");
      config.loadFromClusterAndUser(cluster, { name: "u" });
      await assert.rejects(new ConnectionPool(() => config).connection(), expected);
    }
  });
});
