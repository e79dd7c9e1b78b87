// A probed address: the DISCOVER that waits for it goes on when the result is in. Silent: the address is offered. In use:
// it is quarantined as after a DECLINE, and the client gets another one. Source: RFC 2131 4.3.1, 4.4.1; RFC 5227 2.1.1.

import { fromHex, toHex } from "../../base/bytes.ts";
import { freshBinding } from "../lease/binding.ts";
import { isBeyondQuota } from "../server/decline.ts";
import { abandoned } from "../server/grant.ts";
import { dropped } from "../server/outcome.ts";
import { type PendingProbe, PROBE_TRIES_MAX } from "../server/probe-table.ts";
import { leaseAuthority } from "./authority.ts";
import { decideDatagram, recordChange, tellDrop, tellScope } from "./clients.ts";
import type { Engine } from "./engine-state.ts";
import type { ProbeResult } from "./event.ts";
import type { Turn } from "./turn.ts";

/** A probe has ended. One that nobody waits for any more is ignored. */
export function onProbeResult(engine: Engine, turn: Turn, result: ProbeResult): void {
  const probe = engine.probes?.end(result.address) ?? null;
  if (probe === null || engine.probes === null || engine.isStopping) return;
  const { bytes, arrival, tries } = probe;
  if (result.answered && !isOwnAnswer(probe, result)) {
    engine.probes.counts.conflicts += 1;
    onConflict(engine, turn, probe, result);
    if (tries + 1 >= PROBE_TRIES_MAX) {
      engine.datagrams.count("DISCOVER", dropped("probe-conflict"));
      return tellDrop(engine, turn, "probe-conflict");
    }
    return decideDatagram(engine, turn, { bytes, arrival, tries: tries + 1 });
  }
  engine.probes.markSilent(probe, turn.now.boot);
  decideDatagram(engine, turn, { bytes, arrival, tries });
}

/** Probes whose result is lost count as silent: the client must not wait for ever. */
export function settleLostProbes(engine: Engine, turn: Turn): void {
  for (const address of engine.probes?.lost(turn.now.boot) ?? []) {
    onProbeResult(engine, turn, { address, answered: false, hardwareAddress: null });
  }
}

/** The client itself uses the address, left over from before: that is no conflict. Only ARP tells. */
function isOwnAnswer({ hardwareAddress }: PendingProbe, result: ProbeResult): boolean {
  return result.hardwareAddress !== null && result.hardwareAddress === toHex(hardwareAddress);
}

/** Quarantines the address, if it still is free and this server's to decide about, within the quota for quarantined
 *  addresses: whoever answers for every address must not be able to close a scope. */
function onConflict(engine: Engine, turn: Turn, probe: PendingProbe, result: ProbeResult): void {
  const { address } = probe;
  engine.offers.release(probe.clientKey);
  tellScope(engine, turn, {
    level: "warn",
    event: "address-conflict",
    message: "an address that was free is in use by somebody",
    address,
    fields: { hardwareAddress: result.hardwareAddress ?? "unknown" },
  });
  const record = engine.leases.get(address) ?? freshBinding(address);
  const authority = leaseAuthority(engine, turn);
  const nobody = { clientIdentifier: fromHex("00"), hardwareType: 0, hardwareAddress: new Uint8Array(0) };
  if (authority.service !== "All" || !authority.mayAllocate(record, nobody, turn.early)) return;
  if (isBeyondQuota({ leases: engine.leases }, address)) return tellDrop(engine, turn, "decline-quota");
  recordChange(engine, turn, abandoned(record, turn.late.wall));
}
