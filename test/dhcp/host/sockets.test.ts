import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { FaultError } from "../../../src/base/fault.ts";
import { formatIpv4, parseIpv4 } from "../../../src/base/ipv4.ts";
import { InterfaceAddresses } from "../../../src/dhcp/host/interfaces.ts";
import { ClientSockets, type SocketOptions } from "../../../src/dhcp/host/sockets.ts";
import type { Arrival } from "../../../src/dhcp/ports.ts";
import { createSegment, MAY_CREATE_NAMESPACES } from "./netns.ts";

// A loopback address of this process alone, so that two runs of the tests never meet.
const ADDRESS = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}.9`;
const LOOPBACK = parseIpv4(ADDRESS)!;
const run = promisify(execFile);
/** A bound that only a failing test reaches. */
const WAIT_MS = 30_000;

function openSockets(over: Partial<SocketOptions>): ClientSockets {
  return new ClientSockets({
    memberAddress: LOOPBACK,
    port: 0,
    interfaces: [],
    addresses: new InterfaceAddresses({ maxAgeMs: 0, nowMs: () => performance.now() }),
    nowMs: () => performance.now(),
    onDatagram: () => {},
    onTrouble: (operation, error) => assert.fail(`${operation}: ${error}`),
    ...over,
  });
}

function faultOf(act: () => unknown): FaultError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof FaultError, String(error));
    return error;
  }
  return assert.fail("no fault was thrown");
}

describe("sockets on loopback", () => {
  test("a relayed datagram arrives with its source, and the reply comes from the member's address and port", async () => {
    const arrivals: Arrival[] = [];
    const sockets = openSockets({
      onDatagram: (bytes, arrival) => {
        arrivals.push(arrival);
        setImmediate(() =>
          sockets.send(
            { kind: "unicast", to: arrival.source, port: arrival.sourcePort, interface: null },
            bytes,
          ),
        );
      },
    });
    const relay = createSocket("udp4").bind(0, "127.0.0.10");
    try {
      await once(relay, "listening");
      const answered = once(relay, "message", { signal: AbortSignal.timeout(WAIT_MS) });
      relay.send(Buffer.from("abc"), sockets.port, formatIpv4(LOOPBACK));
      const [message, from] = await answered;
      assert.equal(String(message), "abc");
      assert.deepEqual([from.address, from.port], [ADDRESS, sockets.port]);
      assert.deepEqual(arrivals, [
        { kind: "routed", source: parseIpv4("127.0.0.10"), sourcePort: relay.address().port },
      ]);
    } finally {
      relay.close();
      sockets.stop();
    }
  });

  test("a unicast datagram from the subnet of a served interface says so, one from elsewhere does not", async (t) => {
    if (!MAY_CREATE_NAMESPACES) return t.skip("needs root: packet sockets");
    for (const [interfaces, expected] of [
      [["lo"], "lo"],
      [[], undefined],
    ] as const) {
      const { promise, resolve } = Promise.withResolvers<Arrival>();
      const sockets = openSockets({ interfaces, onDatagram: (_bytes, arrival) => resolve(arrival) });
      const client = createSocket("udp4");
      client.send("abc", sockets.port, ADDRESS);
      const arrival = await promise;
      client.close();
      sockets.stop();
      assert.deepEqual([arrival.kind, (arrival as { segment?: string }).segment], ["routed", expected]);
    }
  });

  test("a datagram that waited for a process that was held up says when it came", async () => {
    const arrivals: Arrival[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const sockets = openSockets({
      onDatagram: (_bytes, arrival) => {
        arrivals.push(arrival);
        if (arrivals.length === 2) setImmediate(resolve);
      },
    });
    const directory = mkdtempSync(join(tmpdir(), "leasepair-sockets-"));
    const [isHeld, isSent] = [join(directory, "held"), join(directory, "sent")];
    // A process of its own sends, because this one is held up: each tells the other by a file.
    const program = `const fs = require("node:fs"), s = require("node:dgram").createSocket("udp4");
      const send = (text, then) => s.send(text, ${sockets.port}, "${ADDRESS}", then);
      const late = () => fs.existsSync("held") ? send("late", () => { s.close(); fs.writeFileSync("sent", ""); }) : setTimeout(late, 10);
      send("early", () => { process.stdout.write("sent"); late(); });`;
    const sender = spawn(process.execPath, ["-e", program], {
      cwd: directory,
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(sender.stdout!, "data");
      // Sent, and at most just read: what is held up is the reading of the next one.
      const began = performance.now();
      writeFileSync(isHeld, "");
      while (!existsSync(isSent) && performance.now() < began + WAIT_MS);
      for (const sentAt = performance.now(); performance.now() < sentAt + 1_000; );
      const heldUntil = performance.now();
      AbortSignal.timeout(WAIT_MS).onabort = () => resolve();
      await promise;
      const late = arrivals.at(-1);
      assert.ok(late?.heardAt !== undefined, "the second came while nobody read");
      const waited = heldUntil - late.heardAt;
      assert.ok(waited > 900 && waited < heldUntil - began, `${waited}`);
    } finally {
      sender.kill();
      sockets.stop();
      rmSync(directory, { recursive: true });
    }
  });

  test("a burst larger than one batch arrives whole and in order", async () => {
    const seen: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const sockets = openSockets({
      onDatagram: (bytes) => {
        seen.push(bytes[0] ?? -1);
        if (seen.length === 200) setImmediate(resolve);
      },
    });
    const relay = createSocket("udp4");
    try {
      for (let i = 0; i < 200; i++) relay.send(Buffer.from([i]), sockets.port, formatIpv4(LOOPBACK));
      const timeout = AbortSignal.timeout(WAIT_MS);
      timeout.onabort = () => resolve();
      await promise;
      assert.deepEqual(
        seen,
        Array.from({ length: 200 }, (_, i) => i),
      );
    } finally {
      relay.close();
      sockets.stop();
    }
  });

  test("a port in use is a fault that names address, port and the process that holds it", () => {
    const first = openSockets({});
    try {
      const fault = faultOf(() => openSockets({ port: first.port }));
      assert.equal(fault.code, "ADDRESS_IN_USE");
      assert.match(fault.message, new RegExp(`${ADDRESS}:${first.port}/udp.*\\(pid ${process.pid}\\)`));
    } finally {
      first.stop();
    }
  });

  test("an address that is not on this machine is a fault that lists those that are", () => {
    const fault = faultOf(() => openSockets({ memberAddress: parseIpv4("192.0.2.250")!, port: 17067 }));
    assert.equal(fault.code, "ADDRESS_NOT_HERE");
    assert.match(fault.message, /192\.0\.2\.250.*127\.0\.0\.1/);
  });

  test("an interface that is not there is a fault that names it and lists those that are", (t) => {
    if (!MAY_CREATE_NAMESPACES) return t.skip("needs root: packet sockets");
    const fault = faultOf(() => openSockets({ interfaces: ["nope0"] }));
    assert.equal(fault.code, "INTERFACE_MISSING");
    assert.match(fault.message, /nope0 does not exist; this machine has .*lo/);
  });

  test("a failed open leaves no socket behind", (t) => {
    if (!MAY_CREATE_NAMESPACES) return t.skip("needs root: packet sockets");
    faultOf(() => openSockets({ port: 17068, interfaces: ["nope0"] }));
    openSockets({ port: 17068 }).stop();
  });

  test("a reply that cannot be sent is reported and does not stop those after it", async () => {
    const troubles: string[] = [];
    const sockets = openSockets({ onTrouble: (operation, error) => troubles.push(`${operation} ${error}`) });
    const relay = createSocket("udp4").bind(0, "127.0.0.10");
    try {
      await once(relay, "listening");
      const answered = once(relay, "message", { signal: AbortSignal.timeout(WAIT_MS) });
      const port = relay.address().port;
      const good = { kind: "unicast", to: parseIpv4("127.0.0.10")!, port, interface: null } as const;
      sockets.send({ ...good, port: 0 }, Buffer.from("refused"));
      sockets.send({ kind: "broadcast", interface: "not-served" }, Buffer.from("refused"));
      sockets.send({ ...good, interface: "nope0" }, Buffer.from("refused"));
      sockets.send(good, Buffer.from("sent"));
      const [message] = await answered;
      assert.equal(String(message), "sent");
      assert.deepEqual(troubles.sort(), ["send EINVAL", "send ENODEV", "send ENODEV"]);
    } finally {
      relay.close();
      sockets.stop();
    }
  });
});

/** Runs socket-server.ts in a namespace; lines are its output as they come. */
async function startServer(namespace: string, address: string, clientHardwareAddress: string) {
  const program = `${import.meta.dirname}/socket-server.ts`;
  const child: ChildProcess = spawn(
    "ip",
    ["netns", "exec", namespace, process.execPath, program, address, clientHardwareAddress],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<Record<string, unknown>> => JSON.parse(String((await lines.next()).value));
  assert.deepEqual(await next(), { ready: true });
  const stop = async () => {
    const ended = once(child, "exit");
    child.stdin?.end();
    await ended;
  };
  return { next, stop };
}

async function exchange(clientNamespace: string, letter: string) {
  const program = `${import.meta.dirname}/packet-client.ts`;
  const args = ["netns", "exec", clientNamespace, process.execPath, program, letter];
  const { stdout } = await run("ip", args, { timeout: 20_000 });
  const { packetType, hex } = JSON.parse(stdout);
  const packet = Buffer.from(hex, "hex");
  return {
    packetType,
    source: formatIpv4(packet.readUInt32BE(12) as never),
    to: formatIpv4(packet.readUInt32BE(16) as never),
    ports: [packet.readUInt16BE(20), packet.readUInt16BE(22)],
    payload: packet.subarray(28).toString("latin1"),
  };
}

describe("sockets on a segment of their own", { skip: MAY_CREATE_NAMESPACES ? false : "needs root" }, () => {
  const cases = [
    { name: "whose interface has the member's address", serverAddress: "10.99.0.1", addresses: 1 },
    { name: "whose interface has no address at all", serverAddress: null, addresses: 0 },
  ];
  for (const { name, serverAddress, addresses } of cases) {
    test(`a client without an address is heard and answered on an interface ${name}`, async () => {
      const segment = createSegment({ serverAddress });
      try {
        const server = await startServer(segment.server, "10.99.0.1", segment.clientHardwareAddress);
        try {
          const broadcast = await exchange(segment.client, "B");
          const expected = { source: "10.99.0.1", ports: [67, 68], payload: "B".repeat(300) };
          assert.deepEqual(broadcast, { ...expected, packetType: 1, to: "255.255.255.255" });
          const unicast = await exchange(segment.client, "L");
          const direct = { ...expected, packetType: 0, to: "10.99.0.77", payload: "L".repeat(300) };
          assert.deepEqual(unicast, direct);
          const heard = (await server.next())["arrival"] as Arrival & { kind: "local" };
          assert.deepEqual([heard.kind, heard.interface, heard.source], ["local", "lan", 0]);
          assert.equal(heard.sourcePort, 68);
          assert.equal(heard.addresses.length, addresses);
        } finally {
          await server.stop();
        }
      } finally {
        segment.remove();
      }
    });
  }
});
