// The rules over the two members of a relationship.

import { parseIpv4 } from "../base/ipv4.ts";
import type { FailoverRelationshipSpec } from "./failover-relationship.ts";
import type { RelationshipMember } from "./relationship-member.ts";
import { HOLDS, type Rule, rule, transitionRule, unless } from "./rule.ts";

/** Every address that a member has. */
function addressesOf(member: RelationshipMember): readonly string[] {
  const { address, linkAddress, external } = member;
  return [address, linkAddress, external?.address].flatMap((one) => one ?? []);
}

/** What a member is reached at, and its address on the link; "" for a member that breaks another rule. */
const CEL_ADDRESS = (i: number) =>
  `(has(self.members[${i}].address) ? self.members[${i}].address : has(self.members[${i}].external) ? self.members[${i}].external.address : '')`;
const CEL_LINK = (i: number) =>
  `(has(self.members[${i}].linkAddress) ? self.members[${i}].linkAddress : ${CEL_ADDRESS(i)})`;

/** A member's address must be one that a host can have. Source: Go net/netip, whose classes CEL's ip library shows. */
function hostAddressRule(at: string): Rule {
  return rule<string>({
    at,
    cel: "!isIP(self) || ip(self).isGlobalUnicast() || ip(self).isLoopback() || ip(self).isLinkLocalUnicast()",
    message: "must be an address that a host can have, not 0.0.0.0, a multicast or the broadcast address",
    check: (self) => {
      const address = parseIpv4(self);
      if (address === null) return HOLDS;
      return unless(address !== 0 && address !== 0xffff_ffff && address >>> 28 !== 0xe);
    },
  });
}

/** Fields that say where a member of our own runs. */
const OWN_FIELDS = ["nodeName", "address", "linkAddress", "interfaces"] as const;

export const MEMBER_RULES: readonly Rule[] = [
  ...(["nodeName", "address"] as const).map((field) =>
    rule<RelationshipMember>({
      at: "spec.members[]",
      cel: `has(self.external) || has(self.${field})`,
      message: `is required for a member without external`,
      fieldPath: `.${field}`,
      check: (member) => unless(member.external !== undefined || member[field] !== undefined, field),
    }),
  ),
  rule<RelationshipMember>({
    at: "spec.members[]",
    cel: `!has(self.external) || !(${OWN_FIELDS.map((field) => `has(self.${field})`).join(" || ")})`,
    message: `must be alone: a member that runs elsewhere has no ${OWN_FIELDS.join(", ")} here`,
    fieldPath: ".external",
    check: (member) =>
      unless(
        member.external === undefined || OWN_FIELDS.every((field) => member[field] === undefined),
        "external",
      ),
  }),
  rule<FailoverRelationshipSpec>({
    at: "spec",
    cel: "self.members.exists(m, !has(m.external))",
    message: "one of the two members must run here: at most one can be external",
    fieldPath: ".members",
    check: ({ members }) =>
      unless(
        members.some(({ external }) => external === undefined),
        "members",
      ),
  }),
  rule<NonNullable<RelationshipMember["external"]>>({
    at: "spec.members[].external",
    cel: "self.dialect != 'Leasepair' || !has(self.relationshipName) || self.relationshipName.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    message: "must be NAMESPACE/NAME with dialect Leasepair, because certificates name it so",
    fieldPath: ".relationshipName",
    check: ({ dialect, relationshipName }) =>
      unless(
        dialect !== "Leasepair" ||
          relationshipName === undefined ||
          /^[a-z0-9]([-a-z0-9]*[a-z0-9])?\/[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(relationshipName),
        "relationshipName",
      ),
  }),
  rule<FailoverRelationshipSpec>({
    at: "spec",
    cel: "!self.members.exists(m, has(m.external)) || !has(self.partnerDown.fencing) || self.partnerDown.fencing != 'Witness'",
    message: "must be None or unset with an external member: it cannot read this cluster's witness",
    fieldPath: ".partnerDown.fencing",
    check: ({ members, partnerDown }) =>
      unless(
        members.every(({ external }) => external === undefined) || partnerDown.fencing !== "Witness",
        "partnerDown",
        "fencing",
      ),
  }),
  rule<FailoverRelationshipSpec>({
    at: "spec",
    cel: "size(self.members) != 2 || !has(self.members[0].nodeName) || !has(self.members[1].nodeName) || self.members[0].nodeName != self.members[1].nodeName",
    message: "the two members must be on different nodes, or one node's failure takes both",
    fieldPath: ".members",
    check: ({ members: [a, b] }) =>
      unless(a?.nodeName === undefined || a.nodeName !== b?.nodeName, "members", 1, "nodeName"),
  }),
  rule<FailoverRelationshipSpec>({
    at: "spec",
    cel: `size(self.members) != 2 || [${CEL_ADDRESS(0)}, ${CEL_LINK(0)}].all(a, a == '' || (a != ${CEL_ADDRESS(1)} && a != ${CEL_LINK(1)}))`,
    message: "the two members must not share an address, neither as address nor as linkAddress",
    fieldPath: ".members",
    check: ({ members: [a, b] }) => {
      if (a === undefined || b === undefined) return HOLDS;
      const taken = addressesOf(a);
      const shared = (
        [
          ["address", b.address],
          ["linkAddress", b.linkAddress],
        ] as const
      ).find(([, address]) => address !== undefined && taken.includes(address));
      if (shared !== undefined) return [["members", 1, shared[0]]];
      const outside = b.external?.address;
      return unless(outside === undefined || !taken.includes(outside), "members", 1, "external", "address");
    },
  }),
  hostAddressRule("spec.members[].address"),
  hostAddressRule("spec.members[].linkAddress"),
  hostAddressRule("spec.members[].external.address"),
  rule<FailoverRelationshipSpec>({
    at: "spec",
    cel: "self.members.all(m, has(m.external) || m.metricsPort != self.link.port || (has(m.linkAddress) && m.linkAddress != m.address))",
    message: "must differ from spec.link.port, as both listen on the same address",
    fieldPath: ".members",
    check: ({ members, link }) =>
      members.flatMap((member, i) =>
        unless(
          member.external !== undefined ||
            member.metricsPort !== link.port ||
            (member.linkAddress ?? member.address) !== member.address,
          "members",
          i,
          "metricsPort",
        ),
      ),
  }),
  // A store belongs to a name: under another one the leases would be nobody's.
  transitionRule<FailoverRelationshipSpec>({
    at: "spec",
    cel: "self.members.all(m, oldSelf.members.exists(o, o.name == m.name))",
    message:
      "members cannot be renamed or exchanged for others; change their fields, or create another relationship",
    fieldPath: ".members",
    check: (spec, before) => {
      const names = before.members.map(({ name }) => name);
      return spec.members.flatMap(({ name }, i) => unless(names.includes(name), "members", i, "name"));
    },
  }),
];
