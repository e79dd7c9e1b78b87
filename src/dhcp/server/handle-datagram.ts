// The server's one entrance: a datagram comes in, a decision goes out. Refuses what is no client's message, gathers what
// the deciders need, and sends each message type to its file. Source: RFC 2131 4.3. Never throws on any bytes.

import type { Instant } from "../../base/units.ts";
import { clientKey } from "../lease/binding.ts";
import type { Arrival } from "../ports.ts";
import { BOOTREQUEST, type DhcpMessage, decodeMessage } from "../wire/message.ts";
import type { MessageType } from "../wire/message-type.ts";
import { OPTION } from "../wire/option-table.ts";
import { type RelayInformation, readRelayInformation } from "../wire/relay-agent.ts";
import { handleBootp } from "./bootp.ts";
import { applyClasses } from "./classes.ts";
import { type ClientRequest, identityOf, type ServerView } from "./client-request.ts";
import { handleDecline } from "./decline.ts";
import { handleDiscover } from "./discover.ts";
import { recordedPlace } from "./holder.ts";
import { handleInform } from "./inform.ts";
import { handleLeasequery } from "./leasequery.ts";
import { capRefusal, rateRefusal } from "./limits.ts";
import { dropped, type ServerOutcome } from "./outcome.ts";
import { observeRelay } from "./relay-observe.ts";
import { handleRelease } from "./release.ts";
import { handleRequest } from "./request.ts";
import { type SubnetSelection, selectSubnet } from "./subnet-select.ts";

/** A message that crossed more relays than this goes in circles. Source: RFC 1542 4.1.1. */
const HOPS_MAX = 16;
/** The socket reads this much of a datagram: one that fills it may be cut, and what is cut must not be half believed. */
const RECEIVED_BYTES_MAX = 4_096;
/** A shorter BOOTP message is discarded. DHCP clients, of which some send less, are served. Source: RFC 1542 2.1. */
const BOOTP_BYTES_MIN = 300;
/** Options that decisions hang on: a wrong length makes the message unusable. */
const FOUR_BYTE_OPTIONS = [OPTION.REQUESTED_ADDRESS, OPTION.SERVER_IDENTIFIER] as const;

/** Decides about one datagram. Changes nothing but `view.offers` and `view.counters`; what else must change is in the
 *  outcome (see BindingChange for the engine's duties). `bytes` may be reused after the call. */
export function handleDatagram(
  view: ServerView,
  bytes: Uint8Array,
  arrival: Arrival,
  now: Instant,
): ServerOutcome {
  if (bytes.length >= RECEIVED_BYTES_MAX) {
    const outcome = dropped("oversize");
    view.counters?.count(null, outcome);
    return outcome;
  }
  const read = decodeMessage(bytes);
  if (read.kind === "malformed") {
    const outcome = dropped(view.authority.service === "None" ? "not-serving" : `malformed-${read.field}`);
    view.counters?.count(null, outcome);
    return outcome;
  }
  const isShort = bytes.length < BOOTP_BYTES_MIN && !read.message.options.has(OPTION.MESSAGE_TYPE);
  const outcome = isShort ? dropped("malformed-length") : handleMessage(view, read.message, arrival, now);
  view.counters?.count(read.message.messageType, outcome);
  return outcome;
}

function handleMessage(
  view: ServerView,
  message: DhcpMessage,
  arrival: Arrival,
  now: Instant,
): ServerOutcome {
  if (view.authority.service === "None") return dropped("not-serving");
  if (message.op !== BOOTREQUEST) return dropped("not-a-request");
  if (message.hops > HOPS_MAX) return dropped("too-many-hops");
  for (const code of FOUR_BYTE_OPTIONS) {
    const value = message.options.get(code);
    if (value !== undefined && value.length !== 4) return dropped("malformed-option");
  }
  if (message.messageType === "LEASEQUERY") return handleLeasequery(view, message, arrival, now);
  const client = identityOf(message);
  if (client === "malformed") return dropped("malformed-client-identifier");
  if (client === null) return dropped("no-client-identity");
  const relayInformation = message.options.get(OPTION.RELAY_AGENT_INFORMATION) ?? null;
  const relay = relayInformation === null ? null : readRelayInformation(relayInformation);
  if (relay?.kind === "malformed") return dropped("malformed-relay-information");
  const information: RelayInformation | null = relay?.information ?? null;
  return dispatch(view, {
    message,
    client,
    clientKey: clientKey(client),
    relay: information,
    place: information ?? recordedPlace(view, client, message.clientAddress),
    relayInformation,
    arrival,
    serverIdentifier: information?.serverIdentifierOverride ?? view.config.member.address,
    now,
  });
}

function observe(view: ServerView, request: ClientRequest, selection: SubnetSelection): void {
  const { relays } = view;
  const finding = relays === undefined ? null : observeRelay(relays, view, request, selection);
  if (finding !== null) relays?.onFinding(finding);
}

type Handler = (view: ServerView, request: ClientRequest, selection: SubnetSelection | null) => ServerOutcome;

const HANDLERS: Partial<Record<MessageType, Handler>> = {
  DISCOVER: handleDiscover,
  REQUEST: handleRequest,
  DECLINE: handleDecline,
  RELEASE: handleRelease,
  INFORM: handleInform,
};

function dispatch(view: ServerView, request: ClientRequest): ServerOutcome {
  const { messageType, options } = request.message;
  const known = messageType === null ? undefined : HANDLERS[messageType];
  const handler = options.has(OPTION.MESSAGE_TYPE) ? known : handleBootp;
  if (handler === undefined) return dropped("unsupported-message-type");
  const excess = rateRefusal(view, request);
  if (excess !== null) return dropped(excess);
  const selection = selectSubnet(view.config, request.message, request.relay, request.arrival);
  if (selection !== null && request.message.relayAddress !== 0) {
    observe(view, request, selection);
  }
  const full = capRefusal(view, request, selection);
  if (full !== null) return dropped(full);
  return handler(view, request, applyClasses(view, request, selection));
}
