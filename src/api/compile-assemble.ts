// The last step of compile(): accepted scopes to the engine's configuration with its digests.

import { type Ipv4Prefix, parseIpv4, parseIpv4Prefix } from "../base/ipv4.ts";
import { Memo } from "../base/memo.ts";
import { seconds } from "../base/units.ts";
import { cutHoles, singleAddress } from "./address-ranges.ts";
import { classPoolsOf } from "./client-class-compile.ts";
import { compileLimits } from "./client-limits.ts";
import type { ReservationBook } from "./compile-reservations.ts";
import type { ScopeAlone } from "./compile-scope.ts";
import type { AddressRange, CompiledClassPool, CompiledRelationship, CompiledScope } from "./compiled.ts";
import type { DHCPScopeObject, DHCPScopeSpec } from "./dhcp-scope.ts";
import { digestOf } from "./digest.ts";
import type { FailoverRelationshipObject } from "./failover-relationship.ts";
import { policyInForce } from "./partner-down.ts";

/** An accepted scope with its reservations. */
export interface ScopeDraft {
  readonly object: DHCPScopeObject;
  readonly alone: ScopeAlone;
  readonly book: ReservationBook;
}

/** A scope as the engine gets it, and the part of it that counts for the shape. */
interface ShapedScope {
  readonly scope: CompiledScope;
  readonly shape: object;
}

/** Of each scope's spec. */
const assembled = new Memo<DHCPScopeSpec, ShapedScope>();

/** `kept`: scopes of the last good configuration that stay in force. */
export function assemble(
  relationship: FailoverRelationshipObject,
  { members, clientClasses }: Pick<CompiledRelationship, "members" | "clientClasses">,
  drafts: readonly ScopeDraft[],
  kept: readonly CompiledScope[],
): CompiledRelationship {
  const { metadata, spec } = relationship;
  const { fencing, automatic, afterSeconds } = policyInForce(relationship);
  const { servedBy, excludedAddresses = [] } = relationship.status?.effective ?? {};
  const shaped = [
    ...drafts.map((draft) => {
      const { object, alone, book } = draft;
      const of = [object.metadata.name, alone, ...book.reservations];
      return assembled.get(object.spec, of, () => ({
        scope: assembleScope(draft),
        shape: shapeOf(alone.subnet, alone.shapePools, classPoolsOf(alone.shapeByClasses)),
      }));
    }),
    // What was cut for reservations is no longer known of these; both engines keep the same, so they still agree.
    ...kept.map((scope) => ({ scope, shape: shapeOf(scope.subnet, scope.pools, scope.classPools) })),
  ].sort((a, b) => a.scope.subnet.address - b.scope.subnet.address);
  const body = {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid ?? null,
    // A Switchover is a share of all or nothing, whatever the mode; both engines follow the same field.
    mode: servedBy === undefined ? spec.mode : "LoadBalance",
    primary: spec.primary,
    members,
    mcltSeconds: seconds(spec.maxClientLeadTimeSeconds),
    maxSeconds: seconds(spec.maxSeconds),
    primaryPercent:
      servedBy === undefined ? spec.loadBalance.primaryPercent : servedBy === spec.primary ? 100 : 0,
    reservePercent: spec.hotStandby.reservePercent,
    linkPort: spec.link.port,
    fencing,
    automatic,
    afterSeconds: seconds(afterSeconds),
    leasequeryFrom: (spec.leasequery?.allowFrom ?? []).flatMap((text) => parseIpv4Prefix(text) ?? []),
    excludedAddresses: excludedAddresses.flatMap((text) => parseIpv4(text) ?? []),
    limits: compileLimits(spec.limits),
    clientClasses,
    scopes: shaped.map(({ scope }) => scope),
  } as const;
  return { ...body, revision: digestOf(body), shape: shapeDigest(body, shaped) };
}

function assembleScope({ object, alone, book }: ScopeDraft): CompiledScope {
  const { spec, metadata } = object;
  const reservations = [...book.reservations].sort((a, b) => a.address - b.address);
  const reserved = reservations.map(({ address }) => address);
  const taken = [...reserved, ...alone.routers].map(singleAddress);
  const byClasses = new Map(
    [...alone.shapeByClasses].map(([key, ranges]) => [key, cutHoles(ranges, taken)] as const),
  );
  return {
    name: metadata.name,
    subnet: alone.subnet,
    sharedNetwork: spec.sharedNetwork ?? null,
    enabled: spec.state === "Enabled",
    pools: byClasses.get("") ?? [],
    allowedClasses: [...(spec.allowedClasses ?? [])].sort(),
    classPools: classPoolsOf(byClasses),
    lease: alone.lease,
    relayAddresses: alone.relayAddresses,
    options: alone.options,
    boot: alone.boot,
    reservations,
    policy: alone.policy,
  };
}

/** `classPools`: which addresses are limited to classes. */
function shapeOf(
  subnet: Ipv4Prefix,
  pools: readonly AddressRange[],
  classPools: readonly CompiledClassPool[],
): object {
  return { subnet, pools, ...(classPools.length > 0 && { classPools }) };
}

/** What both engines must agree on. Reservations and routers are left out: they activate at once on each side, and an
 *  address that only one side still takes for leasable is settled by the binding updates, as every address is. */
function shapeDigest(
  body: Omit<CompiledRelationship, "revision" | "shape">,
  shaped: readonly ShapedScope[],
): string {
  const { mode, primary, primaryPercent, reservePercent, mcltSeconds } = body;
  const share = mode === "LoadBalance" ? primaryPercent : reservePercent;
  const scopes = shaped.map(({ shape }) => shape);
  return digestOf({ mode, primary, share, mcltSeconds, scopes });
}
