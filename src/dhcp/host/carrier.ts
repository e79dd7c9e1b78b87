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
/** Where the address is, is asked at most this often, and only when there is doubt: the answer takes milliseconds where a node
 *  has hundreds of interfaces. */
const ADDRESS_LOOK_MS = 10_000;

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
    const hasCarrier = onceEach(readCarrier);
    const home = this.#homeOf(address, now, hasCarrier);
    const watched = [...new Set(home === null ? interfaces : [...interfaces, home])].sort();
    for (const name of watched) if (!hasCarrier(name)) this.#withoutAt.set(name, now);
    const lost = watched.filter((name) => now - (this.#withoutAt.get(name) ?? -BACK_MS) < BACK_MS);
    const text = lost.join(",");
    if (text === this.#told) return;
    this.#told = text;
    this.#options.onChange(lost);
  }

  /** The interface that has the address; sought anew when it is not known, or has no carrier and the address may have moved. */
  #homeOf(address: Ipv4, now: number, hasCarrier: (name: string) => boolean): string | null {
    const known = this.#home?.address === address ? this.#home.name : null;
    if (known !== null && hasCarrier(known)) return known;
    if (now - this.#homeSoughtAt < ADDRESS_LOOK_MS) return known;
    this.#homeSoughtAt = now;
    for (const [name, addresses] of readInterfaceAddresses()) {
      if (!addresses.some((one) => one.address === address)) continue;
      this.#home = { address, name };
      return name;
    }
    return known;
  }
}

/** The same answer for the same name, asked for once. */
function onceEach(look: (name: string) => boolean): (name: string) => boolean {
  const seen = new Map<string, boolean>();
  return (name) => {
    const known = seen.get(name) ?? look(name);
    seen.set(name, known);
    return known;
  };
}

/** False when the interface is gone, down, or has no carrier. Where /sys does not show it, nothing is known, nor claimed. */
function readCarrier(name: string): boolean {
  if (interfaceIndex(name) === null) return false;
  try {
    return readFileSync(`/sys/class/net/${name}/carrier`, "latin1").startsWith("1");
  } catch (error) {
    // EINVAL is how an interface answers that is down.
    return (error as NodeJS.ErrnoException).code !== "EINVAL";
  }
}
