// Messages made to kill, sent to real engine processes: after each one a normal client is served. They are those of test/corpus/fuzz,
// at the port for clients and at the port for the partner, and whatever else is no message at all.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readLiveReply, writeLivePacket } from "../durability/live-packet.ts";
import { LivePair } from "../durability/live-pair.ts";
import { DISCOVER, OFFER } from "../simulation/client-packet.ts";

const KEPT = join(import.meta.dirname, "..", "corpus", "fuzz");
const LINK_PORT = 26_471;
const WAIT_MS = 20_000;

const KILLERS: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  ...readdirSync(KEPT)
    .sort()
    .map((file) => ({
      name: file,
      bytes: Buffer.from(readFileSync(join(KEPT, file), "utf8").trim(), "hex"),
    })),
  { name: "nothing", bytes: Buffer.alloc(0) },
  { name: "one byte", bytes: Buffer.of(1) },
  { name: "9,000 bytes of 255", bytes: Buffer.alloc(9_000, 255) },
  { name: "60,000 zeros", bytes: Buffer.alloc(60_000) },
];

describe("killer messages", () => {
  const pair = new LivePair({ leaseSeconds: 600, mcltSeconds: 60 });
  const relay: Socket = createSocket("udp4");
  let xid = 1;
  before(async () => {
    await pair.startBoth();
    relay.bind(0, pair.relay);
    await once(relay, "listening");
  });
  after(async () => {
    relay.close();
    await pair.stop();
  });

  /** A client that has tried for five seconds already, so that either member answers it. */
  async function isServed(): Promise<void> {
    xid += 1;
    const client = `0200${xid.toString(16).padStart(8, "0")}`;
    const bytes = writeLivePacket({ type: DISCOVER, xid, secs: 5, client, giaddr: pair.relay });
    const timeout = AbortSignal.timeout(WAIT_MS);
    relay.send(bytes, pair.dhcpPort, pair.addresses.a);
    for (;;) {
      const [received] = (await once(relay, "message", { signal: timeout })) as [Buffer];
      const reply = readLiveReply(received);
      if (typeof reply !== "string" && reply.xid === xid) return assert.equal(reply.type, OFFER);
    }
  }

  async function sayOnTheLink(bytes: Buffer): Promise<void> {
    const socket = connect({ host: pair.addresses.a, port: LINK_PORT, localAddress: pair.relay });
    socket.on("error", () => {});
    socket.end(bytes);
    socket.resume();
    // A reset is as good an answer as any.
    await new Promise((resolve) => socket.once("close", resolve));
  }

  for (const { name, bytes } of KILLERS) {
    test(`${name}: a normal client is served afterwards`, async () => {
      relay.send(bytes, pair.dhcpPort, pair.addresses.a);
      await isServed();
      await sayOnTheLink(bytes);
      await isServed();
    });
  }

  test("both members are still in NORMAL", async () => {
    for (const member of ["a", "b"] as const)
      assert.equal((await pair.engine(member).status()).state, "NORMAL");
  });
});
