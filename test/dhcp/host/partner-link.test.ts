import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import { A, B, bytesOf, createLink, DIALED } from "./test-link.ts";

const kinds = (events: readonly EngineEvent[]) => events.map((event) => event.kind);

describe("the link over TCP", () => {
  test("bytes go both ways between the partners, and closing flushes first", async () => {
    const listener = createLink(A, B, { port: 0 });
    await listener.link.listen();
    const dialer = createLink(B, A, { port: listener.link.port });
    try {
      dialer.link.dial(DIALED);
      await dialer.until(() => dialer.events.length > 0);
      assert.deepEqual(dialer.events[0], { kind: "link-opened", connection: DIALED, dialed: true });
      await listener.until(() => listener.events.length > 0);
      assert.deepEqual(listener.events[0], { kind: "link-opened", connection: 1, dialed: false });
      dialer.link.send(DIALED, Buffer.from("hello"));
      await listener.until(() => bytesOf(listener.events) === "hello");
      listener.link.send(1, Buffer.from("last words"));
      listener.link.close(1);
      await dialer.until(() => kinds(dialer.events).includes("link-closed"));
      assert.equal(bytesOf(dialer.events), "last words");
      await listener.until(() => kinds(listener.events).includes("link-closed"));
      assert.equal(kinds(listener.events).filter((kind) => kind === "link-closed").length, 1);
    } finally {
      await Promise.all([dialer.link.stop(), listener.link.stop()]);
    }
  });

  test("a connection from anywhere but the partner's address is closed unread", async () => {
    const listener = createLink(A, B, { port: 0 });
    await listener.link.listen();
    const stranger = connect({ host: "127.0.0.21", port: listener.link.port, localAddress: "127.0.0.23" });
    try {
      stranger.on("error", () => {});
      await once(stranger, "close", { signal: AbortSignal.timeout(10_000) });
      assert.deepEqual(listener.strangers, ["127.0.0.23"]);
      assert.deepEqual(listener.events, []);
    } finally {
      stranger.destroy();
      await listener.link.stop();
    }
  });

  test("a dial that nobody answers ends in link-closed with the reason", async () => {
    const dialer = createLink(B, A, { port: 9 });
    dialer.link.dial(DIALED);
    await dialer.until(() => dialer.events.length > 0);
    const [event] = dialer.events;
    assert.equal(event?.kind, "link-closed");
    assert.match(event?.kind === "link-closed" ? event.reason : "", /ECONNREFUSED/);
    await dialer.link.stop();
  });

  test("a port in use is a fault that names the process", async () => {
    const first = createLink(A, B, { port: 0 });
    await first.link.listen();
    const second = createLink(A, B, { port: first.link.port });
    try {
      await assert.rejects(second.link.listen(), (error) => {
        assert.ok(error instanceof FaultError);
        assert.equal(error.code, "ADDRESS_IN_USE");
        assert.match(
          error.message,
          new RegExp(`127\\.0\\.0\\.21:${first.link.port}/tcp.*pid ${process.pid}`),
        );
        return true;
      });
    } finally {
      await first.link.stop();
    }
  });

  test("a partner that sends without pause is held back until what it sent is taken", async () => {
    const listener = createLink(A, B, { port: 0, holdsBack: true });
    await listener.link.listen();
    const flooder = connect({ host: "127.0.0.21", port: listener.link.port, localAddress: "127.0.0.22" });
    try {
      flooder.on("error", () => {});
      await once(flooder, "connect");
      const block = Buffer.alloc(1024 * 1024);
      const heldBack = () => flooder.writableLength > 16 * block.length;
      while (!heldBack()) {
        flooder.write(block);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const held = listener.events.reduce(
        (sum, e) => sum + (e.kind === "link-bytes" ? e.bytes.length : 0),
        0,
      );
      assert.ok(held < 256 * 1024, `${held} bytes wait in the process`);
    } finally {
      flooder.destroy();
      listener.takeAll();
      await listener.link.stop();
    }
  });

  test("a partner that stops reading is cut off before what waits for it fills the memory", async () => {
    const listener = createLink(A, B, { port: 0 });
    await listener.link.listen();
    const deaf = connect({ host: "127.0.0.21", port: listener.link.port, localAddress: "127.0.0.22" });
    try {
      deaf.on("error", () => {});
      deaf.pause();
      await listener.until(() => listener.events.length > 0);
      const closed = () => kinds(listener.events).includes("link-closed");
      for (let sent = 0; !closed(); sent += 65_536) {
        assert.ok(sent < 64 * 1024 * 1024, "it was sent without end");
        listener.link.send(1, Buffer.alloc(65_536));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const last = listener.events.at(-1);
      assert.match(last?.kind === "link-closed" ? last.reason : "", /does not read/);
    } finally {
      deaf.destroy();
      await listener.link.stop();
    }
  });

  test("peers that never close their end of what was closed here do not keep the partner out", async () => {
    const listener = createLink(A, B, { port: 0 });
    await listener.link.listen();
    const to = { host: "127.0.0.21", port: listener.link.port, localAddress: "127.0.0.22" };
    const sockets: Socket[] = [];
    const openings = () => kinds(listener.events).filter((kind) => kind === "link-opened").length;
    try {
      for (let id = 1; id <= 40; id++) {
        const socket = connect({ ...to, allowHalfOpen: true });
        socket.on("error", () => {});
        sockets.push(socket);
        await listener.until(() => openings() === id);
        listener.link.close(id);
      }
    } finally {
      for (const socket of sockets) socket.destroy();
      await listener.link.stop();
    }
  });

  test("sending on a connection that is gone does nothing", () => {
    const { link } = createLink(A, B, { port: 0 });
    link.send(7, Buffer.from("x"));
    link.close(7);
  });
});
