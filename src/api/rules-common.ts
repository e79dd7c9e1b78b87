// Rules that several kinds share: lease times, networks, DHCP options.

import { parseIpv4, parseIpv4Prefix } from "../base/ipv4.ts";
import type { ExtraOption, ExtraType } from "./dhcp-options.ts";
import type { LeaseTime } from "./lease-time.ts";
import { BROKEN, HOLDS, type Rule, rule, unless } from "./rule.ts";

/** A dotted address as a number in CEL: its ip library knows no order. */
export function celNumber(expression: string): string {
  const octet = (i: number) => `int(${expression}.split('.')[${i}])`;
  return `${octet(0)} * 16777216 + ${octet(1)} * 65536 + ${octet(2)} * 256 + ${octet(3)}`;
}

/** `start` not after `end`. A malformed address is the schema's business. */
export function orderedRangeRule(at: string, message: string): Rule {
  return rule<{ start: string; end?: string }>({
    at,
    cel: `!has(self.end) || !isIP(self.start) || !isIP(self.end) || ${celNumber("self.start")} <= ${celNumber("self.end")}`,
    message,
    fieldPath: ".end",
    check: ({ start, end }) => {
      const first = parseIpv4(start);
      const last = end === undefined ? first : parseIpv4(end);
      return unless(first === null || last === null || first <= last, "end");
    },
  });
}

/** Pairs of lease times that cannot both stand: [lesser, greater, whether equal is allowed]. */
const LEASE_TIME_ORDER = [
  ["minSeconds", "defaultSeconds", true],
  ["defaultSeconds", "maxSeconds", true],
  ["minSeconds", "maxSeconds", true],
  ["renewSeconds", "rebindSeconds", false],
  ["renewSeconds", "defaultSeconds", false],
  ["rebindSeconds", "defaultSeconds", false],
] as const;

/** The order among the lease times that are set. Also used by compile() on the inherited whole. */
export function leaseTimeRules(at: string): readonly Rule[] {
  return LEASE_TIME_ORDER.map(([lesser, greater, orEqual]) =>
    rule<LeaseTime>({
      at,
      cel: `!has(self.${lesser}) || !has(self.${greater}) || self.${lesser} ${orEqual ? "<=" : "<"} self.${greater}`,
      message: `must ${orEqual ? "not be more than" : "be less than"} ${greater}`,
      fieldPath: `.${lesser}`,
      check: (self) => {
        const low = self[lesser];
        const high = self[greater];
        if (low === undefined || high === undefined) return HOLDS;
        return unless(orEqual ? low <= high : low < high, lesser);
      },
    }),
  );
}

/** An IPv4 network without host bits, its prefix length from `min` to `max`. */
export function networkRule(at: string, min: number, max: number): Rule {
  const limits = [
    ...(min > 0 ? [`cidr(self).prefixLength() >= ${min}`] : []),
    ...(max < 32 ? [`cidr(self).prefixLength() <= ${max}`] : []),
  ];
  const isNetwork = "isCIDR(self) && cidr(self).ip().family() == 4 && cidr(self) == cidr(self).masked()";
  return rule<string>({
    at,
    cel: [isNetwork, ...limits].join(" && "),
    message: `must be an IPv4 network with all host bits zero and a prefix length from ${min} to ${max}, such as 192.0.2.0/24`,
    check: (self) => {
      const prefix = parseIpv4Prefix(self);
      return prefix !== null && prefix.prefixLength >= min && prefix.prefixLength <= max ? HOLDS : BROKEN;
    },
  });
}

/** Codes that the server fills in itself, so that no object may set them. Source: RFC 2132, 3011, 3046, 3118, 4039, 4702. */
export const PROTOCOL_CODES = [1, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 80, 81, 82, 90, 118] as const;
/** Codes that have a field of their own in `options`. */
export const TYPED_CODES = [
  3, 6, 7, 15, 17, 26, 28, 42, 44, 66, 67, 100, 101, 108, 114, 119, 120, 121, 125, 138, 150, 252,
] as const;

