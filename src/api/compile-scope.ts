// One scope by itself: pools, lease times, options, boot fields. Its neighbours are compile.ts's business.

import { broadcastAddress, type Ipv4, type Ipv4Prefix, parseIpv4, parseIpv4Prefix } from "../base/ipv4.ts";
import { seconds } from "../base/units.ts";
import { cutHoles, rangesOverlap, singleAddress } from "./address-ranges.ts";
import { classSetKey, compileBoot } from "./client-class-compile.ts";
import { compileLeaseTime } from "./compile-lease-time.ts";
import type { Fault } from "./compile-reservations.ts";
import type {
  AddressRange,
  CompiledBoot,
  CompiledLeaseTime,
  CompiledOption,
  CompiledScopePolicy,
} from "./compiled.ts";
import type { ExtraOption, Options } from "./dhcp-options.ts";
import type { DHCPScopeSpec } from "./dhcp-scope.ts";
import type { FailoverRelationshipSpec } from "./failover-relationship.ts";
import { showValue } from "./field-error.ts";
import { LEASE_SECONDS_MAX, type LeaseTime } from "./lease-time.ts";
import { encodeOptions, VENDOR_SPECIFIC } from "./option-values.ts";

type ScopeDefaults = FailoverRelationshipSpec["scopeDefaults"];

/** A scope without regard to other objects. */
export interface ScopeAlone {
  readonly subnet: Ipv4Prefix;
  /** Ranges less exclusions, members' addresses, network and broadcast address: part of the shape. */
  readonly shapePools: readonly AddressRange[];
  /** The same by the classes that ranges are limited to (classSetKey); "" for all clients. */
  readonly shapeByClasses: ReadonlyMap<string, readonly AddressRange[]>;
  /** Routers that the scope announces: never leased. */
  readonly routers: readonly Ipv4[];
  readonly lease: CompiledLeaseTime;
  readonly options: readonly CompiledOption[];
  readonly boot: CompiledBoot;
  readonly relayAddresses: readonly Ipv4[];
  readonly policy: CompiledScopePolicy;
}

export type ScopeAloneCompiled =
  | { readonly kind: "ok"; readonly scope: ScopeAlone }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] };

/** `memberAddresses`: addresses and link addresses of both members. */
export function compileScopeAlone(
  spec: DHCPScopeSpec,
  defaults: ScopeDefaults,
  memberAddresses: readonly Ipv4[],
): ScopeAloneCompiled {
  const subnet = parseIpv4Prefix(spec.subnet);
  if (subnet === null) {
    const message = `${showValue(spec.subnet)}: must be an IPv4 network with all host bits zero`;
    return { kind: "refused", faults: [{ reason: "InvalidSubnet", field: "spec.subnet", message }] };
  }
  const ranges = spec.ranges.flatMap(toRange);
  const faults: Fault[] = rangeFaults(spec, ranges);
  const lease = compileLeaseTime(spec.leaseTime, defaults?.leaseTime);
  if (lease.kind === "invalid") {
    for (const { field, message } of lease.errors) {
      faults.push({ reason: "InvalidLeaseTime", field: `spec.leaseTime.${field}`, message });
    }
  }
  const effective = mergeOptions(spec.options, defaults?.options);
  const options = encodeOptions(effective);
  if (options.kind === "invalid") {
    for (const { field, message } of options.errors) {
      faults.push({ reason: "InvalidOption", field: `spec.options.${field}`, message });
    }
  }
  if (faults.length > 0 || lease.kind === "invalid" || options.kind === "invalid")
    return { kind: "refused", faults };
  const holes = [
    ...(spec.exclusions ?? []).flatMap(toRange),
    ...[...memberAddresses, subnet.address, broadcastAddress(subnet)].map(singleAddress),
  ];
  const scope = {
    subnet,
    shapePools: cutHoles(ranges, holes),
    shapeByClasses: rangesByClasses(spec, holes),
    routers: addresses(effective.routers),
    lease: lease.lease,
    options: options.options,
    boot: compileBoot(spec.boot),
    relayAddresses: addresses(spec.relayAddresses).sort((a, b) => a - b),
    policy: compilePolicy(spec, spec.leaseTime?.infinite ?? defaults?.leaseTime?.infinite),
  };
  return { kind: "ok", scope };
}

