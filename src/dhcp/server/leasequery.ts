// LEASEQUERY: who holds an address, or which addresses a client holds, for relays that guard their ports by it.
// Source: RFC 4388 6.4. Only askers whose address stands in the configuration are answered: the answer tells of others'
// leases. Reads the lease table and changes nothing.

import { IPV4_ANY, type Ipv4, prefixContains } from "../../base/ipv4.ts";
import { type Instant, secondsUntil } from "../../base/units.ts";
import type { Binding, ClientIdentity } from "../lease/binding.ts";
import type { Arrival, ReplyRoute } from "../ports.ts";
import { BOOTREPLY, type DhcpMessage, encodeMessage } from "../wire/message.ts";
import { MESSAGE_TYPE_CODE } from "../wire/message-type.ts";
import { OPTION } from "../wire/option-table.ts";
import { type OptionValue, uint8Value, uint16Option, uint32Value } from "../wire/options.ts";
import type { ServerView } from "./client-request.ts";
import { dropped, type LeasequeryReply, type ServerOutcome } from "./outcome.ts";
import { scopeOfAddress } from "./prepare-config.ts";
import { renewalTimes } from "./reply-options.ts";
import { SERVER_PORT } from "./reply-route.ts";

/** A query by hardware address looks at every record, because clients are kept by their identifier: a million take ten
 *  milliseconds. Beyond so many it is not answered: packets of clients wait meanwhile. */
const RECORDS_MAX = 1_048_576;

interface Query {
  readonly view: ServerView;
  readonly message: DhcpMessage;
  readonly now: Instant;
}

/** Answers a query, or drops it. */
export function handleLeasequery(
  view: ServerView,
  message: DhcpMessage,
  arrival: Arrival,
  now: Instant,
): ServerOutcome {
  if (view.authority.service !== "All") return dropped("not-serving");
  const asker = message.relayAddress;
  const mayAsk = asker !== 0 && view.config.leasequeryFrom.some((network) => prefixContains(network, asker));
  if (!mayAsk) return dropped("leasequery-refused");
  const bySourcePort = view.config.settings.replyToSourcePort && arrival.sourcePort !== 0;
  const port = bySourcePort ? arrival.sourcePort : SERVER_PORT;
  const route: ReplyRoute = { kind: "unicast", to: asker, port, interface: null };
  const query = { view, message, now };
  return message.clientAddress === 0 ? byClient(query, route) : byAddress(query, route);
}

function byAddress(query: Query, route: ReplyRoute): ServerOutcome {
  const { view, message } = query;
  const address = message.clientAddress;
  const record = view.leases.get(address);
  if (record !== null && isRunning(query, record)) return active(query, route, [record]);
  const scope = scopeOfAddress(view.config, address);
  const isManaged = view.leases.poolOf(address) !== null || scope?.reservations.has(address) === true;
  return plain(query, route, isManaged ? "LEASEUNASSIGNED" : "LEASEUNKNOWN");
}

/** The client's running leases; the one that it used last stands for all. */
function byClient(query: Query, route: ReplyRoute): ServerOutcome {
  const { message } = query;
  const identifier = message.options.get(OPTION.CLIENT_IDENTIFIER);
  const { hardwareAddress } = message;
  const hasHardware = hardwareAddress.some((byte) => byte !== 0);
  if (identifier === undefined && !hasHardware) return dropped("no-client-identity");
  const found = identifier === undefined ? byHardware(query) : byIdentifier(query, identifier);
  if (found === null) return dropped("leasequery-too-wide");
  if (found.length === 0) return plain(query, route, "LEASEUNKNOWN");
  return active(
    query,
    route,
    found.toSorted((a, b) => b.lastTransactionAt - a.lastTransactionAt),
  );
}

function byIdentifier(query: Query, identifier: Uint8Array): readonly Binding[] {
  const client = { clientIdentifier: identifier, hardwareType: 0, hardwareAddress: new Uint8Array(0) };
  return query.view.leases.byClient(client).filter((record) => isRunning(query, record));
}

/** Whatever identifier they came with; null when there are too many records to look at, or too many were just looked at. */
function byHardware(query: Query): readonly Binding[] | null {
  const { view, message, now } = query;
  const { leases, searches } = view;
  if (leases.size > RECORDS_MAX || !searches.take(leases.size, now.boot)) return null;
  const client = { ...message, clientIdentifier: null };
  return leases.byHardware(client).filter((record) => isRunning(query, record));
}

