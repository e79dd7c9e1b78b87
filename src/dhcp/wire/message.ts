// The DHCPv4 message: the complete BOOTP header and its options, decoded to views and encoded from values.
// Source: RFC 2131 2 and 4.1, RFC 951 3, RFC 1542 2.1 (at least 300 bytes are sent), RFC 2132 9.10 (maximum size).
// Decoding never throws and never reads past the datagram; what it refuses, it names.

import { readUint32 } from "../../base/bytes.ts";
import { type Ipv4, ipv4 } from "../../base/ipv4.ts";
import { MESSAGE_TYPE_CODE, type MessageType, messageTypeOf } from "./message-type.ts";
import { layOutOptions } from "./option-layout.ts";
import { OPTION } from "./option-table.ts";
import { OptionCollector, type Options, type OptionValue, uint8Option } from "./options.ts";

export const BOOTREQUEST = 1;
export const BOOTREPLY = 2;
/** The broadcast bit of `flags`. Source: RFC 2131 2, figure 2. */
export const FLAG_BROADCAST = 0x8000;

const HEADER_BYTES = 236;
const OPTIONS_OFFSET = 240;
const CHADDR_OFFSET = 28;
const SNAME_OFFSET = 44;
const FILE_OFFSET = 108;
const COOKIE = 0x6382_5363;
/** No relay or client sends more; larger datagrams are attacks or accidents. */
export const MESSAGE_BYTES_MAX = 8192;
/** RFC 951 packets are this long; old relays and clients drop shorter ones. */
const MESSAGE_BYTES_SENT_MIN = 300;
/** What RFC 951's vendor field holds after the cookie. */
const BOOTP_OPTION_BYTES = 60;
/** IP and UDP headers count in option 57, as they count in the 576 bytes of RFC 2131 2. */
const IP_UDP_BYTES = 28;
/** Every client and every relay takes an IP datagram of this size. */
export const DATAGRAM_BYTES_MIN = 576;
/** What fits an Ethernet frame: larger replies would be fragmented on the way. */
export const DATAGRAM_BYTES_MAX = 1500;

/** The fixed fields. Addresses are 0 when unset. */
export interface MessageHeader {
  readonly op: number;
  readonly hardwareType: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  /** ciaddr */
  readonly clientAddress: Ipv4;
  /** yiaddr */
  readonly yourAddress: Ipv4;
  /** siaddr */
  readonly nextServer: Ipv4;
  /** giaddr */
  readonly relayAddress: Ipv4;
  /** chaddr cut to hlen, 0..16 bytes. */
  readonly hardwareAddress: Uint8Array;
}

/** A decoded message. Byte fields are views, valid until the receive buffer is reused. */
export interface DhcpMessage extends MessageHeader {
  /** 64 bytes; all zero when overloaded. */
  readonly sname: Uint8Array;
  /** 128 bytes; all zero when overloaded. */
  readonly file: Uint8Array;
  readonly options: Options;
  /** Value of option 53; null for plain BOOTP or an unassigned type. */
  readonly messageType: MessageType | null;
}

export type MalformedField = "length" | "hlen" | "cookie" | "options" | "overload" | "message-type";

export type MessageRead =
  | { readonly kind: "message"; readonly message: DhcpMessage }
  | { readonly kind: "malformed"; readonly field: MalformedField };

const EMPTY_SNAME = new Uint8Array(64);
const EMPTY_FILE = new Uint8Array(128);

/** Transaction id of any DHCP message, request or reply. Source: RFC 2131 2 (figure 1, `xid`). */
export function transactionOf(bytes: Uint8Array): number {
  return readUint32(bytes, 4);
}

/** Whether the first option says DISCOVER, as real clients' do: a guess that costs nothing, for what is put in order before it is
 *  read. */
export function looksLikeDiscover(bytes: Uint8Array): boolean {
  return (
    bytes[OPTIONS_OFFSET] === OPTION.MESSAGE_TYPE && bytes[OPTIONS_OFFSET + 2] === MESSAGE_TYPE_CODE.DISCOVER
  );
}

/** Reads one datagram's payload. Time and memory are linear in its length, which is bounded.
 *  Source: RFC 2131 2 (figure 1), 4.1 (overload order: options, file, sname). */
export function decodeMessage(bytes: Uint8Array): MessageRead {
  if (bytes.length < OPTIONS_OFFSET || bytes.length > MESSAGE_BYTES_MAX) return malformed("length");
  const hlen = bytes[2] as number;
  if (hlen > 16) return malformed("hlen");
  const cookie = readUint32(bytes, HEADER_BYTES);
  if (cookie !== COOKIE && cookie !== 0) return malformed("cookie");
  const collector = new OptionCollector();
  // Without a cookie the packet is BOOTP and what follows is no list of options. RFC 1542 2.1
  if (cookie === COOKIE && !collector.addField(bytes.subarray(OPTIONS_OFFSET))) return malformed("options");
  const overload = collector.single(OPTION.OVERLOAD);
  if (overload !== null && !isOverload(overload)) return malformed("overload");
  const overloaded = overload?.[0] ?? 0;
  const file = bytes.subarray(FILE_OFFSET, HEADER_BYTES);
  const sname = bytes.subarray(SNAME_OFFSET, FILE_OFFSET);
  if ((overloaded & 1) !== 0 && !collector.addField(file)) return malformed("options");
  if ((overloaded & 2) !== 0 && !collector.addField(sname)) return malformed("options");
  const options = collector.join();
  const code = uint8Option(options, OPTION.MESSAGE_TYPE);
  if (code === null && options.has(OPTION.MESSAGE_TYPE)) return malformed("message-type");
  return {
    kind: "message",
    message: {
      ...decodeHeader(bytes, hlen),
      sname: (overloaded & 2) !== 0 ? EMPTY_SNAME : sname,
      file: (overloaded & 1) !== 0 ? EMPTY_FILE : file,
      options,
      messageType: code === null ? null : messageTypeOf(code),
    },
  };
}

