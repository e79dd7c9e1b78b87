// M*: waits reckon with the largest MCLT under which a lease that is still alive may have been given. After the MCLT was
// lowered that is over once both ran NORMAL under the new one and every update of before is acknowledged, both ways: then
// each server's W covers every lease that the other gave under the old one. Source: docs/protocol/witness.md section 3; S12.

import type { Engine, Session } from "./engine-state.ts";
import { send } from "./link-send.ts";
import type { Turn } from "./turn.ts";

/** Takes the next step towards a smaller M*. Called with every tick. */
export function lowerWaits(engine: Engine, turn: Turn): void {
  const { session, endpoint, config, leases, pending } = engine;
  if (
    session === null ||
    pending !== null ||
    endpoint.mcltSeconds <= config.mcltSeconds ||
    !areBothNormal(engine, session)
  )
    return;
  if (session.mcltChange === null) {
    if (session.openRequestXid !== null) return;
    session.openRequestXid = send(engine, turn, session.connection, { type: "UPDREQ" });
    const owed = new Set(Array.from(leases.unacknowledged(), ({ address }) => address));
    session.mcltChange = { owed, requestXid: session.openRequestXid };
    return;
  }
  const { owed, requestXid } = session.mcltChange;
  for (const address of owed) if (leases.get(address)?.acknowledged !== false) owed.delete(address);
  if (owed.size > 0 || requestXid !== null) return;
  session.mcltChange = null;
  turn.putEndpoint({ mcltSeconds: config.mcltSeconds });
  turn.log(
    "info",
    "waits-shortened",
    "no lease of the former, larger MCLT is unknown: waits reckon with the new one",
    {
      mcltSeconds: config.mcltSeconds,
    },
  );
}

/** What is in force with a dhcpd is what this connection's CONNECT told (terms.ts). */
function areBothNormal({ endpoint, config }: Engine, session: Session): boolean {
  const isSameShape = session.partnerShape === null || session.partnerShape === config.shape;
  const isOwn = endpoint.state === "NORMAL" && endpoint.agreedMcltSeconds === config.mcltSeconds;
  return isOwn && isSameShape && session.partnerState === "NORMAL";
}
