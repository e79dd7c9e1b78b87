// The rules over several fields of one object, kind by kind. What no single object can show (overlaps, references)
// is judged by compile().

import { parseIpv4, parseIpv4Prefix, prefixContains } from "../base/ipv4.ts";
import type { DHCPScopeSpec } from "./dhcp-scope.ts";
import type { FailoverOperationSpec } from "./failover-operation.ts";
import type { FailoverRelationshipSpec } from "./failover-relationship.ts";
import type { Path } from "./field-error.ts";
import type { KindName } from "./kinds.ts";
import type { Reservation } from "./reservation.ts";
import { HOLDS, immutable, type Rule, rule, unless } from "./rule.ts";
import {
  leaseTimeRules,
  networkRule,
  optionsRules,
  orderedRangeRule,
  reservationOptionsRules,
} from "./rules-common.ts";
import { MEMBER_RULES } from "./rules-members.ts";
import { STORAGE_RULES } from "./storage.ts";

const RELATIONSHIP_RULES: readonly Rule[] = [
  rule<FailoverRelationshipSpec>({
    at: "spec",
    cel: "self.members.exists(m, m.name == self.primary)",
    message: "must be the name of one of spec.members",
    fieldPath: ".primary",
    check: (spec) =>
      unless(
        spec.members.some((member) => member.name === spec.primary),
        "primary",
      ),
  }),
  ...MEMBER_RULES,
  ...STORAGE_RULES,
  rule<FailoverRelationshipSpec["partnerDown"]>({
    at: "spec.partnerDown",
    cel: "!has(self.fencing) || self.fencing != 'None' || !has(self.automatic) || self.automatic != 'Enabled'",
    message: "needs fencing Witness: with None nothing makes a wrong decision safe, so a human must decide",
    fieldPath: ".automatic",
    check: ({ fencing, automatic }) => unless(fencing !== "None" || automatic !== "Enabled", "automatic"),
  }),
  networkRule("spec.leasequery.allowFrom[]", 0, 32),
  ...leaseTimeRules("spec.scopeDefaults.leaseTime"),
  ...leaseTimeRules("spec.clientClasses[].leaseTime"),
  ...reservationOptionsRules("spec.clientClasses[].options"),
  ...optionsRules("spec.scopeDefaults.options"),
];

/** Arguments belong to their type alone. */
function argumentsRule(
  type: FailoverOperationSpec["type"],
  field: "declarePartnerDown" | "switchover" | "testFailover",
): Rule {
  return rule<FailoverOperationSpec>({
    at: "spec",
    cel: `(self.type == '${type}') == has(self.${field})`,
    message: `must be set for type ${type}, and for that type only`,
    fieldPath: `.${field}`,
    check: (spec) => unless((spec.type === type) === (spec[field] !== undefined), field),
  });
}

const OPERATION_RULES: readonly Rule[] = [
  argumentsRule("DeclarePartnerDown", "declarePartnerDown"),
  argumentsRule("Switchover", "switchover"),
  argumentsRule("TestFailover", "testFailover"),
  immutable("spec", "an operation cannot be changed, create another one"),
];

/** An empty relayAgent would be everybody. */
function relayAgentRule(at: string): Rule {
  return rule<NonNullable<Reservation["relayAgent"]>>({
    at: `${at}.relayAgent`,
    cel: "has(self.circuitId) || has(self.remoteId) || has(self.subscriberId)",
    message: "give at least one of circuitId, remoteId and subscriberId",
    check: ({ circuitId, remoteId, subscriberId }) =>
      unless(circuitId !== undefined || remoteId !== undefined || subscriberId !== undefined),
  });
}

/** Exactly one way to tell the client. */
function clientRule(at: string): Rule {
  return rule<Reservation>({
    at,
    cel: "(has(self.hardwareAddress) ? 1 : 0) + (has(self.clientIdentifier) ? 1 : 0) + (has(self.relayAgent) ? 1 : 0) == 1",
    message: "give exactly one of hardwareAddress, clientIdentifier and relayAgent",
    check: ({ hardwareAddress, clientIdentifier, relayAgent }) =>
      unless([hardwareAddress, clientIdentifier, relayAgent].filter((way) => way !== undefined).length === 1),
  });
}