function malformed(field: MalformedField): MessageRead {
  return { kind: "malformed", field };
}

function isOverload(value: Uint8Array): boolean {
  const which = value[0];
  return value.length === 1 && which !== undefined && which >= 1 && which <= 3;
}

function decodeHeader(bytes: Uint8Array, hlen: number): MessageHeader {
  return {
    op: bytes[0] as number,
    hardwareType: bytes[1] as number,
    hops: bytes[3] as number,
    xid: transactionOf(bytes),
    secs: ((bytes[8] as number) << 8) | (bytes[9] as number),
    flags: ((bytes[10] as number) << 8) | (bytes[11] as number),
    clientAddress: ipv4(readUint32(bytes, 12)),
    yourAddress: ipv4(readUint32(bytes, 16)),
    nextServer: ipv4(readUint32(bytes, 20)),
    relayAddress: ipv4(readUint32(bytes, 24)),
    hardwareAddress: bytes.subarray(CHADDR_OFFSET, CHADDR_OFFSET + hlen),
  };
}

/** What goes into an outgoing message. */
export interface OutgoingMessage extends MessageHeader {
  /** Server host name, at most 63 bytes and no NUL; null leaves the field free for options. */
  readonly sname: Uint8Array | null;
  /** Boot file name, at most 127 bytes and no NUL; null leaves the field free for options. */
  readonly file: Uint8Array | null;
  /** In order of precedence, without 52 (written here), 82 (below) and 255. */
  readonly options: readonly OptionValue[];
  /** Option 82 to echo as the last option; null when there is none. */
  readonly relayInformation: Uint8Array | null;
}

export interface EncodeLimits {
  /** Largest IP datagram the receiver takes (option 57), headers counted; raised to 576, cut to 1500. Null = 576. */
  readonly datagramBytesMax: number | null;
  /** The receiver is known to join split options. RFC 3396 4. */
  readonly maySplit: boolean;
  /** For a client that speaks BOOTP only: 64 bytes of vendor information, cookie included. RFC 951 3 */
  readonly isBootp?: boolean;
}

export interface EncodedMessage {
  readonly bytes: Uint8Array;
  /** Codes of options that found no room. */
  readonly omitted: readonly number[];
}

/** Writes a message within the limits; option 82 comes on top of the client's limit, because the relay removes it, but
 *  never makes the datagram larger than 1500 bytes.
 *  Source: RFC 2131 2 and 4.1, RFC 2132 9.3 and 9.10, RFC 3396 6, RFC 3046 2.2. */
export function encodeMessage(message: OutgoingMessage, limits: EncodeLimits): EncodedMessage {
  const wanted = limits.datagramBytesMax ?? DATAGRAM_BYTES_MIN;
  const datagramBytes = Math.min(Math.max(wanted, DATAGRAM_BYTES_MIN), DATAGRAM_BYTES_MAX);
  const overhead = IP_UDP_BYTES + OPTIONS_OFFSET;
  const relayBytes = message.relayInformation === null ? 0 : relayLength(message.relayInformation.length);
  const dhcpBytesMax = Math.min(datagramBytes, DATAGRAM_BYTES_MAX - Math.min(relayBytes, 512)) - overhead;
  const optionBytesMax = limits.isBootp === true ? BOOTP_OPTION_BYTES : dhcpBytesMax;
  const layout = layOutOptions({
    options: message.options,
    relayInformation: message.relayInformation,
    optionBytesMax,
    relayBytesMax: DATAGRAM_BYTES_MAX - overhead - optionBytesMax,
    fileIsFree: message.file === null,
    snameIsFree: message.sname === null,
    maySplit: limits.maySplit,
  });
  const length = Math.max(MESSAGE_BYTES_SENT_MIN, OPTIONS_OFFSET + layout.options.length);
  const bytes = new Uint8Array(length);
  encodeHeader(bytes, message);
  bytes.set((layout.sname ?? message.sname ?? EMPTY_SNAME).subarray(0, 64), SNAME_OFFSET);
  bytes.set((layout.file ?? message.file ?? EMPTY_FILE).subarray(0, 128), FILE_OFFSET);
  writeUint32(bytes, HEADER_BYTES, COOKIE);
  bytes.set(layout.options, OPTIONS_OFFSET);
  return { bytes, omitted: layout.omitted };
}

function relayLength(valueLength: number): number {
  return valueLength + 2 * Math.max(1, Math.ceil(valueLength / 255));
}

function encodeHeader(bytes: Uint8Array, header: MessageHeader): void {
  const hardwareAddress = header.hardwareAddress.subarray(0, 16);
  bytes[0] = header.op;
  bytes[1] = header.hardwareType;
  bytes[2] = hardwareAddress.length;
  bytes[3] = header.hops;
  writeUint32(bytes, 4, header.xid);
  bytes[8] = header.secs >>> 8;
  bytes[9] = header.secs & 255;
  bytes[10] = header.flags >>> 8;
  bytes[11] = header.flags & 255;
  writeUint32(bytes, 12, header.clientAddress);
  writeUint32(bytes, 16, header.yourAddress);
  writeUint32(bytes, 20, header.nextServer);
  writeUint32(bytes, 24, header.relayAddress);
  bytes.set(hardwareAddress, CHADDR_OFFSET);
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value >>> 24) & 255;
  bytes[at + 1] = (value >>> 16) & 255;
  bytes[at + 2] = (value >>> 8) & 255;
  bytes[at + 3] = value & 255;
}
