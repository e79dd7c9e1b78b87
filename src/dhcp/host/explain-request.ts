// What `leasepair explain` was asked about: an address, or a client by hardware address or identifier.

import { fromHex } from "../../base/bytes.ts";
import { parseIpv4 } from "../../base/ipv4.ts";
import type { Instant } from "../../base/units.ts";
import type { Engine } from "../engine/engine-state.ts";
import { type Explanation, explainAddress, explainClient } from "../engine/explain.ts";

const ETHERNET = 1;

/** Null when `what` is neither. */
export function explain(engine: Engine, what: string, now: Instant): readonly Explanation[] | null {
  const address = parseIpv4(what);
  if (address !== null) return [explainAddress(engine, address, now)];
  const identifier = /^id:([0-9a-f]{2}){1,255}$/i.test(what) ? fromHex(what.slice(3).toLowerCase()) : null;
  if (identifier !== null) {
    const client = {
      clientIdentifier: identifier,
      hardwareType: ETHERNET,
      hardwareAddress: new Uint8Array(0),
    };
    return explainClient(engine, client, now);
  }
  const hardware = /^([0-9a-f]{2}[:-]?){5}[0-9a-f]{2}$/i.test(what)
    ? fromHex(what.replace(/[:-]/g, "").toLowerCase())
    : null;
  if (hardware === null) return null;
  const client = { clientIdentifier: null, hardwareType: ETHERNET, hardwareAddress: hardware };
  return explainClient(engine, client, now);
}
