import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { FaultError } from "../../../src/base/fault.ts";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import { TcpPartnerLink } from "../../../src/dhcp/host/partner-link.ts";

const A = parseIpv4("127.0.0.21")!;
const B = parseIpv4("127.0.0.22")!;
const DIALED = 1000;

/** A link whose events can be awaited one by one. */
function createLink(address: typeof A, partnerAddress: typeof A, port: number) {
  const events: EngineEvent[] = [];
  const strangers: string[] = [];
  let wake = () => {};
  let accepted = 0;
  const link = new TcpPartnerLink({
    address,
    partnerAddress,
    port,
    nextAcceptedId: () => ++accepted,
    onEvent: (event) => {
      events.push(event);
      wake();
    },
    onStranger: (from) => {
      strangers.push(from);
      wake();
    },
  });
  const until = async (isTrue: () => boolean) => {
    const timeout = AbortSignal.timeout(10_000);
    while (!isTrue()) {
      timeout.throwIfAborted();
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), once(timeout, "abort")]);
    }
  };
  return { link, events, strangers, until };
}

function bytesOf(events: readonly EngineEvent[]): string {
  return events.map((e) => (e.kind === "link-bytes" ? Buffer.from(e.bytes).toString() : "")).join("");
}

const kinds = (events: readonly EngineEvent[]) => events.map((event) => event.kind);

describe("the link over TCP", () => {
  test("bytes go both ways between the partners, and closing flushes first", async () => {
    const listener = createLink(A, B, 0);
    await listener.link.listen();
    const dialer = createLink(B, A, listener.link.port);
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
    const listener = createLink(A, B, 0);
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
    const dialer = createLink(B, A, 9);
    dialer.link.dial(DIALED);
    await dialer.until(() => dialer.events.length > 0);
    const [event] = dialer.events;
    assert.equal(event?.kind, "link-closed");
    assert.match(event?.kind === "link-closed" ? event.reason : "", /ECONNREFUSED/);
    await dialer.link.stop();
  });

  test("a port in use is a fault that names the process", async () => {
    const first = createLink(A, B, 0);
    await first.link.listen();
    const second = createLink(A, B, first.link.port);
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

  test("sending on a connection that is gone does nothing", () => {
    const { link } = createLink(A, B, 0);
    link.send(7, Buffer.from("x"));
    link.close(7);
  });
});