function isRunning({ now }: Query, record: Binding): boolean {
  return record.status === "ACTIVE" && record.expiresAt > now.wall;
}

/** LEASEACTIVE about the first of the records, with all that is known of it where the asker says nothing of what it wants.
 *  Source: RFC 4388 6.2, 6.4.2. */
function active(query: Query, route: ReplyRoute, records: readonly Binding[]): ServerOutcome {
  const [record] = records as readonly [Binding];
  const { message, now } = query;
  const list = message.options.get(OPTION.PARAMETER_REQUEST_LIST);
  const isWanted = (code: number) => list === undefined || list.includes(code);
  const available: OptionValue[] = timesOf(query, record);
  const identifier = record.client?.clientIdentifier ?? null;
  if (identifier !== null) available.push({ code: OPTION.CLIENT_IDENTIFIER, value: identifier });
  const sinceTransaction = Math.max(0, now.wall - record.lastTransactionAt);
  available.push({ code: OPTION.CLIENT_LAST_TRANSACTION_TIME, value: uint32Value(sinceTransaction) });
  const options = available.filter(({ code }) => isWanted(code));
  if (records.length > 1) {
    const value = Uint8Array.from(records.flatMap(({ address }) => [...uint32Value(address)]));
    options.push({ code: OPTION.ASSOCIATED_IP, value });
  }
  const relayInformation = isWanted(OPTION.RELAY_AGENT_INFORMATION) ? record.relayInformation : null;
  return answer(query, route, {
    messageType: "LEASEACTIVE",
    address: record.address,
    client: record.client,
    options,
    relayInformation,
  });
}

/** What is left of the lease and of T1 and T2; nothing for those that are past. */
function timesOf({ view, now }: Query, record: Binding): OptionValue[] {
  const left = secondsUntil(now.wall, record.expiresAt);
  const times: OptionValue[] = [{ code: OPTION.LEASE_TIME, value: uint32Value(left) }];
  const scope = scopeOfAddress(view.config, record.address);
  const length = secondsUntil(record.lastTransactionAt, record.expiresAt);
  const renewal = scope === null ? null : renewalTimes(scope.config.lease, length);
  if (renewal === null) return times;
  const since = now.wall - record.lastTransactionAt;
  for (const [code, at] of [
    [OPTION.RENEWAL_TIME, renewal.renewSeconds],
    [OPTION.REBINDING_TIME, renewal.rebindSeconds],
  ] as const) {
    if (at > since) times.push({ code, value: uint32Value(at - since) });
  }
  return times;
}

/** Source: RFC 4388 6.4 (no other options). */
function plain(query: Query, route: ReplyRoute, messageType: LeasequeryReply): ServerOutcome {
  const address = query.message.clientAddress;
  return answer(query, route, { messageType, address, client: null, options: [], relayInformation: null });
}

interface Answer {
  readonly messageType: LeasequeryReply;
  readonly address: Ipv4;
  /** Null: the header repeats what the query said about the client. */
  readonly client: ClientIdentity | null;
  readonly options: readonly OptionValue[];
  readonly relayInformation: Uint8Array | null;
}

function answer({ view, message }: Query, route: ReplyRoute, parts: Answer): ServerOutcome {
  const { messageType, address, client, relayInformation } = parts;
  const encoded = encodeMessage(
    {
      op: BOOTREPLY,
      hardwareType: client?.hardwareType ?? message.hardwareType,
      hops: 0,
      xid: message.xid,
      secs: 0,
      flags: message.flags,
      clientAddress: address,
      yourAddress: IPV4_ANY,
      nextServer: IPV4_ANY,
      relayAddress: message.relayAddress,
      hardwareAddress: client?.hardwareAddress ?? message.hardwareAddress,
      sname: null,
      file: null,
      options: [
        { code: OPTION.MESSAGE_TYPE, value: uint8Value(MESSAGE_TYPE_CODE[messageType]) },
        { code: OPTION.SERVER_IDENTIFIER, value: uint32Value(view.config.member.address) },
        ...parts.options,
      ],
      relayInformation,
    },
    { datagramBytesMax: uint16Option(message.options, OPTION.MAX_MESSAGE_SIZE), maySplit: true },
  );
  return {
    kind: "reply",
    messageType,
    route,
    bytes: encoded.bytes,
    binding: null,
    nakReason: null,
    address,
    reservationWaits: null,
    omittedOptions: encoded.omitted,
  };
}
