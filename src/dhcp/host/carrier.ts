// Whether the interfaces that clients reach this member by have a carrier: the served ones, and the one with the member's address, where
// relays and renewals come in. The kernel is asked again and again, because its messages about a lost carrier
// may come a second late. Decides nothing: engine/carrier.ts makes something of it.

import { readFileSync } from "node:fs";
import type { Ipv4 } from "../../base/ipv4.ts";
import { readInterfaceAddresses } from "./interfaces.ts";
import { interfaceIndex } from "./libc.ts";

/** How often to look. */
export const CARRIER_LOOK_MS = 250;
/** A carrier is back once it has been there for so long: a plug that is not quite in comes and goes. */
const BACK_MS = 2_000;
/** Addresses hardly ever move. */
const ADDRESS_LOOK_MS = 2_000;

export interface CarrierOptions {
  readonly nowMs: () => number;
  /** Hears the names of the interfaces without carrier, sorted, whenever they change. */
  readonly onChange: (lost: readonly string[]) => void;
}

export class CarrierWatch {
  readonly #options: CarrierOptions;
  /** When an interface was last seen without carrier. */
  readonly #withoutAt = new Map<string, number>();
  #told = "";
  /** The interface that has the member's address. Kept while that is down: the system then lists no address of it. */
  #home: { readonly address: Ipv4; readonly name: string } | null = null;
  #homeSoughtAt = Number.NEGATIVE_INFINITY;

  constructor(options: CarrierOptions) {
    this.#options = options;
  }

  /** Looks at the interfaces of a member. */
  look({ address, interfaces }: { readonly address: Ipv4; readonly interfaces: readonly string[] }): void {
    const now = this.#options.nowMs();
    this.#seekHome(address, now);
    const home = this.#home?.address === address ? [this.#home.name] : [];
    const watched = [...new Set([...interfaces, ...home])].sort();
    for (const name of watched) if (!hasCarrier(name)) this.#withoutAt.set(name, now);
    const lost = watched.filter((name) => now - (this.#withoutAt.get(name) ?? -BACK_MS) < BACK_MS);
    const text = lost.join(",");
    if (text === this.#told) return;
    this.#told = text;
    this.#options.onChange(lost);
  }

  #seekHome(address: Ipv4, now: number): void {
    if (this.#home?.address === address && now - this.#homeSoughtAt < ADDRESS_LOOK_MS) return;
    this.#homeSoughtAt = now;
    for (const [name, addresses] of readInterfaceAddresses()) {
      if (addresses.some((one) => one.address === address)) this.#home = { address, name };
    }
  }
}

/** False when the interface is gone, down, or has no carrier. Where /sys does not show it, nothing is known, nor claimed. */
export function hasCarrier(name: string): boolean {
  if (interfaceIndex(name) === null) return false;
  try {
    return readFileSync(`/sys/class/net/${name}/carrier`, "latin1").startsWith("1");
  } catch (error) {
    // EINVAL is how an interface answers that is down.
    return (error as NodeJS.ErrnoException).code !== "EINVAL";
  }
}
