// A link over loopback whose events a test can wait for one by one.

import { once } from "node:events";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import type { EngineEvent } from "../../../src/dhcp/engine/event.ts";
import { CLEAR_TRANSPORT, type LinkTransport } from "../../../src/dhcp/host/link-transport.ts";
import { TcpPartnerLink } from "../../../src/dhcp/host/partner-link.ts";

export const A = parseIpv4("127.0.0.21")!;
export const B = parseIpv4("127.0.0.22")!;
export const DIALED = 1000;

export interface TestLinkOptions {
  /** Where it listens and where the partner does. */
  readonly port: number;
  readonly transport?: LinkTransport;
  /** Nothing is taken until takeAll() is called: the peer is held back. */
  readonly holdsBack?: boolean;
}

export function createLink(address: typeof A, partnerAddress: typeof A, options: TestLinkOptions) {
  const events: EngineEvent[] = [];
  const strangers: string[] = [];
  const untaken: (() => void)[] = [];
  let holdsBack = options.holdsBack === true;
  const takeAll = () => {
    holdsBack = false;
    for (const taken of untaken.splice(0)) taken();
  };
  let wake = () => {};
  let accepted = 0;
  const link = new TcpPartnerLink({
    address,
    port: options.port,
    partner: () => ({ address: partnerAddress, port: options.port }),
    transport: options.transport ?? CLEAR_TRANSPORT,
    nextAcceptedId: () => ++accepted,
    onEvent: (event, taken) => {
      events.push(event);
      if (taken !== undefined) untaken.push(taken);
      if (!holdsBack) takeAll();
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
  return { link, events, strangers, until, takeAll };
}

export function bytesOf(events: readonly EngineEvent[]): string {
  return events.map((e) => (e.kind === "link-bytes" ? Buffer.from(e.bytes).toString() : "")).join("");
}
