// The bytes of OFFER, ACK and NAK, and the outcome that carries them.
// Source: RFC 2131 4.3.1 (table 3: fields and options), RFC 2131 4.3.2 (NAK), RFC 6842 3, RFC 3046 2.2.
// Decides nothing about leases: what it is told, it writes.

import { IPV4_ANY, type Ipv4 } from "../../base/ipv4.ts";
import type { ReplyRoute } from "../ports.ts";
import {
  BOOTREPLY,
  type EncodedMessage,
  encodeMessage,
  FLAG_BROADCAST,
  type MessageHeader,
} from "../wire/message.ts";
import { MESSAGE_TYPE_CODE } from "../wire/message-type.ts";
import { OPTION } from "../wire/option-table.ts";
import { type OptionValue, uint8Value, uint16Option, uint32Value } from "../wire/options.ts";
import { clientFqdn } from "./client-fqdn.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import type { LeaseTerm } from "./grant.ts";
import { type BindingChange, dropped, type NakReason, type ServerOutcome } from "./outcome.ts";
import type { ServerScope } from "./prepare-config.ts";
import { configuredOptions, echoedOptions, joinsSplitOptions, leaseOptions } from "./reply-options.ts";
import { routeInformAck, routeNak, routeReply } from "./reply-route.ts";
import { reservationFor } from "./reservations.ts";

/** The address and lease a reply is about. */
export interface LeaseReply {
  readonly scope: ServerScope;
  readonly address: Ipv4;
  readonly term: LeaseTerm;
  /** The address reserved for the client that it cannot have now; absent when there is none. */
  readonly reservationWaits?: Ipv4 | null;
  /** The ACK answers a DISCOVER (RFC 4039). */
  readonly isRapid?: boolean;
}

const NAK_TEXT: Record<NakReason, string> = {
  "wrong-network": "address is not on this network",
  "held-by-another": "address is leased to another client",
  "reserved-for-another": "address is reserved for another client",
  "reserved-elsewhere": "another address is reserved for this client",
  "lease-elsewhere": "this client's lease is of another address",
  "cannot-satisfy": "address is not available",
};

/** An OFFER; promises nothing and changes nothing. */
export function offer(view: ServerView, request: ClientRequest, lease: LeaseReply): ServerOutcome {
  const route = routeReply(view, request, lease.address);
  if (route === null) return dropped("no-route");
  const encoded = leaseMessage(view, request, "OFFER", lease);
  const { address, reservationWaits = null } = lease;
  return reply("OFFER", { route, encoded, address, reservationWaits });
}

/** An ACK of a lease; `binding` must be durable before it leaves, null: the lease is on disk already. */
export function acknowledge(
  view: ServerView,
  request: ClientRequest,
  lease: LeaseReply,
  binding: BindingChange | null,
): ServerOutcome {
  const route = routeReply(view, request, lease.address);
  if (route === null) return dropped("no-route");
  const encoded = leaseMessage(view, request, "ACK", lease);
  return reply("ACK", { route, encoded, address: lease.address, binding });
}

/** An OFFER of no address, with the parameters the client asked for. Source: RFC 2563 2.3, RFC 8925 3.3. */
export function offerNothing(
  view: ServerView,
  request: ClientRequest,
  scope: ServerScope,
  options: readonly OptionValue[],
): ServerOutcome {
  const route = routeReply(view, request, IPV4_ANY);
  if (route === null) return dropped("no-route");
  const parts = {
    header: replyHeader(request),
    scope,
    options: [...identifying(request, "OFFER"), ...options],
  };
  const encoded = parameterMessage(view, request, parts);
  return reply("OFFER", { route, encoded, address: IPV4_ANY });
}

/** A BOOTREPLY: the address, the boot fields and as many options as the 64 bytes of a BOOTP packet hold.
 *  Source: RFC 951 7.2, RFC 1542 2.1, RFC 1534 2. */
export function bootpReply(
  view: ServerView,
  request: ClientRequest,
  scope: ServerScope,
  address: Ipv4,
): ServerOutcome {
  const route = routeReply(view, request, address);
  if (route === null) return dropped("no-route");
  const { boot } = scope.config;
  const reservation = reservationFor(scope, request);
  const options = configuredOptions(request, scope, reservation).filter(({ code }) => !isHeaderField(code));
  // Both header fields are written even when empty: a BOOTP client knows of no options in them.
  const unused = new Uint8Array(0);
  const encoded = encodeMessage(
    {
      ...replyHeader(request),
      clientAddress: request.message.clientAddress,
      yourAddress: address,
      nextServer: boot.nextServer ?? IPV4_ANY,
      sname: scope.serverName ?? unused,
      file: scope.fileName ?? unused,
      options,
      relayInformation: request.relayInformation,
    },
    { datagramBytesMax: null, maySplit: false, isBootp: true },
  );
  return reply("BOOTREPLY", { route, encoded, address });
}

function isHeaderField(code: number): boolean {
  return code === OPTION.TFTP_SERVER_NAME || code === OPTION.BOOT_FILE_NAME;
}

