// The field schemas that all kinds share: each says in one place what the CRD enforces (pattern, limits, list type)
// and what a person is told. Words follow the Kubernetes API conventions. Never put a rule over several fields here:
// those live in rules-*.ts, as CEL and as TypeScript.

import { z } from "zod";
import { parseIpv4 } from "../base/ipv4.ts";

/** Dotted decimal without leading zeros, which the API server's format `ipv4` alone would let through. */
const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
export const IPV4_PATTERN = new RegExp(`^(${OCTET}\\.){3}${OCTET}$`);
/** RFC 3339 with a possible time of day and offset; whether the day exists, says the format `date-time`. */
const TIME_OF_DAY = "([01][0-9]|2[0-3]):[0-5][0-9]";
export const TIME_PATTERN = new RegExp(
  `^[0-9]{4}-[0-9]{2}-[0-9]{2}T${TIME_OF_DAY}:[0-5][0-9](\\.[0-9]+)?(Z|[+-]${TIME_OF_DAY})$`,
);
export const DNS_LABEL_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const DNS_SUBDOMAIN_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** A host or domain name as DHCP clients take it: letters, digits, hyphens, dots; no dot at either end. */
export const DOMAIN_PATTERN =
  /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$/;
export const INTERFACE_PATTERN = /^[^/\s:]+$/;
export const HARDWARE_ADDRESS_PATTERN = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
export const HEX_PATTERN = /^([0-9a-f]{2})+$/;
export const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

/** What a text field may hold. `form` completes the sentence "must be ...". */
export interface TextForm {
  readonly description: string;
  readonly form: string;
  readonly pattern?: RegExp;
  readonly lengthMin?: number;
  readonly lengthMax: number;
}

/** A string with limits that the API server enforces too; every violation names the allowed form. Like the API server
 *  it counts characters (code points), which is why zod's own length checks are not used. */
export function text({ description, form, pattern, lengthMin = 1, lengthMax }: TextForm) {
  const error = `must be ${form}`;
  const hasLength = (value: string) => {
    const length = [...value].length;
    return length >= lengthMin && length <= lengthMax;
  };
  const bounded = z.string().refine(hasLength, { error, abort: true });
  const limits = { ...(lengthMin > 0 && { minLength: lengthMin }), maxLength: lengthMax };
  return (pattern === undefined ? bounded : bounded.regex(pattern, { error })).meta({
    description,
    ...limits,
  });
}

/** A whole number from `min` to `max`; `unit` is part of the sentence, e.g. "seconds". */
export function integer(min: number, max: number, description: string, unit = "") {
  const error = `must be a whole number from ${min} to ${max}${unit === "" ? "" : ` (${unit})`}`;
  return z
    .int()
    .min(min, { error })
    .max(max, { error })
    .meta({ description, format: max > 0x7fff_ffff ? "int64" : "int32" });
}

/** A duration in whole seconds. */
export function secondsField(min: number, max: number, description: string) {
  return integer(min, max, description, "seconds");
}

export function ipv4Text(description: string) {
  const error = "must be an IPv4 address in dotted decimal without leading zeros, such as 192.0.2.10";
  return z
    .string()
    .refine((value) => parseIpv4(value) !== null, { error })
    .meta({ description, format: "ipv4", maxLength: 15, pattern: IPV4_PATTERN.source });
}

/** `address/length`. That host bits are zero and the length is allowed, says a rule (CEL knows networks, patterns do not). */
export function networkText(description: string) {
  return text({
    description,
    form: "an IPv4 network such as 192.0.2.0/24",
    pattern: /^[0-9.]+\/[0-9]{1,2}$/,
    lengthMax: 18,
  });
}

export function dnsLabel(description: string, lengthMax = 63) {
  return text({
    description,
    form: `lower-case letters, digits and hyphens, at most ${lengthMax} characters, starting and ending with a letter or digit`,
    pattern: DNS_LABEL_PATTERN,
    lengthMax,
  });
}

export function dnsSubdomain(description: string) {
  return text({
    description,
    form: "a Kubernetes object name: lower-case letters, digits, hyphens and dots, at most 253 characters",
    pattern: DNS_SUBDOMAIN_PATTERN,
    lengthMax: 253,
  });
}

export function domainName(description: string) {
  return text({
    description,
    form: "a DNS name such as example.org: letters, digits, hyphens and dots, at most 253 characters, no dot at the end",
    pattern: DOMAIN_PATTERN,
    lengthMax: 253,
  });
}

export function hexText(description: string, bytesMax: number) {
  return text({
    description,
    form: `1 to ${bytesMax} bytes as lower-case hex digits without separators, in quotes, such as "01001122334455"`,
    pattern: HEX_PATTERN,
    lengthMax: 2 * bytesMax,
  });
}

export function digest(description: string) {
  return text({
    description,
    form: "a SHA-256 digest as 64 hex digits",
    pattern: DIGEST_PATTERN,
    lengthMin: 64,
    lengthMax: 64,
  });
}

/** An instant as the API writes it: RFC 3339. */
export function timeText(description: string) {
  const error = "must be a time such as 2026-01-31T15:04:05Z";
  return z
    .string()
    .refine((value) => value.length <= 40 && TIME_PATTERN.test(value) && dayExists(value.slice(0, 10)), {
      error,
    })
    .meta({ description, format: "date-time", pattern: TIME_PATTERN.source, maxLength: 40 });
}

/** `2026-02-30` does not: Date rolls over to March. */
function dayExists(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(date);
}

/** One of a few CamelCase words. */
export function choice<const Words extends readonly [string, ...string[]]>(
  words: Words,
  description: string,
) {
  const error = `must be ${words.length === 1 ? words[0] : `one of ${words.join(", ")}`}`;
  return z.enum(words, { error }).meta({ description });
}

/** How the API merges a list: replaced as a whole, a set of scalars, or a map by the named keys. */
export type ListType = "atomic" | "set" | readonly string[];

/** A list with limits; keys of a map and members of a set must be unique, which parse and API server both check. */
export function list<Item extends z.ZodType>(
  item: Item,
  options: {
    readonly min?: number;
    readonly max: number;
    readonly type: ListType;
    readonly description: string;
  },
) {
  const { min = 0, max, type, description } = options;
  const error = min === max ? `must have exactly ${max} entries` : `must have ${min} to ${max} entries`;
  const bounded = z.array(item).max(max, { error });
  const listMeta =
    typeof type === "string"
      ? { "x-kubernetes-list-type": type }
      : { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [...type] };
  return (min > 0 ? bounded.min(min, { error }) : bounded).meta({ description, ...listMeta });
}

/** A reference to an object of the same namespace by name. */
export function reference(kind: string, description: string) {
  return z
    .strictObject({ name: dnsSubdomain(`Name of the ${kind}, in the same namespace.`) })
    .meta({ description, "x-kubernetes-map-type": "atomic" });
}
