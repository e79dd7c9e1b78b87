// A server with two scopes, a lease table and an authority that answers as told; clients' messages as bytes.
// The helper carries a binding change out the way the engine must, failover times apart.

import assert from "node:assert/strict";
import {
  type CompiledRelationship,
  type CompiledReservation,
  type CompiledScope,
  DEFAULT_SCOPE_POLICY,
} from "../../../src/api/compiled.ts";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { formatIpv4, type Ipv4, ipv4, parseIpv4, parseIpv4Prefix } from "../../../src/base/ipv4.ts";
import { bootMs, type Instant, seconds, unixSeconds } from "../../../src/base/units.ts";
import type { LeaseAuthority } from "../../../src/dhcp/lease/authority.ts";
import {
  type Binding,
  type BindingStatus,
  type ClientIdentity,
  freshBinding,
  isSameClient,
} from "../../../src/dhcp/lease/binding.ts";
import { PackedLeaseTable } from "../../../src/dhcp/lease/packed-lease-table.ts";
import type { Arrival } from "../../../src/dhcp/ports.ts";
import { ClientLimits } from "../../../src/dhcp/server/circuit-leases.ts";
import type { ServerView } from "../../../src/dhcp/server/client-request.ts";
import { DatagramCounters } from "../../../src/dhcp/server/counters.ts";
import { handleDatagram } from "../../../src/dhcp/server/handle-datagram.ts";
import { OfferTable } from "../../../src/dhcp/server/offers.ts";
import type { ReplyOutcome, ServerOutcome } from "../../../src/dhcp/server/outcome.ts";
import { prepareConfig, type ServerSettings } from "../../../src/dhcp/server/prepare-config.ts";
import { SearchPace } from "../../../src/dhcp/server/search-pace.ts";
import {
  BOOTREQUEST,
  type DhcpMessage,
  decodeMessage,
  encodeMessage,
} from "../../../src/dhcp/wire/message.ts";
import { MESSAGE_TYPE_CODE, type MessageType } from "../../../src/dhcp/wire/message-type.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { type OptionValue, uint32Value } from "../../../src/dhcp/wire/options.ts";
import { compiledRelationship } from "../compiled-relationship.ts";

export function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  assert.ok(address !== null, `address ${text}`);
  return address;
}

export function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(/\s/g, ""));
  assert.ok(bytes !== null, `hex ${text}`);
  return bytes;
}

export const MAC_1 = "020000000001";
export const MAC_2 = "020000000002";

export function scope(
  name: string,
  subnet: string,
  range: readonly [string, string],
  rest: Partial<CompiledScope> = {},
): CompiledScope {
  const prefix = parseIpv4Prefix(subnet);
  assert.ok(prefix !== null);
  return {
    name,
    subnet: prefix,
    sharedNetwork: null,
    enabled: true,
    pools: [{ start: ip(range[0]), end: ip(range[1]) }],
    lease: {
      defaultSeconds: seconds(3600),
      minSeconds: seconds(60),
      maxSeconds: seconds(86400),
      renewSeconds: null,
      rebindSeconds: null,
    },
    relayAddresses: [],
    options: [],
    boot: { nextServer: null, serverName: null, fileName: null },
    reservations: [],
    policy: DEFAULT_SCOPE_POLICY,
    allowedClasses: [],
    classPools: [],
    ...rest,
  };
}

export function reservation(
  address: string,
  mac: string,
  rest: Partial<CompiledReservation> = {},
): CompiledReservation {
  return {
    address: ip(address),
    hardwareAddress: `01${mac}`,
    clientIdentifier: null,
    relayAgent: null,
    hostname: null,
    options: [],
    ...rest,
  };
}

/** Two networks: 10.0.0.0/24 with a router, 10.0.1.0/24. */
export function twoScopes(
  first: Partial<CompiledScope> = {},
  second: Partial<CompiledScope> = {},
): CompiledScope[] {
  return [
    scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.20"], {
      options: [
        { code: OPTION.ROUTERS, hex: "0a000001" },
        { code: OPTION.DOMAIN_NAME_SERVERS, hex: "0a000002" },
      ],
      ...first,
    }),
    scope("second", "10.0.1.0/24", ["10.0.1.10", "10.0.1.20"], second),
  ];
}

export interface FakeAuthority extends LeaseAuthority {
  service: LeaseAuthority["service"];
  allocatableStatuses: readonly BindingStatus[];
  responsible: boolean;
  own: boolean;
  /** Whether free addresses that are not the server's to give are a partner's that answers. */
  hasPartner: boolean;
  mcltSeconds: number;
  questions: string[];
  refuse: (binding: Binding, client: ClientIdentity) => boolean;
}

