// Somebody who can pass for the partner on a link in clear: floods of updates whose answers nobody reads, of requests for
// everything, of connections that never say a word. The engine's memory stays, and it goes on answering others.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import { hashBucketAssignment } from "../../src/dhcp/failover/load-balance.ts";
import { type Extras, writeExtras } from "../../src/dhcp/wire-failover/extras.ts";
import { type FailoverFrame, readFrame } from "../../src/dhcp/wire-failover/frame.ts";
import { type FailoverMessage, MESSAGE_TYPE, REJECT_REASON } from "../../src/dhcp/wire-failover/message.ts";
import { readMessage } from "../../src/dhcp/wire-failover/read-message.ts";
import { writeMessage } from "../../src/dhcp/wire-failover/write-message.ts";
import { ABSENT } from "../dhcp/engine/scripted-partner.ts";
import { campusYaml } from "../dhcp/host/campus.ts";
import { ip } from "../dhcp/server/world.ts";
import { offersWhile } from "./relayed-discover.ts";
import { type RunningCli, startCli } from "./run-cli.ts";

const NETWORK = `127.51.${process.pid % 250}`;
const PARTNER = `${NETWORK}.71`;
const VICTIM = `${NETWORK}.72`;
const LINK_PORT = 26_472;
const METRICS_PORT = 29_662;
const DHCP_PORT = 20_070;
/** As much as the engine takes in so long, at most so much. */
const FLOOD_MS = 3_000;
const FLOOD_BYTES = 64 * 1024 * 1024;
const GROWTH_BYTES_MAX = 128 * 1024 * 1024;
/** What the kernel may hold of one connection, at both ends together. */
const IN_SOCKETS_MAX = ["tcp_wmem", "tcp_rmem"]
  .map((name) => Number(readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").trim().split(/\s+/)[2]))
  .reduce((sum, bytes) => sum + bytes, 1024 * 1024);

let directory = "";
let engine: RunningCli;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-hostile-"));
  mkdirSync(join(directory, "manifests"));
  const yaml = campusYaml({ addresses: [PARTNER, VICTIM], metricsPort: METRICS_PORT, linkPort: LINK_PORT });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
  engine = startCli([
    "engine",
    ...[
      "--relationship",
      "default/campus",
      "--member",
      "b",
      "--dhcp-port",
      String(DHCP_PORT),
      "--clear-link",
    ],
    ...["--manifests", join(directory, "manifests"), "--data-dir", join(directory, "data")],
  ]);
  await engine.until(/"event":"started"/);
});
after(async () => {
  engine.child.kill("SIGKILL");
  await engine.ended();
  rmSync(directory, { recursive: true, force: true });
});

function frame(message: FailoverMessage, xid: number): Uint8Array {
  return writeMessage(message, unixSeconds(Math.floor(Date.now() / 1000)), xid);
}

const CONNECT = {
  type: "CONNECT",
  relationshipName: "default/campus",
  maxUnackedUpdates: 100,
  receiveTimerSeconds: 60,
  vendorClass: "hostile",
  protocolVersion: 1,
  tlsRequest: 0,
  isDigested: false,
  mcltSeconds: 60,
  hashBuckets: hashBucketAssignment(50),
  extras: null,
} as const;

/** A connection on which the handshake has begun. */
async function openConnection(): Promise<Socket> {
  const socket = connect({ host: VICTIM, port: LINK_PORT, localAddress: PARTNER });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(frame(CONNECT, 0));
  return socket;
}

/** A connection whose handshake the engine has accepted. */
async function acceptedConnection(onOpen = () => {}): Promise<Socket> {
  const socket = await openConnection();
  onOpen();
  socket.write(
    frame({ type: "STATE", state: 6, flags: 0, startTimeOfState: unixSeconds(0), extras: null }, 1),
  );
  const closed = once(socket, "close").then(() => Promise.reject(new Error("closed before the answer")));
  await Promise.race([once(socket, "data"), closed]);
  closed.catch(() => {});
  return socket;
}

