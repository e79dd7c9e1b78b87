// Option fields to the bytes that go on the wire, before RFC 3396 splitting. Pure; a value that cannot be written is an
// error that names the field below `options`.
// Source: RFC 2132 (3, 6, 15, 26, 28, 42, 66, 67), RFC 3397 (119), RFC 3442 (121).

import { toHex } from "../base/bytes.ts";
import { type Ipv4, parseIpv4, parseIpv4Prefix } from "../base/ipv4.ts";
import type { CompiledOption } from "./compiled.ts";
import type { ClasslessRoute, ExtraOption, Options, SubOption, VendorIdentifying } from "./dhcp-options.ts";
import { type FieldError, showValue } from "./field-error.ts";
import { lengthFault } from "./option-lengths.ts";
import { PROTOCOL_CODES, TYPED_CODES, VALUE_FORMS } from "./rules-common.ts";

export type OptionsEncoded =
  | { readonly kind: "ok"; readonly options: readonly CompiledOption[] }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] };

/** The one option that may be given whole, in extra, as well as by its sub-options: not every vendor uses them. */
export const VENDOR_SPECIFIC = 43;
/** RFC 1035 2.3.4. */
const LABEL_BYTES_MAX = 63;
const NAME_BYTES_MAX = 255;
/** The two high bits mark a pointer, the other fourteen tell where to. RFC 1035 4.1.4. */
const POINTER = 0xc0;
const POINTER_OFFSET_MAX = 0x3fff;
/** One byte tells the length. */
const SUB_OPTION_BYTES_MAX = 255;

/** A value's bytes, or what is wrong with it. */
type Encoded = Uint8Array | { readonly below: string; readonly message: string };

/** Encodes all options, sorted by code. Field paths in errors are relative to `options`. */
export function encodeOptions(options: Options): OptionsEncoded {
  const encoded: CompiledOption[] = [];
  const errors: FieldError[] = [];
  const put = (code: number, field: string, value: Encoded) => {
    if (value instanceof Uint8Array) encoded.push({ code, hex: toHex(value) });
    else errors.push({ field: `${field}${value.below}`, message: value.message });
  };
  for (const { code, field, encode } of TYPED_OPTIONS) {
    const value = encode(options);
    if (value !== null) put(code, field, value);
  }
  for (const [i, extra] of (options.extra ?? []).entries())
    put(extra.code, `extra[${i}]`, encodeExtra(extra, options));
  if (errors.length > 0) return { kind: "invalid", errors };
  return { kind: "ok", options: encoded.sort((a, b) => a.code - b.code) };
}

interface TypedOption {
  readonly code: number;
  readonly field: keyof Options;
  /** Null when the field is unset. */
  readonly encode: (options: Options) => Encoded | null;
}

function typed<Field extends Exclude<keyof Options, "extra">>(
  code: number,
  field: Field,
  encode: (value: NonNullable<Options[Field]>) => Encoded,
): TypedOption {
  const ofOptions = (options: Options) => {
    const value = options[field];
    return value === undefined ? null : encode(value as NonNullable<Options[Field]>);
  };
  return { code, field, encode: ofOptions };
}

const TYPED_OPTIONS: readonly TypedOption[] = [
  typed(3, "routers", addressList),
  typed(6, "domainNameServers", addressList),
  typed(7, "logServers", addressList),
  typed(15, "domainName", utf8),
  typed(17, "rootPath", utf8),
  typed(26, "interfaceMtu", (mtu) => unsigned(mtu, 2)),
  typed(28, "broadcastAddress", (address) => addressList([address])),
  typed(42, "ntpServers", addressList),
  typed(43, "vendorOptions", subOptions),
  typed(44, "netbiosNameServers", addressList),
  typed(66, "tftpServerName", utf8),
  typed(67, "bootFileName", utf8),
  typed(100, "posixTimeZone", utf8),
  typed(101, "tzdbTimeZone", utf8),
  typed(108, "ipv6OnlyWaitSeconds", (wait) => unsigned(wait, 4)),
  typed(114, "captivePortalUrl", utf8),
  typed(119, "domainSearch", searchList),
  typed(120, "sipServers", sipServers),
  typed(121, "classlessStaticRoutes", classlessRoutes),
  typed(125, "vendorIdentifyingOptions", vendorIdentifying),
  typed(138, "capwapControllers", addressList),
  typed(150, "tftpServerAddresses", addressList),
  typed(252, "webProxyAutoDiscoveryUrl", utf8),
];

function encodeExtra(extra: ExtraOption, { vendorOptions }: Options): Encoded {
  const { code } = extra;
  if (PROTOCOL_CODES.some((owned) => owned === code)) {
    return { below: ".code", message: `${code}: the protocol itself fills in this option, remove it` };
  }
  if (TYPED_CODES.some((owned) => owned === code)) {
    return {
      below: ".code",
      message: `${code}: this option has a field of its own in options, set it there`,
    };
  }
  if (code === VENDOR_SPECIFIC && vendorOptions !== undefined) {
    return {
      below: ".code",
      message: `${code}: vendorOptions sets this option already, remove one of the two`,
    };
  }
  const encoded = encodeValue(extra);
  if (!(encoded instanceof Uint8Array)) return encoded;
  const fault = lengthFault(code, encoded.length);
  if (fault === null) return encoded;
  return {
    below: ".value",
    message: `${showValue(extra.value)}: option ${code} must be ${fault}, this is ${encoded.length}`,
  };
}

