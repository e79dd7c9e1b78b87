// A client behind a relay that asks a real engine without pause, while something else is going on.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A client's DISCOVER through a relay, one after the other, each answered before it would ask for the third time.
 *  Returns how many offers came. Source: RFC 2131 4.1. */
export async function offersWhile(
  server: { readonly address: string; readonly port: number },
  isGoing: () => boolean,
): Promise<number> {
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
      const answer = once(relay, "message", { signal: AbortSignal.timeout(12_000) });
      const send = () => relay.send(packet, server.port, server.address);
      send();
      // As a client does: what was decided before a change of state is not sent after it.
      const again = setTimeout(send, 4_000);
      const [offer] = (await answer.finally(() => clearTimeout(again))) as [Buffer];
      assert.equal(offer[242], 2, "an OFFER");
      answered += 1;
    }
  } finally {
    relay.close();
  }
  return answered;
}
