// What one client and one circuit may take of the server: datagrams per second and, for a circuit, leases.
// Source: RFC 3046 4.0 (limits on addresses per circuit), 5.0.
// Where no relay names the port, nothing here can tell two clients' ports apart. A client that renews the lease it holds
// is never refused for its circuit's sake: a flood from one port must not cost its neighbours there what they have.

import { circuitKey, portKey } from "./circuit-leases.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { isHeldBy, leasesOf } from "./holder.ts";
import type { DropReason } from "./outcome.ts";
import type { SubnetSelection } from "./subnet-select.ts";

/** Why the datagram is dropped before anything else looks at it; null when its client and its circuit are in bounds. */
export function rateRefusal(view: ServerView, request: ClientRequest): DropReason | null {
  const { limits } = view;
  if (limits === undefined) return null;
  const { perClient, perCircuit } = view.config.limits;
  const { message, arrival, now } = request;
  // Whoever forges another's address somewhere else empties a bucket of its own.
  const place = arrival.kind === "local" ? arrival.interface : String(message.relayAddress);
  if (perClient !== null && !limits.clients.take(`${place} ${request.clientKey}`, perClient, now.boot)) {
    return "client-rate";
  }
  const port = portKey(request.relay);
  if (perCircuit === null || port === null || renewsItsLease(view, request)) return null;
  return limits.circuits.take(`${place} ${port}`, perCircuit, now.boot) ? null : "circuit-rate";
}

function renewsItsLease(view: ServerView, request: ClientRequest): boolean {
  const { messageType, clientAddress } = request.message;
  if (messageType !== "REQUEST" || clientAddress === 0) return false;
  const record = view.leases.get(clientAddress);
  return record?.status === "ACTIVE" && isHeldBy(view, record, request);
}

/** "circuit-leases" when the client's circuit has as many leases and offers as it may and the client would add one. */
export function capRefusal(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): DropReason | null {
  const cap = view.config.limits.leasesPerCircuit;
  const { messageType } = request.message;
  if (cap === null || selection === null || view.limits?.leases == null) return null;
  if (messageType !== "DISCOVER" && messageType !== "REQUEST") return null;
  const circuit = circuitKey(selection.scope, request.relay);
  if (circuit === null) return null;
  if (leasesOf(view, request, selection.network).length > 0) return null;
  const offers = view.offers.countOfCircuit(circuit, request.clientKey, request.now.boot);
  return view.limits.leases.countOf(circuit) + offers >= cap ? "circuit-leases" : null;
}