/** The paths of addresses outside the scope's subnet; none when one of them or the subnet is malformed. */
function outside(
  spec: DHCPScopeSpec,
  addresses: readonly (readonly [Path, string | undefined])[],
): readonly Path[] {
  const subnet = parseIpv4Prefix(spec.subnet);
  if (subnet === null) return HOLDS;
  return addresses.flatMap(([path, address]) => {
    const parsed = address === undefined ? null : parseIpv4(address);
    return parsed === null || prefixContains(subnet, parsed) ? [] : [path];
  });
}

/** Both ends of each entry of the list as [path, address]. */
function ends(
  field: string,
  entries: readonly { readonly start: string; readonly end?: string | undefined }[],
) {
  return entries.flatMap((entry, i): (readonly [Path, string | undefined])[] => [
    [[field, i, "start"], entry.start],
    [[field, i, "end"], entry.end],
  ]);
}

const CEL_INSIDE = (address: string) => `(!isIP(${address}) || cidr(self.subnet).containsIP(${address}))`;

const SCOPE_RULES: readonly Rule[] = [
  networkRule("spec.subnet", 8, 30),
  immutable("spec.subnet", "cannot be changed, create another DHCPScope for the new subnet"),
  immutable("spec.relationshipRef", "cannot be changed, create another DHCPScope for the other relationship"),
  orderedRangeRule("spec.ranges[]", "must not be lower than start"),
  orderedRangeRule("spec.exclusions[]", "must not be lower than start"),
  rule<DHCPScopeSpec>({
    at: "spec",
    cel: `!isCIDR(self.subnet) || self.ranges.all(r, ${CEL_INSIDE("r.start")} && ${CEL_INSIDE("r.end")})`,
    message: "must be an address inside spec.subnet",
    fieldPath: ".ranges",
    check: (spec) => outside(spec, ends("ranges", spec.ranges)),
  }),
  rule<DHCPScopeSpec>({
    at: "spec",
    cel: `!isCIDR(self.subnet) || !has(self.exclusions) || self.exclusions.all(r, ${CEL_INSIDE("r.start")} && (!has(r.end) || ${CEL_INSIDE("r.end")}))`,
    message: "must be an address inside spec.subnet",
    fieldPath: ".exclusions",
    check: (spec) => outside(spec, ends("exclusions", spec.exclusions ?? [])),
  }),
  rule<DHCPScopeSpec>({
    at: "spec",
    cel: `!isCIDR(self.subnet) || !has(self.reservations) || self.reservations.all(r, ${CEL_INSIDE("r.address")})`,
    message: "must be an address inside spec.subnet",
    fieldPath: ".reservations",
    check: (spec) =>
      outside(
        spec,
        (spec.reservations ?? []).map((entry, i) => [["reservations", i, "address"], entry.address] as const),
      ),
  }),
  clientRule("spec.reservations[]"),
  relayAgentRule("spec.reservations[]"),
  ...leaseTimeRules("spec.leaseTime"),
  ...optionsRules("spec.options"),
  ...reservationOptionsRules("spec.reservations[].options"),
];

const RESERVATION_SET_RULES: readonly Rule[] = [
  immutable("spec.scopeRef", "cannot be changed, create another DHCPReservationSet for the other scope"),
  clientRule("spec.entries[]"),
  relayAgentRule("spec.entries[]"),
  ...reservationOptionsRules("spec.entries[].options"),
];

export const RULES: Readonly<Record<KindName, readonly Rule[]>> = {
  FailoverRelationship: RELATIONSHIP_RULES,
  FailoverMember: [],
  FailoverOperation: OPERATION_RULES,
  DHCPScope: SCOPE_RULES,
  DHCPReservationSet: RESERVATION_SET_RULES,
};