/** Sends `bytes` over and over, until it is enough or it is cut off. Returns what the engine answered meanwhile. */
async function flood(socket: Socket, bytes: Uint8Array): Promise<number> {
  const block = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
  let answered = 0;
  let isDone = false;
  const watching = (async () => {
    while (!isDone) {
      const response = await fetch(`http://${VICTIM}:${METRICS_PORT}/healthz`);
      if (response.status === 200) answered += 1;
    }
  })();
  const end = AbortSignal.timeout(FLOOD_MS);
  for (let sent = 0; sent < FLOOD_BYTES && !socket.destroyed && !end.aborted; sent += block.length) {
    if (socket.write(block)) continue;
    await once(socket, "drain", { signal: end }).catch(() => {});
  }
  isDone = true;
  await watching;
  return answered;
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${engine.child.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

const STATE = { NORMAL: 2, RECOVER: 6, "RECOVER-DONE": 9 } as const;

/** A conversation that takes the engine to NORMAL, where it serves: as a new pair's first one, or as a later one. */
async function normalConnection(which: "first" | "later"): Promise<Socket> {
  const socket = await openConnection();
  const say = (message: FailoverMessage, xid = 1) => socket.write(frame(message, xid));
  const announce = (state: keyof typeof STATE, extras: Extras) =>
    say({
      type: "STATE",
      state: STATE[state],
      flags: 0,
      startTimeOfState: unixSeconds(0),
      extras: writeExtras(extras),
    });
  const deadline = AbortSignal.timeout(10_000);
  let stream = Buffer.alloc(0);
  if (which === "first") announce("RECOVER", { neverNormal: true });
  else announce("NORMAL", {});
  for (let state = 0; state !== STATE.NORMAL; ) {
    const [bytes] = (await once(socket, "data", { signal: deadline })) as [Buffer];
    stream = Buffer.concat([stream, bytes]);
    for (let read = readFrame(stream, 0); read.kind === "frame"; read = readFrame(stream, 0)) {
      const { type, xid, options } = read.frame;
      stream = stream.subarray(read.bytesConsumed);
      if (type === MESSAGE_TYPE.UPDREQALL || type === MESSAGE_TYPE.UPDREQ) {
        say({ type: "UPDDONE" }, xid);
        announce("RECOVER-DONE", { neverNormal: true });
      } else if (type === MESSAGE_TYPE.STATE) state = options[4]!;
    }
  }
  announce("NORMAL", {});
  // Addresses of its own, without which it has nothing to offer.
  for (let i = 0; i < 20; i++) {
    const address = (ip("10.20.0.100") + i) as ReturnType<typeof ip>;
    say({ type: "BNDUPD", update: { ...ABSENT, address, status: 7 } });
  }
  return socket;
}

/** How many updates the engine has taken so far. */
async function updatesTaken(): Promise<number> {
  const text = await (await fetch(`http://${VICTIM}:${METRICS_PORT}/metrics`)).text();
  return Number(
    /leasepair_failover_updates_total\{[^}]*"received"[^}]*\} (\d+)/.exec(text)?.[1] ?? Number.NaN,
  );
}

