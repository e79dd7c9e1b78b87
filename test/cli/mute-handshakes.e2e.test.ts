// Connections to the link over TLS that never finish their handshake, from the partner's own machine: mute, stopped half way,
// many at once. They cost a bounded number of sockets, are told once, and stand in the way of neither clients nor partner.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { offersWhile } from "./relayed-discover.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.53.${process.pid % 250}`;
const ADDRESSES = { a: `${NETWORK}.71`, b: `${NETWORK}.72` } as const;
const LINK_PORT = 26_473;
const DHCP_PORT = 20_073;
const CONNECTIONS = 200;
/** A record that announces 512 bytes of a ClientHello, and the first of them. Source: RFC 8446 4, 5.1. */
const HALF_A_HELLO = Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 1, 2, 3, 4);

let directory = "";
const engines = new Map<string, RunningCli>();

function startMember(member: "a" | "b"): RunningCli {
  const engine = startCli([
    ...["engine", "--relationship", "default/campus", "--member", member, "--dhcp-port", String(DHCP_PORT)],
    ...["--manifests", join(directory, "manifests"), "--data-dir", join(directory, member)],
    ...["--link-certificates", join(directory, "link", member)],
  ]);
  engines.set(member, engine);
  return engine;
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-mute-"));
  mkdirSync(join(directory, "manifests"));
  const addresses = [ADDRESSES.a, ADDRESSES.b] as const;
  const yaml = campusYaml({ addresses: [...addresses], metricsPort: 29_663, linkPort: LINK_PORT });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
  const out = join(directory, "link");
  await runCli(["certs", "--relationship", "default/campus", "--member", "a", "b", "--out", out]);
});
after(async () => {
  for (const engine of engines.values()) engine.child.kill("SIGKILL");
  await Promise.all([...engines.values()].map((engine) => engine.ended()));
  rmSync(directory, { recursive: true, force: true });
});

const openFiles = (engine: RunningCli) => readdirSync(`/proc/${engine.child.pid}/fd`).length;

/** However it ends. */
const closed = (socket: Socket) => socket.closed || new Promise((resolve) => socket.once("close", resolve));

async function openMute(): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: CONNECTIONS }, (_, i) => {
    const socket = connect({ host: ADDRESSES.b, port: LINK_PORT, localAddress: ADDRESSES.a });
    socket.on("error", () => {}).resume();
    socket.on("connect", () => (i % 2 === 0 ? socket.write(HALF_A_HELLO) : undefined));
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, "connect").catch(() => {})));
  return sockets;
}

test("handshakes that nobody finishes leave link and clients alone, and let the partner in beside them", async () => {
  const a = startMember("a");
  const b = startMember("b");
  await Promise.all([a, b].map((engine) => engine.until(/"to":"NORMAL"/)));
  const filesBefore = openFiles(b);
  let isGoing = true;
  const serving = offersWhile({ address: ADDRESSES.b, port: DHCP_PORT }, () => isGoing);
  const mute = await openMute();
  try {
    await Promise.all(mute.slice(0, -8).map((socket) => closed(socket)));
    assert.ok(openFiles(b) <= filesBefore + 8, `${openFiles(b)} files are open, ${filesBefore} were before`);
    assert.doesNotMatch(b.output(), /"event":"link-down"/);

    a.child.kill("SIGKILL");
    await a.ended();
    const again = await openMute();
    const restarted = startMember("a");
    await restarted.until(/"to":"NORMAL"/);
    await Promise.all([...mute, ...again].map((socket) => closed(socket)));
  } finally {
    isGoing = false;
    for (const socket of mute) socket.destroy();
  }
  assert.ok((await serving) > 0);
  const told = b.output().match(/"event":"link-distrusted"/g) ?? [];
  assert.equal(told.length, 1, "400 connections are one line");
});
