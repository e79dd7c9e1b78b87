// What happens to a scope's addresses reaches its owner: from whole engines that read their configuration from an API, as
// Events of the DHCPScope, and as metrics.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { startEmbeddedApi } from "../../dev/embedded-api/embedded-api.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { ConnectionPool, loadKubeConfig } from "../../src/kube/connection.ts";
import type { KubeObject, ResourceType } from "../../src/kube/resource.ts";
import { systemTiming } from "../../src/kube/timing.ts";
import { campusYaml } from "../dhcp/host/campus.ts";
import { until } from "../interop-clients/network.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

// Loopback addresses of this process alone, so that two runs of the tests never meet.
const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const ADDRESSES = { a: `${NETWORK}.61`, b: `${NETWORK}.62` } as const;
const METRICS_PORT = 29_667;
const DHCP_PORT = 20_087;

const RELATIONSHIPS: ResourceType = {
  group: "leasepair.io",
  version: "v1alpha1",
  plural: "failoverrelationships",
  kind: "FailoverRelationship",
  namespaced: true,
};

/** A minimal message of a relayed client. Source: RFC 2131 2. */
function message(type: number, options: readonly number[]): Buffer {
  const packet = Buffer.alloc(300);
  packet.set([1, 1, 6, 1, 0x12, 0x34, 0x56, 0x78]);
  packet.writeUInt16BE(10, 8); // secs: beyond maxSeconds, so either member answers
  packet.set([127, 0, 0, 1], 24); // giaddr
  packet.set([2, 0, 0, 0, 0, 0x77], 28); // chaddr
  packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
  return packet;
}

async function ask(relay: Socket, packet: Buffer): Promise<Buffer> {
  const answer = once(relay, "message", { signal: AbortSignal.timeout(10_000) });
  relay.send(packet, DHCP_PORT, ADDRESSES.a);
  const [bytes] = (await answer) as [Buffer];
  return bytes;
}

test("a DECLINE becomes an Event of the scope in the API, written by the engine, and a metric", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-events-"));
  const api = await startEmbeddedApi();
  const engines: RunningCli[] = [];
  let client: KubeClient | null = null;
  const relay = createSocket("udp4").bind(0, "127.0.0.1");
  await once(relay, "listening");
  try {
    const kubeconfig = join(directory, "kubeconfig");
    api.writeKubeConfig(kubeconfig);
    const pool = new ConnectionPool(() => loadKubeConfig({ kubeconfig, context: null }));
    client = new KubeClient({ pool, timing: systemTiming, log: () => {} });
    const yaml = campusYaml({
      addresses: [ADDRESSES.a, ADDRESSES.b],
      metricsPort: METRICS_PORT,
      linkPort: 26_487,
    });
    const objects = parseAllDocuments(yaml).map((document) => document.toJS() as KubeObject);
    for (const object of objects) {
      const plural = object.kind === "DHCPScope" ? "dhcpscopes" : "failoverrelationships";
      api.objects.create(api.kind(plural), "default", object);
    }
    const link = join(directory, "link");
    await runCli(["certs", "--relationship", "default/campus", "--member", "a", "b", "--out", link]);
    for (const member of ["a", "b"]) {
      const which = ["--relationship", "default/campus", "--member", member];
      const where = ["--data-dir", join(directory, member), "--dhcp-port", String(DHCP_PORT)];
      const secured = ["--link-certificates", join(link, member)];
      engines.push(startCli(["engine", ...which, ...where, ...secured], { KUBECONFIG: kubeconfig }));
    }
    await Promise.all(engines.map((engine) => engine.until(/"event":"store-created"/)));
    const [a, b] = engines.map((engine) => /"store":"(\w+)"/.exec(engine.output())?.[1]);
    // What a controller would write: that these are the first stores of the pair.
    const witness = { epoch: 0, holder: null, holderStore: null, stores: { a, b } };
    await client.patchStatus(
      RELATIONSHIPS,
      { namespace: "default", name: "campus" },
      { status: { witness } },
    );
    await Promise.all(engines.map((engine) => engine.until(/"to":"NORMAL"/)));
    const server = ADDRESSES.a.split(".").map(Number);
    const address = [...(await ask(relay, message(1, []))).subarray(16, 20)];
    const ack = await ask(relay, message(3, [50, 4, ...address, 54, 4, ...server]));
    assert.equal(ack[242], 5, "the answer is an ACK");
    relay.send(message(4, [50, 4, ...address, 54, 4, ...server]), DHCP_PORT, ADDRESSES.a);
    const events = () => api.objects.store.list(api.kind("events")) as unknown as Record<string, never>[];
    await until(
      () => `an event; there are ${JSON.stringify(events())}`,
      20_000,
      () => events().length > 0,
    );
    const [event] = events();
    assert.equal(event?.["reason"], "AddressDeclined");
    assert.equal(event?.["type"], "Warning");
    assert.match(
      event?.["note"] ?? "",
      new RegExp(`^${address.join("\\.")}: a client found its address in use`),
    );
    assert.deepEqual(event?.["reportingInstance"], "campus-a");
    assert.deepEqual(
      [event?.["regarding"]?.["kind"], event?.["regarding"]?.["name"]],
      ["DHCPScope", "users"],
    );
    const metrics = await (await fetch(`http://${ADDRESSES.a}:${METRICS_PORT}/metrics`)).text();
    assert.match(metrics, /leasepair_address_conflicts_total\{scope="users",found_by="decline"[^}]*\} 1/);
  } finally {
    relay.close();
    await client?.close();
    for (const engine of engines) engine.child.kill("SIGKILL");
    await Promise.all(engines.map((engine) => engine.ended()));
    await api.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
