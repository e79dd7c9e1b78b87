// Relays that seem to know one member only: their clients get nothing from the other one, and nothing at all once this
// one is down. Seen from here, clients of the partner that come through such a relay wait until this member answers them,
// although the partner is well, and choose it; and no client ever chooses the partner. Decides nothing; bounded; for a gauge and a line in the log.
// Source: failover draft 3.2 (BOOTP relays are configured to send to both servers).

import type { Ipv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";

/** So many clients of the partner, without one that reached it, make a finding. */
const CLIENTS_ASTRAY = 3;
/** A finding, and what is known of a relay, is forgotten after so long without news. */
const FORGOTTEN_AFTER_MS = 3_600_000;
const RELAYS_MAX = 1_024;

interface WatchedRelay {
  /** Clients of the partner that chose this member since the partner was last chosen; at most CLIENTS_ASTRAY. */
  readonly astray: Set<string>;
  newsAt: BootMs;
}

export class RelayWatch {
  /** In order of their last news. */
  readonly #relays = new Map<Ipv4, WatchedRelay>();

  /** A client behind the relay has chosen the partner: it gets there. */
  reachedPartner(relay: Ipv4, now: BootMs): void {
    this.#relay(relay, now).astray.clear();
  }

  /** A client of the partner behind the relay has chosen this member. True when this made the relay a finding. */
  wentAstray(relay: Ipv4, client: string, now: BootMs): boolean {
    const { astray } = this.#relay(relay, now);
    if (astray.size >= CLIENTS_ASTRAY) return false;
    astray.add(client);
    return astray.size >= CLIENTS_ASTRAY;
  }

  /** Relays with news lately: whether each seems to know this member only. */
  findings(now: BootMs): ReadonlyMap<Ipv4, boolean> {
    this.#forget(now);
    return new Map([...this.#relays].map(([relay, { astray }]) => [relay, astray.size >= CLIENTS_ASTRAY]));
  }

  #relay(address: Ipv4, now: BootMs): WatchedRelay {
    const relay = this.#relays.get(address) ?? { astray: new Set<string>(), newsAt: now };
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
