// Somebody who can pass for the partner on a link in clear: floods of updates whose answers nobody reads, of requests for
// everything, of connections that never say a word. The engine's memory stays, and it goes on answering others.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unixSeconds } from "../../src/base/units.ts";
import { hashBucketAssignment } from "../../src/dhcp/failover/load-balance.ts";
import { type Extras, writeExtras } from "../../src/dhcp/wire-failover/extras.ts";
import { readFrame } from "../../src/dhcp/wire-failover/frame.ts";
import { type FailoverMessage, MESSAGE_TYPE } from "../../src/dhcp/wire-failover/message.ts";
import { writeMessage } from "../../src/dhcp/wire-failover/write-message.ts";
import { ABSENT } from "../dhcp/engine/scripted-partner.ts";
import { campusYaml } from "../dhcp/host/campus.ts";
import { ip } from "../dhcp/server/world.ts";
import { type RunningCli, startCli } from "./run-cli.ts";

const NETWORK = `127.51.${process.pid % 250}`;
const PARTNER = `${NETWORK}.71`;
const VICTIM = `${NETWORK}.72`;
const LINK_PORT = 26_472;
const METRICS_PORT = 29_662;
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
    ...["--relationship", "default/campus", "--member", "b", "--dhcp-port", "20070", "--clear-link"],
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

/** A connection on which the handshake has begun. */
async function openConnection(): Promise<Socket> {
  const socket = connect({ host: VICTIM, port: LINK_PORT, localAddress: PARTNER });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(
    frame(
      {
        type: "CONNECT",
        relationshipName: "default/campus",
        maxUnackedUpdates: 100,
        receiveTimerSeconds: 60,
        vendorClass: "hostile",
        protocolVersion: 1,
        mcltSeconds: 60,
        hashBuckets: hashBucketAssignment(50),
        extras: null,
      },
      0,
    ),
  );
  return socket;
}

/** A connection whose handshake the engine has accepted. */
async function acceptedConnection(): Promise<Socket> {
  const socket = await openConnection();
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

/** A conversation that takes the engine to NORMAL, as a new pair's first one: then it serves. */
async function normalConnection(): Promise<Socket> {
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
  announce("RECOVER", { neverNormal: true });
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

/** A client's DISCOVER through a relay, one after the other, each answered before it would ask for the third time.
 *  Source: RFC 2131 4.1. */
async function offersWhile(isGoing: () => boolean): Promise<number> {
  const relay = createSocket("udp4").bind(0, "127.0.0.1");
  await once(relay, "listening");
  let answered = 0;
  try {
    while (isGoing() || answered === 0) {
      const packet = Buffer.alloc(300);
      packet.set([1, 1, 6, 1, 0x12, 0x34, 0x56, 0x78]);
      packet.writeUInt16BE(10, 8); // secs: beyond maxSeconds, so either member answers
      packet.set([127, 0, 0, 1], 24);
      packet.set([2, 0, 0, 0, 0, 0x44], 28);
      packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255], 236);
      const answer = once(relay, "message", { signal: AbortSignal.timeout(8_000) });
      relay.send(packet, 20_070, VICTIM);
      const [offer] = (await answer) as [Buffer];
      assert.equal(offer[242], 2, "an OFFER");
      answered += 1;
    }
  } finally {
    relay.close();
  }
  return answered;
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
    const socket = await normalConnection();
    socket.resume();
    const bytes = frame({ type: "BNDUPD", update }, 7);
    const block = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
    const takenBefore = await updatesTaken();
    const sentBefore = socket.bytesWritten;
    let isGoing = true;
    const serving = offersWhile(() => isGoing);
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

  test("that opens connections and says nothing is cut off, and the link stays possible", async () => {
    const mute = Array.from({ length: 40 }, () =>
      connect({ host: VICTIM, port: LINK_PORT, localAddress: PARTNER }),
    );
    for (const socket of mute) socket.on("error", () => {}).resume();
    await Promise.all(
      mute.slice(20).map((socket) => new Promise((resolve) => socket.once("close", resolve))),
    );
    for (const socket of mute) socket.destroy();
    // The engine may still be closing the last of them: the true partner dials again too.
    let accepted: Socket | null = null;
    for (let i = 0; i < 20 && accepted === null; i++) {
      accepted = await acceptedConnection().catch(() => null);
      if (accepted === null) await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.notEqual(accepted, null);
    accepted?.destroy();
  });
});
