// Relays that seem to know one member only: their clients get nothing from the other one, and nothing at all once this
// one is down. Seen from here, clients of the partner come through such a relay again and again, although the partner is
// well, and no client of it ever chooses the partner. Decides nothing; bounded; for a gauge and a line in the log.
// Source: failover draft 3.2 (BOOTP relays are configured to send to both servers).

import type { Ipv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";

/** So many clients in vain, without one that reached the partner, make a finding. */
const CLIENTS_IN_VAIN = 3;
/** A finding, and what is known of a relay, is forgotten after so long without news. */
const FORGOTTEN_AFTER_MS = 3_600_000;
const RELAYS_MAX = 1_024;

interface WatchedRelay {
  /** Clients of the partner that came here in vain since the partner was last chosen; at most CLIENTS_IN_VAIN. */
  readonly inVain: Set<string>;
  newsAt: BootMs;
}

export class RelayWatch {
  /** In order of their last news. */
  readonly #relays = new Map<Ipv4, WatchedRelay>();

  /** A client behind the relay has chosen the partner: it gets there. */
  reachedPartner(relay: Ipv4, now: BootMs): void {
    this.#relay(relay, now).inVain.clear();
  }

  /** A client of the partner came through the relay in vain. True when this made the relay a finding. */
  cameInVain(relay: Ipv4, client: string, now: BootMs): boolean {
    const { inVain } = this.#relay(relay, now);
    if (inVain.size >= CLIENTS_IN_VAIN) return false;
    inVain.add(client);
    return inVain.size >= CLIENTS_IN_VAIN;
  }

  /** Relays with news lately: whether each seems to know this member only. */
  findings(now: BootMs): ReadonlyMap<Ipv4, boolean> {
    this.#forget(now);
    return new Map([...this.#relays].map(([relay, { inVain }]) => [relay, inVain.size >= CLIENTS_IN_VAIN]));
  }

  #relay(address: Ipv4, now: BootMs): WatchedRelay {
    const relay = this.#relays.get(address) ?? { inVain: new Set<string>(), newsAt: now };
    relay.newsAt = now;
    this.#relays.delete(address);
    this.#forget(now);
    this.#relays.set(address, relay);
    return relay;
  }

  #forget(now: BootMs): void {
    for (const [address, { newsAt }] of this.#relays) {
      if (this.#relays.size < RELAYS_MAX && now - newsAt < FORGOTTEN_AFTER_MS) return;
      this.#relays.delete(address);
    }
  }
}
