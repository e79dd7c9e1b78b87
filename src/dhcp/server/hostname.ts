// The host name a client gives itself, cleaned before it is stored, logged or published.
// Source: RFC 2132 3.14 (option 12), RFC 4702 2 (option 81), RFC 952 and 1123 2.1 (letters, digits, hyphens).
// Never lets control characters through; a name emptied by cleaning counts as no name.

import { OPTION } from "../wire/option-table.ts";
import type { Options } from "../wire/options.ts";

const NAME_BYTES_MAX = 253;
const LABEL_BYTES_MAX = 63;
const FQDN_HEADER_BYTES = 3;
/** The E bit of option 81: the name is in DNS wire format. */
const FQDN_WIRE_FORMAT = 0x04;

/** The client's name, from option 81 when it holds one, else option 12; null when there is no usable name. */
export function clientHostname(options: Options): string | null {
  const fqdn = options.get(OPTION.CLIENT_FQDN);
  if (fqdn !== undefined && fqdn.length > FQDN_HEADER_BYTES) {
    const name = fqdn.subarray(FQDN_HEADER_BYTES);
    const cleaned = (fqdn[0] as number) & FQDN_WIRE_FORMAT ? fromLabels(name) : cleanName(ascii(name));
    if (cleaned !== null) return cleaned;
  }
  const hostname = options.get(OPTION.HOST_NAME);
  return hostname === undefined ? null : cleanName(ascii(hostname));
}

/** Lower-case letters, digits, hyphens and dots; everything else is left out. Null when nothing remains. */
export function cleanName(text: string): string | null {
  const labels = text
    .toLowerCase()
    .split(".")
    .map((label) => label.replaceAll(/[^a-z0-9-]/g, "").replaceAll(/^-+|-+$/g, ""))
    .filter((label) => label !== "" && label.length <= LABEL_BYTES_MAX);
  const name = labels.join(".");
  return name === "" || name.length > NAME_BYTES_MAX ? null : name;
}

/** Reads length-prefixed labels; compression pointers are not allowed here and end the name. */
function fromLabels(bytes: Uint8Array): string | null {
  const labels: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at] as number;
    if (length === 0 || length > LABEL_BYTES_MAX || at + 1 + length > bytes.length) break;
    labels.push(ascii(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return cleanName(labels.join("."));
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, NAME_BYTES_MAX + 2));
}