describe("a hostile partner", () => {
  const update = {
    ...ABSENT,
    address: ip("10.20.0.150"),
    status: 2,
    clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
    leaseExpiration: unixSeconds(1),
    potentialExpiration: unixSeconds(1),
    startTimeOfState: unixSeconds(1),
    lastTransaction: unixSeconds(1),
  };
  test("whose updates come faster than they are written down is held back, and clients are served meanwhile", async () => {
    const socket = await normalConnection("first");
    socket.resume();
    const bytes = frame({ type: "BNDUPD", update }, 7);
    const block = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
    const takenBefore = await updatesTaken();
    const sentBefore = socket.bytesWritten;
    let isGoing = true;
    const serving = offersWhile({ address: VICTIM, port: DHCP_PORT }, () => isGoing);
    let held = 0;
    const end = AbortSignal.timeout(FLOOD_MS);
    while (!end.aborted && !socket.destroyed) {
      const isTaken = socket.write(block);
      // What has left this process is in the two sockets, in the engine, or taken.
      if (!isTaken) await once(socket, "drain", { signal: end }).catch(() => {});
      held += isTaken ? 0 : 1;
    }
    const left = socket.bytesWritten - socket.writableLength - sentBefore;
    const taken = ((await updatesTaken()) - takenBefore) * bytes.length;
    isGoing = false;
    const offers = await serving;
    assert.ok(!socket.destroyed, "it reads what it is answered: nobody cuts it off");
    socket.destroy();
    assert.ok(held > 0, "the sender had to wait");
    assert.ok(left - taken < IN_SOCKETS_MAX, `${left} bytes have left the flooder, ${taken} are taken`);
    assert.ok(offers > 0);
    await engine.until(/"event":"link-down"/);
  });

  const floods: readonly [string, FailoverMessage, boolean][] = [
    ["updates whose answers it does not read", { type: "BNDUPD", update }, false],
    ["updates whose answers it reads", { type: "BNDUPD", update }, true],
    ["requests for everything", { type: "UPDREQALL" }, true],
    ["signs of life", { type: "CONTACT", extras: null }, true],
  ];
  for (const [name, message, reads] of floods) {
    test(`that floods ${name} makes no memory grow and keeps nobody else waiting for ever`, async () => {
      const socket = await acceptedConnection();
      if (reads) socket.resume();
      else socket.pause();
      const before = residentBytes();
      const answered = await flood(socket, frame(message, 7));
      const grown = residentBytes() - before;
      socket.destroy();
      assert.ok(grown < GROWTH_BYTES_MAX, `${grown} bytes more`);
      assert.ok(answered > 0, "its health page was answered meanwhile");
      await engine.until(/"event":"link-down"/);
    });
  }

  test("that opens connections and says nothing, or half of its greeting, keeps the true partner out no moment", async () => {
    const greeting = frame(CONNECT, 0);
    const mute: Socket[] = [];
    try {
      // The engine finds them and the true partner behind them in one turn, as after a pause of its machine.
      engine.child.kill("SIGSTOP");
      for (let i = 0; i < 40; i++) {
        const socket = connect({ host: VICTIM, port: LINK_PORT, localAddress: PARTNER });
        socket.on("error", () => {}).resume();
        await once(socket, "connect");
        if (i % 2 === 0) socket.write(greeting.subarray(0, greeting.length / 2));
        mute.push(socket);
      }
      const accepted = await acceptedConnection(() => engine.child.kill("SIGCONT"));
      accepted.destroy();
      // The last ones are closed when the time for a handshake is over.
      await Promise.all(
        mute.map((socket) => socket.closed || new Promise((resolve) => socket.once("close", resolve))),
      );
    } finally {
      engine.child.kill("SIGCONT");
      for (const socket of mute) socket.destroy();
    }
  });

  test("draft 8.6: that falls silent is told so before the connection is closed, and clients are served", async () => {
    const socket = await normalConnection("later");
    let stream = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      stream = Buffer.concat([stream, bytes]);
    });
    let isGoing = true;
    const serving = offersWhile({ address: VICTIM, port: DHCP_PORT }, () => isGoing);
    await once(socket, "end");
    isGoing = false;
    assert.ok((await serving) > 0);
    let last: FailoverFrame | null = null;
    for (let at = 0; at < stream.length; ) {
      const read = readFrame(stream, at);
      assert.ok(read.kind === "frame");
      at += read.bytesConsumed;
      last = read.frame;
    }
    assert.ok(last !== null);
    const read = readMessage(last);
    assert.ok(read.kind === "message" && read.message.type === "DISCONNECT");
    assert.equal(read.message.rejectReason, REJECT_REASON.noTraffic);
    assert.equal(read.message.message, "nothing heard for 2000 ms");
    socket.destroy();
    await engine.until(/"event":"link-down".*nothing heard for 2000 ms/);
  });
});
