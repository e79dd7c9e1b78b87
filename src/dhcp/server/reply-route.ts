// Where a reply goes: to the relay, to the client's address, to everybody on the segment, or to its hardware address.
// Source: RFC 2131 4.1, RFC 8357 5.1 (relay's source port), RFC 2131 4.3.5 (INFORM). Null when no way leads to the client.
// Departs from RFC 2131 4.1: a NAK to a client that renews through a router goes to it by unicast, as no broadcast reaches it; and
// of its two rules for a client on our segment that names an address, the later one holds: by chaddr, or as the broadcast bit says;
// only one that rebinds is answered at its address in any case.

import { type Ipv4, isOnLink } from "../../base/ipv4.ts";
import type { Arrival, ReplyRoute } from "../ports.ts";
import { FLAG_BROADCAST } from "../wire/message.ts";
import { OPTION } from "../wire/option-table.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";

export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;
const ETHERNET = 1;
const ETHERNET_ADDRESS_BYTES = 6;

/** The route of an OFFER or ACK for `yourAddress`. */
export function routeReply(view: ServerView, request: ClientRequest, yourAddress: Ipv4): ReplyRoute | null {
  const { message, arrival } = request;
  if (message.relayAddress !== 0) return toRelay(view, request);
  if (message.clientAddress !== 0 && isReachedByAddress(request, yourAddress)) {
    return toClient(view, arrival, message.clientAddress);
  }
  if (arrival.kind === "routed") return null;
  const isEthernet =
    message.hardwareType === ETHERNET && message.hardwareAddress.length === ETHERNET_ADDRESS_BYTES;
  const wantsBroadcast = (message.flags & FLAG_BROADCAST) !== 0 && !usesItsAddress(request, yourAddress);
  if (wantsBroadcast || !isEthernet || yourAddress === 0) {
    return { kind: "broadcast", interface: arrival.interface };
  }
  return {
    kind: "link-layer",
    interface: arrival.interface,
    hardwareAddress: message.hardwareAddress.slice(),
    to: yourAddress,
  };
}

/** Whether the client rebinds: it has the address that it is to keep, and may listen there alone, whatever its broadcast bit
 *  says (systemd-networkd sets that in every message if told to). Source: RFC 2131 4.1 and table 5. */
function usesItsAddress({ message }: ClientRequest, yourAddress: Ipv4): boolean {
  const asksForOne = message.messageType === "DISCOVER" || message.options.has(OPTION.REQUESTED_ADDRESS);
  return message.clientAddress === yourAddress && !asksForOne;
}

/** Whether ciaddr is the way to the client: past routers, and by RFC 1542 5.4 to one that speaks BOOTP. On its segment the client
 *  hears what it heard when it had no address, and nothing hangs on who answers there for the one that it names, and to whom:
 *  NetworkManager's DISCOVER names its old one, and some hosts answer no ARP that comes from an address of another subnet. */
function isReachedByAddress({ message, arrival }: ClientRequest, yourAddress: Ipv4): boolean {
  if (arrival.kind === "routed") return true;
  if (message.messageType !== null) return false;
  return message.clientAddress === yourAddress || linkOf(arrival, message.clientAddress) !== null;
}

/** The route of a NAK. */
export function routeNak(view: ServerView, request: ClientRequest): ReplyRoute | null {
  const { message, arrival } = request;
  if (message.relayAddress !== 0) return toRelay(view, request);
  const segment = arrival.kind === "local" ? arrival.interface : arrival.segment;
  if (segment !== undefined) return { kind: "broadcast", interface: segment };
  return message.clientAddress === 0 ? null : toClient(view, arrival, message.clientAddress);
}

/** The route of the ACK to an INFORM: straight to the client, relayed or not. Source: RFC 2131 4.3.5. */
export function routeInformAck(view: ServerView, request: ClientRequest): ReplyRoute | null {
  const { message, arrival } = request;
  if (message.clientAddress === 0) return routeReply(view, request, message.clientAddress);
  const port = message.relayAddress === 0 ? clientPort(view, arrival, message.clientAddress) : CLIENT_PORT;
  return { kind: "unicast", to: message.clientAddress, port, interface: null };
}

function toRelay(view: ServerView, request: ClientRequest): ReplyRoute {
  const { message, arrival, relay } = request;
  const bySourcePort = view.config.settings.replyToSourcePort || relay?.usesSourcePort === true;
  const port = bySourcePort && arrival.sourcePort !== 0 ? arrival.sourcePort : SERVER_PORT;
  return { kind: "unicast", to: message.relayAddress, port, interface: null };
}

/** A client that has its address gets there by ordinary routing; through the interface it spoke on when that is local. */
function toClient(view: ServerView, arrival: Arrival, address: Ipv4): ReplyRoute {
  const port = clientPort(view, arrival, address);
  return { kind: "unicast", to: address, port, interface: linkOf(arrival, address) };
}

/** The interface the message came in on, when the address is on that very link. */
function linkOf(arrival: Arrival, address: Ipv4): string | null {
  if (arrival.kind === "routed") return null;
  return arrival.addresses.some((own) => isOnLink(own, address)) ? arrival.interface : null;
}

function clientPort(view: ServerView, arrival: Arrival, address: Ipv4): number {
  const bySourcePort = view.config.settings.replyToSourcePort && arrival.source === address;
  return bySourcePort && arrival.sourcePort !== 0 ? arrival.sourcePort : CLIENT_PORT;
}
