// Two answers to one message, field by field. Addresses are compared by their part (lease, offer, reserved, another one of the
// ranges of a network), because each server gives out its own.

import { RANGES, RESERVED } from "./configuration.ts";
import type { Step } from "./exchanges.ts";
import { type Answer, addressBytes, hexAddress } from "./packet.ts";

/** What one server did. */
export interface Observed {
  /** Null for silence; a text when the bytes are no answer at all. */
  readonly answer: Answer | string | null;
  /** The server's own address. */
  readonly server: string;
  /** What the server had leased and offered to this client before. */
  readonly lease: string | null;
  readonly offer: string | null;
  /** What the client may take at most, in bytes with all headers; null when it did not say. */
  readonly sizeMax: number | null;
  /** Where the answer was sent to, address and port. */
  readonly to: string;
}

export interface Difference {
  readonly what: string;
  /** "answer", a header field, "option N", "order", "faults", "size". */
  readonly field: string;
  readonly ours: string;
  readonly theirs: string;
  readonly type: string;
  /** Codes of the options that we sent. */
  readonly ourCodes: readonly number[];
}

const TYPES: Readonly<Record<string, string>> = { "02": "OFFER", "05": "ACK", "06": "NAK" };

export function answerType({ answer }: Observed): string {
  if (answer === null) return "silence";
  if (typeof answer === "string") return "garbage";
  const type = answer.options.get(53);
  return type === undefined ? "BOOTREPLY" : (TYPES[type] ?? `type ${type}`);
}

/** Everything in which they differ; empty when they agree. Where one is silent, or they differ in type, that is all. */
export function differences(step: Step, own: Observed, peer: Observed): readonly Difference[] {
  const [ours, theirs] = [answerType(own), answerType(peer)];
  const type = `${ours}/${theirs}`;
  if (ours !== theirs) return [{ what: step.what, field: "answer", ours, theirs, type, ourCodes: [] }];
  if (own.answer === null || typeof own.answer === "string") return [];
  const [mine, other] = [describe(own, step), describe(peer, step)];
  const about = { what: step.what, type: ours, ourCodes: own.answer.order };
  const found: Difference[] = [];
  for (const field of new Set([...mine.keys(), ...other.keys()])) {
    const [a, b] = [mine.get(field) ?? "absent", other.get(field) ?? "absent"];
    if (a !== b) found.push({ ...about, field, ours: a, theirs: b });
  }
  const order = orderDifference(step, own.answer, peer.answer as Answer);
  return order === null ? found : [...found, { ...about, ...order }];
}

function describe(observed: Observed, step: Step): Map<string, string> {
  const answer = observed.answer as Answer;
  const fields = new Map<string, string>();
  for (const field of ["op", "htype", "hlen", "hops", "xid", "secs", "flags", "giaddr", "chaddr"] as const)
    fields.set(field, String(answer[field]));
  for (const field of ["ciaddr", "yiaddr", "siaddr"] as const)
    fields.set(field, nameOf(answer[field], observed));
  fields.set("destination", observed.to);
  fields.set("sname", textOf(answer.sname));
  fields.set("file", textOf(answer.file));
  const size = observed.sizeMax ?? 576;
  // Option 82 comes on top: the relay takes it off.
  const relayBytes = answer.options.get(82) === undefined ? 0 : 2 + (answer.options.get(82) ?? "").length / 2;
  fields.set(
    "size",
    answer.bytes + 28 - relayBytes > Math.max(576, size) ? "more than the client takes" : "fits",
  );
  fields.set("faults", answer.faults.join(", "));
  const last = answer.options.has(82) && answer.lastOption !== 82 ? "not last" : "last";
  if (step.relayInformation !== null) fields.set("option 82 position", last);
  for (const [code, hex] of answer.options) fields.set(`option ${code}`, valueText(code, hex, observed));
  return fields;
}

function textOf(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1");
}

function valueText(code: number, hex: string, observed: Observed): string {
  // On a shared network each server picks the subnet; the router must be that subnet's.
  if (code === 3 && hex.length === 8) {
    const { yiaddr, ciaddr } = observed.answer as Answer;
    const subnet = (yiaddr === "0.0.0.0" ? ciaddr : yiaddr).split(".").slice(0, 2).join(".");
    return hexAddress(hex) === `${subnet}.0.1` ? "router" : hexAddress(hex);
  }
  if (code === 54 && hex.length === 8)
    return hexAddress(hex) === observed.server ? "server" : hexAddress(hex);
  return [51, 58, 59].includes(code) ? String(Number.parseInt(hex, 16)) : hex;
}

/** The part that an address plays. */
export function nameOf(address: string, observed: Observed): string {
  if (address === "0.0.0.0") return "none";
  if (address === observed.server) return "server";
  if (Object.values(RESERVED).some((reserved) => reserved.address === address)) return address;
  if (address === observed.lease) return "lease";
  if (address === observed.offer) return "offer";
  const value = toNumber(address);
  const range = RANGES.find(({ start, end }) => toNumber(start) <= value && value <= toNumber(end));
  return range === undefined ? address : `one of ${range.network}`;
}

function toNumber(address: string): number {
  return addressBytes(address).reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The order of the options that the client asked for and both sent. */
function orderDifference(
  step: Step,
  own: Answer,
  peer: Answer,
): Pick<Difference, "field" | "ours" | "theirs"> | null {
  const list = step.options.find(({ code }) => code === 55)?.hex;
  if (list === undefined) return null;
  const wanted = new Set(Buffer.from(list, "hex"));
  const both = (one: Answer, other: Answer) =>
    one.order.filter((code) => wanted.has(code) && other.options.has(code)).join(" ");
  const [ours, theirs] = [both(own, peer), both(peer, own)];
  return ours === theirs ? null : { field: "order", ours, theirs };
}