function encodeValue({ type, value }: Pick<ExtraOption, "type" | "value">): Encoded {
  const form = VALUE_FORMS.find((candidate) => candidate.type === type);
  if (form !== undefined && !form.holds(value)) {
    return { below: ".value", message: `${showValue(value)}: must be ${form.form} for type ${type}` };
  }
  switch (type) {
    case "ip":
    case "ipList":
      return addressList(value.split(","));
    case "uint8":
      return unsigned(Number(value), 1);
    case "uint16":
      return unsigned(Number(value), 2);
    case "uint32":
      return unsigned(Number(value), 4);
    case "string":
      return utf8(value);
    case "hex":
      return new Uint8Array(Buffer.from(value, "hex"));
    case "flag":
      return unsigned(value === "true" ? 1 : 0, 1);
    default:
      return type satisfies never;
  }
}

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** Network order. */
function unsigned(value: number, bytes: 1 | 2 | 4): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (value >>> (8 * (bytes - 1 - i))) & 255);
}

function addressBytes(address: Ipv4): Uint8Array {
  return unsigned(address, 4);
}

function addressList(addresses: readonly string[]): Encoded {
  const parts: Uint8Array[] = [];
  for (const [i, address] of addresses.entries()) {
    const parsed = parseIpv4(address);
    if (parsed === null)
      return { below: `[${i}]`, message: `${showValue(address)}: must be an IPv4 address` };
    parts.push(addressBytes(parsed));
  }
  return Buffer.concat(parts);
}

/** Code, length, value, one after the other. RFC 2132 8.4. */
function subOptions(options: readonly SubOption[]): Encoded {
  const parts: Uint8Array[] = [];
  for (const [i, option] of options.entries()) {
    const value = encodeValue(option);
    if (!(value instanceof Uint8Array)) return { below: `[${i}]${value.below}`, message: value.message };
    if (value.length > SUB_OPTION_BYTES_MAX) {
      return {
        below: `[${i}].value`,
        message: `must be at most ${SUB_OPTION_BYTES_MAX} bytes, is ${value.length}`,
      };
    }
    parts.push(Uint8Array.of(option.code, value.length), value);
  }
  return Buffer.concat(parts);
}

/** Enterprise number, length, sub-options, vendor after vendor. RFC 3925 4. */
function vendorIdentifying(vendors: readonly VendorIdentifying[]): Encoded {
  const parts: Uint8Array[] = [];
  for (const [i, { enterprise, options }] of vendors.entries()) {
    const data = subOptions(options);
    if (!(data instanceof Uint8Array)) return { below: `[${i}].options${data.below}`, message: data.message };
    if (data.length > SUB_OPTION_BYTES_MAX) {
      return {
        below: `[${i}].options`,
        message: `must be at most ${SUB_OPTION_BYTES_MAX} bytes together, are ${data.length}`,
      };
    }
    parts.push(unsigned(enterprise, 4), Uint8Array.of(data.length), data);
  }
  return Buffer.concat(parts);
}

/** Encoding byte 1: addresses follow. RFC 3361 3.2. */
function sipServers(addresses: readonly string[]): Encoded {
  const list = addressList(addresses);
  return list instanceof Uint8Array ? Buffer.concat([Uint8Array.of(1), list]) : list;
}

/** Names as in DNS, one after the other; the end of a name that stands there already is a pointer to it. RFC 3397 2. */
function searchList(domains: readonly string[]): Encoded {
  const list = new CompressedNames();
  for (const [i, domain] of domains.entries()) {
    const labels = domain.split(".").map(utf8);
    const tooLong = labels.some((label) => label.length > LABEL_BYTES_MAX);
    const nameBytes = labels.reduce((sum, label) => sum + 1 + label.length, 1);
    if (tooLong || nameBytes > NAME_BYTES_MAX) {
      const message = `${showValue(domain)}: each part between dots must have at most ${LABEL_BYTES_MAX} characters`;
      return { below: `[${i}]`, message };
    }
    list.add(labels);
  }
  return Buffer.concat(list.parts);
}

/** Source: RFC 1035 4.1.4. Offsets count from the start of the option's whole value (RFC 3397 2). */
class CompressedNames {
  readonly parts: Uint8Array[] = [];
  #length = 0;
  /** Where each end of a name stands, by its labels as hex. */
  readonly #offsets = new Map<string, number>();

  add(labels: readonly Uint8Array[]): void {
    for (const [i, label] of labels.entries()) {
      const rest = labels.slice(i).map(toHex).join(".");
      const before = this.#offsets.get(rest);
      if (before !== undefined) return this.#put(Uint8Array.of(POINTER | (before >>> 8), before & 255));
      if (this.#length <= POINTER_OFFSET_MAX) this.#offsets.set(rest, this.#length);
      this.#put(Uint8Array.of(label.length));
      this.#put(label);
    }
    this.#put(Uint8Array.of(0));
  }

  #put(part: Uint8Array): void {
    this.parts.push(part);
    this.#length += part.length;
  }
}

/** RFC 3442: prefix length, the significant bytes of the network, the router. */
function classlessRoutes(routes: readonly ClasslessRoute[]): Encoded {
  const parts: Uint8Array[] = [];
  for (const [i, route] of routes.entries()) {
    const network = parseIpv4Prefix(route.destination);
    const router = parseIpv4(route.router);
    if (network === null || router === null) {
      const below = `[${i}].${network === null ? "destination" : "router"}`;
      return {
        below,
        message: "must be an IPv4 network with all host bits zero, and an IPv4 address as router",
      };
    }
    const significant = Math.ceil(network.prefixLength / 8);
    const networkBytes = addressBytes(network.address).subarray(0, significant);
    parts.push(Uint8Array.of(network.prefixLength), networkBytes, addressBytes(router));
  }
  return Buffer.concat(parts);
}