/** A primary in NORMAL, by default: gives FREE addresses, caps every lease by `mcltSeconds` beyond what was acknowledged. */
export function fakeAuthority(): FakeAuthority {
  return {
    service: "All",
    allocatableStatuses: ["FREE"],
    responsible: true,
    own: true,
    hasPartner: false,
    mcltSeconds: 86_400,
    questions: [],
    refuse: () => false,
    isOwnClient() {
      return this.own;
    },
    isPartnersToGive({ status }) {
      const isFree = status === "FREE" || status === "BACKUP";
      return this.hasPartner && isFree && !this.allocatableStatuses.includes(status);
    },
    isResponsible(_client, secs, reserved) {
      this.questions.push(`responsible secs=${secs} reserved=${reserved}`);
      return this.responsible;
    },
    mayAllocate(binding, client) {
      this.questions.push(`allocate ${binding.address}`);
      if (this.refuse(binding, client)) return false;
      if (binding.status === "ACTIVE" || binding.status === "EXPIRED" || binding.status === "RELEASED") {
        return isSameClient(binding, client);
      }
      return this.allocatableStatuses.includes(binding.status);
    },
    cappedLease(binding, desired, now) {
      const base = Math.max(now.wall, binding?.potentialAcked ?? 0, binding?.potentialReceived ?? 0);
      return seconds(Math.min(desired, Math.max(0, base - now.wall + this.mcltSeconds)));
    },
  };
}

export const START = 1_800_000_000;

/** The failover side of a relationship in some state, to be asked at a moment. */
export type Partnered = (now: Instant) => LeaseAuthority;

/** When set, as with-partner.ts does, every world's authority also asks a real failover side. */
export const PARTNER: { of: ((relationship: CompiledRelationship) => Partnered) | null } = { of: null };

/** What the test tells the authority, and what the failover side says: neither alone gives anything away. Where a test names other
 *  statuses to allocate from than a primary's, it speaks of another state, and the failover side is not asked. */
function joinPartner(told: FakeAuthority, partnered: Partnered, now: () => Instant): void {
  const { isResponsible, mayAllocate, cappedLease } = told;
  const isAsTold = told.allocatableStatuses;
  told.isResponsible = function (client, secs, reserved, sources) {
    return (
      isResponsible.call(this, client, secs, reserved, sources) &&
      partnered(now()).isResponsible(client, secs, reserved, sources)
    );
  };
  told.mayAllocate = function (binding, client, at) {
    if (!mayAllocate.call(this, binding, client, at)) return false;
    return this.allocatableStatuses !== isAsTold || partnered(at).mayAllocate(binding, client, at);
  };
  told.cappedLease = function (binding, desired, at) {
    const capped = cappedLease.call(this, binding, desired, at);
    return seconds(Math.min(capped, partnered(at).cappedLease(binding, desired, at)));
  };
}

export class World {
  readonly authority = fakeAuthority();
  readonly leases = new PackedLeaseTable();
  readonly offers = new OfferTable();
  readonly searches = new SearchPace();
  readonly counters = new DatagramCounters();
  readonly limits = new ClientLimits();
  view: ServerView;
  wall = START;
  boot = 1_000_000;

  constructor(
    scopes: readonly CompiledScope[] = twoScopes(),
    settings: Partial<ServerSettings> = {},
    rest: Partial<CompiledRelationship> = {},
  ) {
    const relationship = compiledRelationship({ scopes, ...rest });
    if (PARTNER.of !== null) joinPartner(this.authority, PARTNER.of(relationship), () => this.now);
    const config = prepareConfig(relationship, "a", settings);
    this.leases.configure(config.pools);
    const { leases, offers, searches, authority, counters } = this;
    this.limits.configure(config, leases);
    this.view = { config, leases, offers, searches, authority, counters, limits: this.limits };
  }

  /** Brings other scopes into force. */
  reconfigure(scopes: readonly CompiledScope[], rest: Partial<CompiledRelationship> = {}): void {
    const config = prepareConfig(compiledRelationship({ scopes, ...rest }), "a", {});
    this.leases.configure(config.pools);
    this.limits.configure(config, this.leases);
    this.view = { ...this.view, config };
  }

  get now(): Instant {
    return { wall: unixSeconds(this.wall), boot: bootMs(this.boot) };
  }

  pass(secondsLong: number): void {
    this.wall += secondsLong;
    this.boot += secondsLong * 1000;
  }

  /** Hands a datagram in and carries out what was decided, as the engine does. */
  send(bytes: Uint8Array, arrival: Arrival): ServerOutcome {
    const outcome = handleDatagram(this.view, bytes, arrival, this.now);
    const change = outcome.kind === "dropped" || outcome.kind === "probe" ? null : outcome.binding;
    if (change !== null) this.put(change.next);
    return outcome;
  }