function codeRule(at: string, codes: readonly number[], message: string): Rule {
  return rule<ExtraOption>({
    at,
    cel: `!(self.code in [${codes.join(", ")}])`,
    message,
    fieldPath: ".code",
    check: (self) => unless(!codes.includes(self.code), "code"),
  });
}

interface ValueForm {
  readonly type: ExtraType;
  readonly cel: string;
  readonly form: string;
  readonly holds: (value: string) => boolean;
}

function decimal(type: ExtraType, max: number): ValueForm {
  const digits = String(max).length - 1;
  return {
    type,
    cel: `self.value.matches('^(0|[1-9][0-9]{0,${digits}})$') && int(self.value) <= ${max}`,
    form: `a decimal number from 0 to ${max}`,
    holds: (value) => new RegExp(`^(0|[1-9][0-9]{0,${digits}})$`).test(value) && Number(value) <= max,
  };
}

const isIpv4 = (value: string) => parseIpv4(value) !== null;

/** How `value` is written for each type of an extra option; `string` takes anything. */
export const VALUE_FORMS: readonly ValueForm[] = [
  {
    type: "ip",
    cel: "isIP(self.value) && ip(self.value).family() == 4",
    form: "one IPv4 address such as 192.0.2.7",
    holds: isIpv4,
  },
  {
    type: "ipList",
    cel: "self.value.split(',').all(a, isIP(a) && ip(a).family() == 4)",
    form: "IPv4 addresses separated by commas without blanks, such as 192.0.2.7,192.0.2.8",
    holds: (value) => value.split(",").every(isIpv4),
  },
  decimal("uint8", 255),
  decimal("uint16", 65535),
  decimal("uint32", 4294967295),
  {
    type: "hex",
    cel: "self.value.matches('^([0-9a-fA-F][0-9a-fA-F])+$')",
    form: "bytes as hex digits without separators, such as 0a1b2c",
    holds: (value) => /^([0-9a-fA-F]{2})+$/.test(value),
  },
  {
    type: "flag",
    cel: "self.value in ['true', 'false']",
    form: 'true or false in quotes, such as "true"',
    holds: (value) => value === "true" || value === "false",
  },
];

function valueRule(at: string, { type, cel, form, holds }: ValueForm): Rule {
  return rule<ExtraOption>({
    at,
    cel: `self.type != '${type}' || (${cel})`,
    message: `must be ${form} for type ${type}`,
    fieldPath: ".value",
    check: (self) => unless(self.type !== type || holds(self.value), "value"),
  });
}

/** MIN_V6ONLY_WAIT. Source: RFC 8925 3.4. */
const IPV6_ONLY_WAIT_MIN = 300;

function ipv6OnlyWaitRule(at: string): Rule {
  return rule<number>({
    at,
    cel: `self == 0 || self >= ${IPV6_ONLY_WAIT_MIN}`,
    message: `must be 0 or at least ${IPV6_ONLY_WAIT_MIN}, the shortest wait that the standard allows`,
    check: (self) => unless(self === 0 || self >= IPV6_ONLY_WAIT_MIN),
  });
}

/** Rules of the `options` of a scope or of scopeDefaults. */
export function optionsRules(at: string): readonly Rule[] {
  return optionsRulesFor(at, VALUE_FORMS);
}

/** The same for one reservation's options. The API server's cost limit leaves no room to split 8,000 lists of
 *  addresses in CEL, so a malformed ipList is found by compile() there. */
export function reservationOptionsRules(at: string): readonly Rule[] {
  return optionsRulesFor(
    at,
    VALUE_FORMS.filter(({ type }) => type !== "ipList"),
  );
}

function optionsRulesFor(at: string, forms: readonly ValueForm[]): readonly Rule[] {
  const extra = `${at}.extra[]`;
  return [
    networkRule(`${at}.classlessStaticRoutes[].destination`, 0, 32),
    ipv6OnlyWaitRule(`${at}.ipv6OnlyWaitSeconds`),
    codeRule(extra, PROTOCOL_CODES, "the protocol itself fills in this option, remove it"),
    codeRule(extra, TYPED_CODES, "this option has a field of its own in options, set it there"),
    ...forms.map((form) => valueRule(extra, form)),
  ];
}
