// Which addresses are being looked for on the wire, and which were found silent. Volatile and bounded.
// Source: RFC 2131 4.3.1 and 2.2 (probe before offering), RFC 5227 2.1 (ARP). A DISCOVER whose address is being probed
// waits here while every other client is served; when the answer is in, it is decided anew. Who must wait: probe.ts.

import type { Ipv4 } from "../../base/ipv4.ts";
import type { BootMs } from "../../base/units.ts";
import type { Arrival } from "../ports.ts";

/** Addresses probed at the same time. Further ones are offered without: a flood must not stop new clients. */
export const PROBES_MAX = 1_024;
/** A silent address is not probed again for so long. */
export const SILENCE_COUNTS_MS = 60_000;
/** A probe whose result never came counts as silent. */
export const PROBE_LOST_MS = 3_000;
/** Addresses of one DISCOVER that may turn out to be in use before the client is left to ask again. */
export const PROBE_TRIES_MAX = 4;

/** A DISCOVER that waits for its address. */
export interface PendingProbe {
  readonly address: Ipv4;
  readonly clientKey: string;
  readonly hardwareAddress: Uint8Array;
  /** The datagram as it came, to be decided again. */
  readonly bytes: Uint8Array;
  readonly arrival: Arrival;
  readonly since: BootMs;
  readonly tries: number;
}

export interface ProbeCounts {
  started: number;
  silent: number;
  conflicts: number;
  skipped: number;
}

interface Silence {
  readonly clientKey: string;
  readonly at: BootMs;
}

export class ProbeTable {
  /** In order of age. */
  readonly #pending = new Map<Ipv4, PendingProbe>();
  readonly #silent = new Map<Ipv4, Silence>();
  readonly counts: ProbeCounts = { started: 0, silent: 0, conflicts: 0, skipped: 0 };

  readonly sizeMax = PROBES_MAX;

  get size(): number {
    return this.#pending.size;
  }

  isPending(address: Ipv4): boolean {
    return this.#pending.has(address);
  }

  /** Whether the address was found silent a moment ago, for this very client. */
  isSilent(address: Ipv4, clientKey: string, now: BootMs): boolean {
    const silence = this.#silent.get(address);
    return silence?.clientKey === clientKey && now - silence.at < SILENCE_COUNTS_MS;
  }

  begin(probe: PendingProbe): void {
    this.counts.started += 1;
    this.#pending.set(probe.address, probe);
  }

  /** The client has asked again: its newer datagram is the one to answer. False when nothing is pending. */
  renew(address: Ipv4, bytes: Uint8Array, arrival: Arrival): boolean {
    const probe = this.#pending.get(address);
    if (probe === undefined) return false;
    this.#pending.set(address, { ...probe, bytes, arrival });
    return true;
  }

  /** Ends a probe; null when none was pending. */
  end(address: Ipv4): PendingProbe | null {
    const probe = this.#pending.get(address) ?? null;
    this.#pending.delete(address);
    return probe;
  }

  markSilent({ address, clientKey }: PendingProbe, now: BootMs): void {
    this.counts.silent += 1;
    this.#silent.delete(address);
    for (const [known, { at }] of this.#silent) {
      if (this.#silent.size < PROBES_MAX && now - at < SILENCE_COUNTS_MS) break;
      this.#silent.delete(known);
    }
    this.#silent.set(address, { clientKey, at: now });
  }

  /** Probes that were started so long ago that their result is lost. */
  lost(now: BootMs): readonly Ipv4[] {
    const lost: Ipv4[] = [];
    for (const { address, since } of this.#pending.values()) {
      if (now - since < PROBE_LOST_MS) break;
      lost.push(address);
    }
    return lost;
  }
}
