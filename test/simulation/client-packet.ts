// DHCP packets as the simulated clients write and read them. Written from RFC 2131 and RFC 2132 alone and without a
// look at src/dhcp/wire, so that a mistake there does not cancel itself out here. Shared by clients and checker.

export const DISCOVER = 1;
export const OFFER = 2;
export const REQUEST = 3;
export const DECLINE = 4;
export const ACK = 5;
export const NAK = 6;
export const RELEASE = 7;
export const INFORM = 8;

const FIXED_BYTES = 236;
const COOKIE = 0x63825363;
const FLAG_BROADCAST = 0x8000;

export interface ClientPacket {
  readonly type: number;
  readonly xid: number;
  readonly secs: number;
  readonly broadcast: boolean;
  readonly ciaddr: number;
  readonly giaddr: number;
  readonly hardwareAddress: Uint8Array;
  readonly clientIdentifier: Uint8Array | null;
  /** Option 50, 0 = absent. */
  readonly requested: number;
  /** Option 54, 0 = absent. */
  readonly server: number;
  /** The circuit id of option 82, which a relay has added; null = absent. */
  readonly circuit: string | null;
}

/** Writes a client's packet; a relay's address goes in as giaddr. */
export function writePacket(packet: ClientPacket): Uint8Array {
  const bytes = Buffer.alloc(320);
  bytes[0] = 1;
  bytes[1] = 1;
  bytes[2] = 6;
  bytes[3] = packet.giaddr === 0 ? 0 : 1;
  bytes.writeUInt32BE(packet.xid, 4);
  bytes.writeUInt16BE(Math.min(packet.secs, 0xffff), 8);
  bytes.writeUInt16BE(packet.broadcast ? FLAG_BROADCAST : 0, 10);
  bytes.writeUInt32BE(packet.ciaddr, 12);
  bytes.writeUInt32BE(packet.giaddr, 24);
  bytes.set(packet.hardwareAddress, 28);
  bytes.writeUInt32BE(COOKIE, FIXED_BYTES);
  let at = FIXED_BYTES + 4;
  at = bytes.writeUInt8(53, at);
  at = bytes.writeUInt8(1, at);
  at = bytes.writeUInt8(packet.type, at);
  if (packet.clientIdentifier !== null) {
    at = bytes.writeUInt8(61, at);
    at = bytes.writeUInt8(packet.clientIdentifier.length, at);
    bytes.set(packet.clientIdentifier, at);
    at += packet.clientIdentifier.length;
  }
  if (packet.requested !== 0) at = writeAddress(bytes, at, 50, packet.requested);
  if (packet.server !== 0) at = writeAddress(bytes, at, 54, packet.server);
  if (packet.type === DISCOVER || packet.type === REQUEST || packet.type === INFORM) {
    for (const byte of [55, 4, 1, 3, 51, 54]) at = bytes.writeUInt8(byte, at);
  }
  if (packet.circuit !== null) {
    const id = Buffer.from(packet.circuit);
    for (const byte of [82, id.length + 2, 1, id.length, ...id]) at = bytes.writeUInt8(byte, at);
  }
  bytes[at] = 255;
  return bytes.subarray(0, Math.max(at + 1, 300));
}

function writeAddress(bytes: Buffer, at: number, code: number, address: number): number {
  bytes[at] = code;
  bytes[at + 1] = 4;
  return bytes.writeUInt32BE(address, at + 2);
}

export interface ServerPacket {
  readonly type: number;
  readonly xid: number;
  readonly yiaddr: number;
  readonly giaddr: number;
  readonly hardwareAddress: Uint8Array;
  /** Option 61 as echoed (RFC 6842), null when absent. */
  readonly clientIdentifier: Uint8Array | null;
  /** Option 51, null when absent. */
  readonly leaseSeconds: number | null;
  /** Option 54, 0 = absent. */
  readonly server: number;
  readonly renewSeconds: number | null;
  readonly rebindSeconds: number | null;
}

/** Reads a server's packet; a text says what is wrong with it. */
export function readPacket(packet: Uint8Array): ServerPacket | string {
  if (packet.length < FIXED_BYTES + 4) return `short packet of ${packet.length} bytes`;
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.length);
  if (bytes[0] !== 2) return `op ${bytes[0]} in a reply`;
  if (bytes[1] !== 1 || bytes[2] !== 6) return `htype ${bytes[1]} hlen ${bytes[2]} in a reply`;
  if (bytes.readUInt32BE(FIXED_BYTES) !== COOKIE) return "no magic cookie";
  let type = 0;
  let leaseSeconds: number | null = null;
  let renewSeconds: number | null = null;
  let rebindSeconds: number | null = null;
  let server = 0;
  let clientIdentifier: Uint8Array | null = null;
  let at = FIXED_BYTES + 4;
  while (at < bytes.length) {
    const code = bytes[at] as number;
    if (code === 255) break;
    if (code === 0) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) return `option ${code} runs over the end`;
    const value = at + 2;
    if (code === 53) type = bytes[value] as number;
    else if (code === 51) leaseSeconds = bytes.readUInt32BE(value);
    else if (code === 54) server = bytes.readUInt32BE(value);
    else if (code === 58) renewSeconds = bytes.readUInt32BE(value);
    else if (code === 59) rebindSeconds = bytes.readUInt32BE(value);
    else if (code === 61) clientIdentifier = bytes.subarray(value, value + length);
    at = value + length;
  }
  if (type !== OFFER && type !== ACK && type !== NAK) return `message type ${type} in a reply`;
  return {
    type,
    xid: bytes.readUInt32BE(4),
    yiaddr: bytes.readUInt32BE(16),
    giaddr: bytes.readUInt32BE(24),
    hardwareAddress: bytes.subarray(28, 34),
    clientIdentifier,
    leaseSeconds,
    server,
    renewSeconds,
    rebindSeconds,
  };
}

/** One text per client: option 61 when there is one, else the hardware address. */
export function identityText(clientIdentifier: Uint8Array | null, hardwareAddress: Uint8Array): string {
  const id = clientIdentifier ?? hardwareAddress;
  return (clientIdentifier === null ? "h" : "i") + Buffer.from(id).toString("hex");
}

/** Who the client of this number is: each third one shows an identifier. */
export function identityOf(index: number): {
  readonly hardwareAddress: Uint8Array;
  readonly clientIdentifier: Uint8Array | null;
} {
  const number = [index >> 8, index & 255] as const;
  return {
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, ...number),
    clientIdentifier: index % 3 === 0 ? Uint8Array.of(0, 0x63, ...number) : null,
  };
}

export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
