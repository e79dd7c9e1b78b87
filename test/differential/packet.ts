// DHCP packets for judging servers: a query is written byte by byte as told, an answer is read down to the order of its
// options. Written from RFC 2131 and RFC 2132 alone, without a look at src/dhcp/wire, so that no mistake cancels out.

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

export interface RawOption {
  readonly code: number;
  readonly hex: string;
}

export interface Query {
  readonly op: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: string;
  readonly giaddr: string;
  /** Lower-case hex; its length is hlen. */
  readonly hardware: string;
  readonly options: readonly RawOption[];
}

export function writeQuery(query: Query): Buffer {
  const head = Buffer.alloc(FIXED_BYTES + 4);
  const hardware = Buffer.from(query.hardware, "hex");
  head.set([query.op, 1, hardware.length, query.hops]);
  head.writeUInt32BE(query.xid, 4);
  head.writeUInt16BE(query.secs, 8);
  head.writeUInt16BE(query.flags, 10);
  head.set(addressBytes(query.ciaddr), 12);
  head.set(addressBytes(query.giaddr), 24);
  head.set(hardware.subarray(0, 16), 28);
  head.writeUInt32BE(COOKIE, FIXED_BYTES);
  const options = query.options.map(({ code, hex }) => {
    const value = Buffer.from(hex, "hex");
    return Buffer.concat([Buffer.of(code, value.length), value]);
  });
  const whole = Buffer.concat([head, ...options, Buffer.of(255)]);
  return whole.length >= 300 ? whole : Buffer.concat([whole, Buffer.alloc(300 - whole.length)]);
}

export function addressBytes(address: string): number[] {
  return address.split(".").map(Number);
}

export function addressHex(address: string): string {
  return Buffer.from(addressBytes(address)).toString("hex");
}

export function hexAddress(hex: string): string {
  return [...Buffer.from(hex, "hex")].join(".");
}

/** An answer, every field for itself. */
export interface Answer {
  readonly op: number;
  readonly htype: number;
  readonly hlen: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  /** All 16 bytes, hex. */
  readonly chaddr: string;
  /** Hex without the zeros at its end; "" when the field is empty or overloaded. */
  readonly sname: string;
  readonly file: string;
  /** 0..3, what option 52 says. */
  readonly overload: number;
  /** Values by code, portions joined in the order options, file, sname (RFC 3396 7). Without 52. */
  readonly options: ReadonlyMap<number, string>;
  /** Codes in the order of their first portion. */
  readonly order: readonly number[];
  /** Code of the last option in the options field. */
  readonly lastOption: number | null;
  readonly bytes: number;
  /** What is wrong with the bytes themselves. */
  readonly faults: readonly string[];
}

/** Reads an answer, or says why that is impossible. */
export function readAnswer(bytes: Buffer): Answer | string {
  if (bytes.length < FIXED_BYTES + 5) return "shorter than a header with one option";
  if (bytes.readUInt32BE(FIXED_BYTES) !== COOKIE) return "no magic cookie";
  const faults: string[] = [];
  if (bytes.length < 300) faults.push("shorter than 300 bytes");
  const options = new Map<number, string>();
  const main = readField(bytes.subarray(FIXED_BYTES + 4), "options", options, faults);
  const overload = Number.parseInt(options.get(52) ?? "0", 16);
  const file = bytes.subarray(108, FIXED_BYTES);
  const sname = bytes.subarray(44, 108);
  const order = [...main];
  if ((overload & 1) !== 0) order.push(...readField(file, "file", options, faults));
  if ((overload & 2) !== 0) order.push(...readField(sname, "sname", options, faults));
  options.delete(52);
  return {
    op: bytes.readUInt8(0),
    htype: bytes.readUInt8(1),
    hlen: bytes.readUInt8(2),
    hops: bytes.readUInt8(3),
    xid: bytes.readUInt32BE(4),
    secs: bytes.readUInt16BE(8),
    flags: bytes.readUInt16BE(10),
    ciaddr: [...bytes.subarray(12, 16)].join("."),
    yiaddr: [...bytes.subarray(16, 20)].join("."),
    siaddr: [...bytes.subarray(20, 24)].join("."),
    giaddr: [...bytes.subarray(24, 28)].join("."),
    chaddr: bytes.subarray(28, 44).toString("hex"),
    sname: (overload & 2) !== 0 ? "" : untilZeros(sname),
    file: (overload & 1) !== 0 ? "" : untilZeros(file),
    overload,
    options,
    order: [...new Set(order)].filter((code) => code !== 52),
    lastOption: main.at(-1) ?? null,
    bytes: bytes.length,
    faults,
  };
}

function untilZeros(field: Buffer): string {
  return field.toString("hex").replace(/(00)+$/, "");
}

function readField(field: Buffer, name: string, options: Map<number, string>, faults: string[]): number[] {
  const codes: number[] = [];
  let at = 0;
  while (at < field.length) {
    const code = field[at] as number;
    if (code === 255) {
      if (field.subarray(at + 1).some((byte) => byte !== 0)) faults.push(`bytes after the end of ${name}`);
      return codes;
    }
    at += 1;
    if (code === 0) continue;
    const length = field[at];
    if (length === undefined || at + 1 + length > field.length) {
      faults.push(`option ${code} runs past ${name}`);
      return codes;
    }
    const value = field.subarray(at + 1, at + 1 + length).toString("hex");
    options.set(code, (options.get(code) ?? "") + value);
    codes.push(code);
    at += 1 + length;
  }
  faults.push(`no end option in ${name}`);
  return codes;
}