  /** Writes a record as if it had been there before. */
  record(
    address: string,
    status: BindingStatus,
    client: ClientIdentity | null,
    rest: Partial<Binding> = {},
  ): Binding {
    const base = freshBinding(ip(address));
    const statusSince = unixSeconds(this.wall - 100);
    const times =
      status === "ACTIVE" ? { expiresAt: unixSeconds(this.wall + 1800), lastTransactionAt: statusSince } : {};
    const binding: Binding = { ...base, status, client, statusSince, ...times, ...rest };
    this.put(binding);
    return binding;
  }

  private put(binding: Binding): void {
    this.limits.leases?.change(this.leases.get(binding.address), binding);
    this.leases.put(binding);
  }
}

export interface ClientMessage {
  readonly type: MessageType;
  readonly mac?: string;
  readonly xid?: number;
  readonly secs?: number;
  readonly flags?: number;
  readonly hops?: number;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  readonly requested?: string;
  readonly server?: string;
  readonly clientId?: string;
  readonly relayInformation?: string;
  readonly options?: readonly OptionValue[];
}

/** A client's message as bytes. */
export function clientMessage(parts: ClientMessage): Uint8Array {
  const options: OptionValue[] = [
    { code: OPTION.MESSAGE_TYPE, value: Uint8Array.of(MESSAGE_TYPE_CODE[parts.type]) },
  ];
  if (parts.clientId !== undefined)
    options.push({ code: OPTION.CLIENT_IDENTIFIER, value: hex(parts.clientId) });
  if (parts.requested !== undefined) {
    options.push({ code: OPTION.REQUESTED_ADDRESS, value: uint32Value(ip(parts.requested)) });
  }
  if (parts.server !== undefined) {
    options.push({ code: OPTION.SERVER_IDENTIFIER, value: uint32Value(ip(parts.server)) });
  }
  return encodeMessage(
    {
      op: BOOTREQUEST,
      hardwareType: 1,
      hops: parts.hops ?? 0,
      xid: parts.xid ?? 0x1234_5678,
      secs: parts.secs ?? 0,
      flags: parts.flags ?? 0,
      clientAddress: ip(parts.ciaddr ?? "0.0.0.0"),
      yourAddress: ipv4(0),
      nextServer: ipv4(0),
      relayAddress: ip(parts.giaddr ?? "0.0.0.0"),
      hardwareAddress: hex(parts.mac ?? MAC_1),
      sname: null,
      file: null,
      options: [...options, ...(parts.options ?? [])],
      relayInformation: parts.relayInformation === undefined ? null : hex(parts.relayInformation),
    },
    { datagramBytesMax: 1500, maySplit: true },
  ).bytes;
}

export function hardwareClient(mac: string = MAC_1): ClientIdentity {
  return { clientIdentifier: null, hardwareType: 1, hardwareAddress: hex(mac) };
}

export function identifiedClient(clientId: string, mac: string = MAC_1): ClientIdentity {
  return { clientIdentifier: hex(clientId), hardwareType: 1, hardwareAddress: hex(mac) };
}

/** On interface eth0, which has 10.0.0.1/24. */
export function local(source = "0.0.0.0", address = "10.0.0.1"): Arrival {
  const addresses = [{ address: ip(address), prefixLength: 24 }];
  return { kind: "local", interface: "eth0", source: ip(source), sourcePort: 68, addresses };
}

export function routed(source: string, sourcePort = 67): Arrival {
  return { kind: "routed", source: ip(source), sourcePort };
}

/** DISCOVER and REQUEST; the address acknowledged. */
export function lease(world: World, parts: Partial<ClientMessage>, arrival = local()): string {
  const offer = asReply(world.send(clientMessage({ type: "DISCOVER", ...parts }), arrival));
  const requested = formatIpv4(offer.address);
  const request = clientMessage({ type: "REQUEST", ...parts, requested, server: "192.0.2.1" });
  const ack = asReply(world.send(request, arrival));
  assert.equal(ack.messageType, "ACK");
  return formatIpv4(ack.address);
}

export function asReply(outcome: ServerOutcome): ReplyOutcome & { readonly message: DhcpMessage } {
  assert.ok(outcome.kind === "reply", `a reply, not ${JSON.stringify(outcome)}`);
  const read = decodeMessage(outcome.bytes);
  assert.ok(read.kind === "message", "the reply decodes");
  const expected = outcome.messageType === "BOOTREPLY" ? null : outcome.messageType;
  assert.equal(read.message.messageType, expected);
  return { ...outcome, message: read.message };
}

export function asDropped(outcome: ServerOutcome): string {
  assert.ok(outcome.kind === "dropped", `dropped, not ${outcome.kind}`);
  return outcome.reason;
}

export function optionHex(message: DhcpMessage, code: number): string | null {
  const value = message.options.get(code);
  return value === undefined ? null : toHex(value);
}

/** A short word for an outcome: the message type, or the reason of silence. */
export function answer(outcome: ServerOutcome): string {
  if (outcome.kind === "dropped") return outcome.reason;
  return outcome.kind === "reply" ? outcome.messageType : outcome.kind;
}
