// Option 81 in a reply: who updates the DNS, and the client's full name as this server sees it.
// Source: RFC 4702 2.1 (flags), 2.2 (RCODEs), 4 (server). This server updates no DNS itself, and says so by the N bit.

import { OPTION } from "../wire/option-table.ts";
import type { OptionValue } from "../wire/options.ts";
import type { ClientRequest } from "./client-request.ts";
import type { ServerScope } from "./prepare-config.ts";
import type { Reservation } from "./reservation-index.ts";

const HEADER_BYTES = 3;
const SERVER_UPDATES = 0x01;
const OVERRIDDEN = 0x02;
const WIRE_FORMAT = 0x04;
const NO_UPDATES = 0x08;
/** "Done or not, ask the DNS": the RCODE fields are out of use. */
const RCODE = 255;
const LABEL_BYTES_MAX = 63;
const NAME_BYTES_MAX = 255;

/** The option to send back; null when the client sent none that is whole. */
export function clientFqdn(
  request: ClientRequest,
  scope: ServerScope,
  reservation: Reservation | null,
): OptionValue | null {
  const sent = request.message.options.get(OPTION.CLIENT_FQDN);
  if (sent === undefined || sent.length < HEADER_BYTES) return null;
  const flags = sent[0] as number;
  const isWire = (flags & WIRE_FORMAT) !== 0;
  const overridden = (flags & SERVER_UPDATES) !== 0 ? OVERRIDDEN : 0;
  const header = [NO_UPDATES | overridden | (flags & WIRE_FORMAT), RCODE, RCODE];
  const name = fullName(sent.subarray(HEADER_BYTES), isWire, scope, reservation);
  return { code: OPTION.CLIENT_FQDN, value: Uint8Array.from([...header, ...name]) };
}

/** The reservation's name, else the client's; a name without a domain gets the scope's, if it has one. */
function fullName(
  sent: Uint8Array,
  isWire: boolean,
  scope: ServerScope,
  reservation: Reservation | null,
): Uint8Array {
  const domainOption = reservation?.options.get(OPTION.DOMAIN_NAME) ?? scope.options.get(OPTION.DOMAIN_NAME);
  const domain = domainOption === undefined ? null : Buffer.from(domainOption).toString("latin1");
  const reserved = reservation?.hostname ?? null;
  if (reserved !== null) return encode(withDomain(reserved, domain), isWire) ?? sent;
  const partial = isWire ? partialWireName(sent) : partialText(sent);
  if (partial === null || domain === null) return sent;
  return encode(`${partial}.${domain}`, isWire) ?? sent;
}

function withDomain(name: string, domain: string | null): string {
  return name.includes(".") || domain === null ? name : `${name}.${domain}`;
}

/** A single label without the root's empty label behind it; null when the name is complete, empty or malformed. */
function partialWireName(sent: Uint8Array): string | null {
  const length = sent[0];
  if (length === undefined || length === 0 || length > LABEL_BYTES_MAX || sent.length !== 1 + length)
    return null;
  const label = Buffer.from(sent.subarray(1)).toString("latin1");
  return label.includes(".") ? null : label;
}

function partialText(sent: Uint8Array): string | null {
  const text = Buffer.from(sent).toString("latin1").replace(/\0+$/, "");
  return text === "" || text.includes(".") ? null : text;
}

/** The name in the client's own format; null when it cannot be written so. */
function encode(name: string, isWire: boolean): Uint8Array | null {
  if (!isWire) return name.length > NAME_BYTES_MAX ? null : new Uint8Array(Buffer.from(name, "latin1"));
  const labels = name.split(".").map((label) => Buffer.from(label, "latin1"));
  if (labels.some((label) => label.length === 0 || label.length > LABEL_BYTES_MAX)) return null;
  const bytes = labels.flatMap((label) => [label.length, ...label]);
  return bytes.length + 1 > NAME_BYTES_MAX ? null : Uint8Array.from([...bytes, 0]);
}