/** The ACK to an INFORM: parameters only. Source: RFC 2131 4.3.5. */
export function inform(view: ServerView, request: ClientRequest, scope: ServerScope): ServerOutcome {
  const route = routeInformAck(view, request);
  if (route === null) return dropped("no-route");
  const { clientAddress } = request.message;
  const header = { ...replyHeader(request), clientAddress };
  const encoded = parameterMessage(view, request, { header, scope, options: identifying(request, "ACK") });
  return reply("ACK", { route, encoded, address: clientAddress });
}

/** A NAK: nothing but its type, our identifier, the reason and what must be echoed. The relay is told to broadcast it,
 *  because the client may have no working address. */
export function nak(
  view: ServerView,
  request: ClientRequest,
  address: Ipv4,
  reason: NakReason,
): ServerOutcome {
  const route = routeNak(view, request);
  if (route === null) return dropped("no-route");
  const { message, relayInformation } = request;
  const clientIdentifier = message.options.get(OPTION.CLIENT_IDENTIFIER);
  const options = identifying(request, "NAK");
  if (clientIdentifier !== undefined)
    options.push({ code: OPTION.CLIENT_IDENTIFIER, value: clientIdentifier });
  // Last: beside the longest identifier there is no room for it.
  options.push({ code: OPTION.MESSAGE, value: new Uint8Array(Buffer.from(NAK_TEXT[reason], "latin1")) });
  const flags = message.relayAddress === 0 ? message.flags : message.flags | FLAG_BROADCAST;
  // Both header fields stay empty: a NAK must not use them (table 3).
  const unused = new Uint8Array(0);
  const encoded = encodeMessage(
    { ...replyHeader(request), flags, sname: unused, file: unused, options, relayInformation },
    { datagramBytesMax: null, maySplit: false },
  );
  return reply("NAK", { route, encoded, address, nakReason: reason });
}

function leaseMessage(
  view: ServerView,
  request: ClientRequest,
  type: "OFFER" | "ACK",
  lease: LeaseReply,
): EncodedMessage {
  const { scope, address, term } = lease;
  const clientAddress = type === "ACK" ? request.message.clientAddress : IPV4_ANY;
  const header = { ...replyHeader(request), clientAddress, yourAddress: address };
  const options = [...identifying(request, type), ...leaseOptions(scope, term)];
  if (lease.isRapid === true) options.push({ code: OPTION.RAPID_COMMIT, value: new Uint8Array(0) });
  return parameterMessage(view, request, { header, scope, options });
}

interface ParameterMessage {
  readonly header: MessageHeader;
  readonly scope: ServerScope;
  /** The options that go first. */
  readonly options: readonly OptionValue[];
}

function parameterMessage(view: ServerView, request: ClientRequest, parts: ParameterMessage): EncodedMessage {
  const { header, scope } = parts;
  const reservation = reservationFor(scope, request);
  const fqdn = clientFqdn(request, scope, reservation);
  const options = [
    ...parts.options,
    ...echoedOptions(view, request),
    ...(fqdn === null ? [] : [fqdn]),
    ...configuredOptions(request, scope, reservation),
  ];
  return encodeMessage(
    {
      ...header,
      nextServer: scope.config.boot.nextServer ?? IPV4_ANY,
      sname: scope.serverName,
      file: scope.fileName,
      options,
      relayInformation: request.relayInformation,
    },
    {
      datagramBytesMax: uint16Option(request.message.options, OPTION.MAX_MESSAGE_SIZE),
      maySplit: joinsSplitOptions(request),
    },
  );
}

/** Options 53 and 54. */
function identifying(request: ClientRequest, type: "OFFER" | "ACK" | "NAK"): OptionValue[] {
  return [
    { code: OPTION.MESSAGE_TYPE, value: uint8Value(MESSAGE_TYPE_CODE[type]) },
    { code: OPTION.SERVER_IDENTIFIER, value: uint32Value(request.serverIdentifier) },
  ];
}

/** The fields that every reply takes from the request. Source: RFC 2131 table 3. */
function replyHeader(request: ClientRequest): MessageHeader {
  const { message } = request;
  return {
    op: BOOTREPLY,
    hardwareType: message.hardwareType,
    hops: 0,
    xid: message.xid,
    secs: 0,
    flags: message.flags,
    clientAddress: IPV4_ANY,
    yourAddress: IPV4_ANY,
    nextServer: IPV4_ANY,
    relayAddress: message.relayAddress,
    hardwareAddress: message.hardwareAddress,
  };
}

interface ReplyParts {
  readonly route: ReplyRoute;
  readonly encoded: EncodedMessage;
  readonly address: Ipv4;
  readonly binding?: BindingChange | null;
  readonly nakReason?: NakReason;
  readonly reservationWaits?: Ipv4 | null;
}

function reply(messageType: "OFFER" | "ACK" | "NAK" | "BOOTREPLY", parts: ReplyParts): ServerOutcome {
  return {
    kind: "reply",
    messageType,
    route: parts.route,
    bytes: parts.encoded.bytes,
    binding: parts.binding ?? null,
    nakReason: parts.nakReason ?? null,
    address: parts.address,
    reservationWaits: parts.reservationWaits ?? null,
    omittedOptions: parts.encoded.omitted,
  };
}
