// The sub-options of option 82 that relays add: read here, echoed unchanged by whoever replies.
// Source: RFC 3046, 3527 (link selection), 5010 (flags), 5107 (server identifier override), 8357 (source port).
// Never throws. A broken tail is tolerated, because relays pad; a sub-option that steers us must have its exact length.

import { readUint32 } from "../../base/bytes.ts";
import { type Ipv4, ipv4 } from "../../base/ipv4.ts";

/** Source: IANA, DHCP Relay Agent Sub-Option Codes. */
export const RELAY_SUBOPTION = {
  CIRCUIT_ID: 1,
  REMOTE_ID: 2,
  DOCSIS_DEVICE_CLASS: 4,
  LINK_SELECTION: 5,
  SUBSCRIBER_ID: 6,
  RADIUS_ATTRIBUTES: 7,
  AUTHENTICATION: 8,
  VENDOR_SPECIFIC: 9,
  FLAGS: 10,
  SERVER_IDENTIFIER_OVERRIDE: 11,
  RELAY_AGENT_IDENTIFIER: 12,
  ACCESS_TECHNOLOGY_TYPE: 13,
  ACCESS_NETWORK_NAME: 14,
  ACCESS_POINT_NAME: 15,
  ACCESS_POINT_BSSID: 16,
  OPERATOR_IDENTIFIER: 17,
  OPERATOR_REALM: 18,
  SOURCE_PORT: 19,
  VIRTUAL_SUBNET_SELECTION: 151,
  VIRTUAL_SUBNET_SELECTION_CONTROL: 152,
} as const;

export interface RelayInformation {
  /** Sub-options by code; the first of a repeated one counts. Values are views. */
  readonly subOptions: ReadonlyMap<number, Uint8Array>;
  readonly circuitId: Uint8Array | null;
  readonly remoteId: Uint8Array | null;
  readonly subscriberId: Uint8Array | null;
  /** An address of the subnet the client is on. RFC 3527. */
  readonly linkSelection: Ipv4 | null;
  /** What option 54 must say, and what the client says back. RFC 5107. */
  readonly serverIdentifierOverride: Ipv4 | null;
  /** Whether the relay got the client's message by unicast; null when it did not say. RFC 5010. */
  readonly clientUsedUnicast: boolean | null;
  /** The relay listens on the port it sent from. RFC 8357. */
  readonly usesSourcePort: boolean;
}

export type RelayInformationRead =
  | { readonly kind: "relay-information"; readonly information: RelayInformation }
  | { readonly kind: "malformed"; readonly subOption: number };

/** Reads the value of option 82. Time and memory are linear in its length. */
export function readRelayInformation(value: Uint8Array): RelayInformationRead {
  const subOptions = new Map<number, Uint8Array>();
  let at = 0;
  while (at + 2 <= value.length) {
    const code = value[at] as number;
    const end = at + 2 + (value[at + 1] as number);
    if (end > value.length) break;
    if (!subOptions.has(code)) subOptions.set(code, value.subarray(at + 2, end));
    at = end;
  }
  for (const code of [RELAY_SUBOPTION.LINK_SELECTION, RELAY_SUBOPTION.SERVER_IDENTIFIER_OVERRIDE]) {
    if (subOptions.has(code) && subOptions.get(code)?.length !== 4)
      return { kind: "malformed", subOption: code };
  }
  return { kind: "relay-information", information: interpret(subOptions) };
}

function interpret(subOptions: ReadonlyMap<number, Uint8Array>): RelayInformation {
  const flags = subOptions.get(RELAY_SUBOPTION.FLAGS)?.[0];
  return {
    subOptions,
    circuitId: subOptions.get(RELAY_SUBOPTION.CIRCUIT_ID) ?? null,
    remoteId: subOptions.get(RELAY_SUBOPTION.REMOTE_ID) ?? null,
    subscriberId: subOptions.get(RELAY_SUBOPTION.SUBSCRIBER_ID) ?? null,
    linkSelection: address(subOptions.get(RELAY_SUBOPTION.LINK_SELECTION)),
    // 0.0.0.0 names no relay, and no server that a client could renew with.
    serverIdentifierOverride: address(subOptions.get(RELAY_SUBOPTION.SERVER_IDENTIFIER_OVERRIDE)) || null,
    clientUsedUnicast: flags === undefined ? null : (flags & 0x80) !== 0,
    usesSourcePort: subOptions.has(RELAY_SUBOPTION.SOURCE_PORT),
  };
}

function address(value: Uint8Array | undefined): Ipv4 | null {
  return value?.length === 4 ? ipv4(readUint32(value, 0)) : null;
}