/** [] when the schema's own checks were passed by: the object was never parsed. */
function toRange(entry: { readonly start: string; readonly end?: string | undefined }): AddressRange[] {
  const start = parseIpv4(entry.start);
  const end = entry.end === undefined ? start : parseIpv4(entry.end);
  return start === null || end === null || start > end ? [] : [{ start, end }];
}

function rangeFaults(spec: DHCPScopeSpec, ranges: readonly AddressRange[]): Fault[] {
  return ranges.flatMap((range, i) => {
    const other = ranges.findIndex((candidate, j) => j < i && rangesOverlap(candidate, range));
    if (other < 0) return [];
    const message = `${showValue(spec.ranges[i]?.start)}: this range overlaps spec.ranges[${other}], join or part them`;
    return [{ reason: "RangesOverlap", field: `spec.ranges[${i}].start`, message }];
  });
}

/** The scope's options over the relationship's; extra options by code. */
function mergeOptions(own: Options | undefined, inherited: Options | undefined): Options {
  const byCode = new Map<number, ExtraOption>();
  for (const extra of [...(inherited?.extra ?? []), ...(own?.extra ?? [])]) byCode.set(extra.code, extra);
  // Option 43 has two ways to be given; the scope's one replaces the inherited one, whichever that is.
  if (own?.vendorOptions !== undefined && !own.extra?.some(isVendorSpecific)) byCode.delete(VENDOR_SPECIFIC);
  const isReplaced = own?.vendorOptions === undefined && own?.extra?.some(isVendorSpecific) === true;
  const set = Object.entries(own ?? {}).filter(([, value]) => value !== undefined);
  const extra = orderLikeOwn([...byCode.values()], own?.extra);
  return { ...inherited, ...(isReplaced && { vendorOptions: undefined }), ...Object.fromEntries(set), extra };
}

function isVendorSpecific({ code }: ExtraOption): boolean {
  return code === VENDOR_SPECIFIC;
}

/** The scope's own extra options first and in its order, so that an error's index points into its list. */
function orderLikeOwn(all: readonly ExtraOption[], own: readonly ExtraOption[] | undefined): ExtraOption[] {
  const ownFirst = own ?? [];
  return [...ownFirst, ...all.filter((extra) => !ownFirst.includes(extra))];
}

function compilePolicy(spec: DHCPScopeSpec, infinite: LeaseTime["infinite"]): CompiledScopePolicy {
  return {
    authoritative: spec.authoritative,
    rapidCommit: spec.rapidCommit === "Enabled",
    subnetSelection: spec.subnetSelection === "Enabled",
    autoConfiguration: spec.autoConfiguration === "Allowed",
    declinedHoldSeconds: seconds(spec.declinedHoldSeconds),
    addressProbe: spec.addressProbe === "Enabled",
    infiniteSeconds: infinite === "Allowed" ? seconds(LEASE_SECONDS_MAX) : null,
  };
}

function rangesByClasses(
  spec: DHCPScopeSpec,
  holes: readonly AddressRange[],
): ReadonlyMap<string, readonly AddressRange[]> {
  const grouped = Map.groupBy(spec.ranges, ({ allowedClasses }) => classSetKey(allowedClasses));
  return new Map([...grouped].map(([key, entries]) => [key, cutHoles(entries.flatMap(toRange), holes)]));
}

function addresses(texts: readonly string[] | undefined): Ipv4[] {
  return (texts ?? []).flatMap((text) => {
    const address = parseIpv4(text);
    return address === null ? [] : [address];
  });
}
