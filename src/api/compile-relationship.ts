// The relationship's own part: members, and the nodes' sockets that it must not share with another relationship.

import { parseIpv4 } from "../base/ipv4.ts";
import type { Fault } from "./compile-reservations.ts";
import type { CompiledExternal, CompiledMember } from "./compiled.ts";
import type { FailoverRelationshipObject } from "./failover-relationship.ts";
import { showValue } from "./field-error.ts";
import { byPrecedence, objectKey } from "./object-order.ts";
import type { RelationshipMember } from "./relationship-member.ts";

export type MembersCompiled =
  | { readonly kind: "ok"; readonly members: readonly [CompiledMember, CompiledMember] }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] };

/** Members in the order of the spec. */
export function compileMembers(relationship: FailoverRelationshipObject): MembersCompiled {
  const faults: Fault[] = [];
  const members = relationship.spec.members.flatMap((member, i) => {
    const { external, name, metricsPort } = member;
    const addressText = member.address ?? external?.address;
    const address = parseIpv4(addressText ?? "");
    const linkAddress = parseIpv4(member.linkAddress ?? addressText ?? "");
    if (address === null || linkAddress === null) {
      const field = `spec.members[${i}].${address === null ? "address" : "linkAddress"}`;
      faults.push({ reason: "InvalidAddress", field, message: "must be an IPv4 address" });
      return [];
    }
    const interfaces = [...(member.interfaces ?? [])].sort();
    const nodeName = member.nodeName ?? "";
    return [
      {
        name,
        nodeName,
        address,
        linkAddress,
        interfaces,
        metricsPort,
        external: external === undefined ? null : compileExternal(relationship, external),
      },
    ];
  });
  const [a, b] = members;
  if (a === undefined || b === undefined || members.length !== 2) {
    if (faults.length === 0) {
      faults.push({
        reason: "InvalidMembers",
        field: "spec.members",
        message: "must have exactly 2 entries",
      });
    }
    return { kind: "refused", faults };
  }
  return { kind: "ok", members: [a, b] };
}

function compileExternal(
  { metadata, spec }: FailoverRelationshipObject,
  { dialect, relationshipName, port }: NonNullable<RelationshipMember["external"]>,
): CompiledExternal {
  return {
    dialect,
    relationshipName: relationshipName ?? `${metadata.namespace}/${metadata.name}`,
    port: port ?? spec.link.port,
  };
}

/** Sockets of one node that an older relationship has already: its members' addresses and interfaces there. */
export function portConflicts(
  relationship: FailoverRelationshipObject,
  all: readonly FailoverRelationshipObject[],
): readonly Fault[] {
  const older = all.filter((other) => other !== relationship && byPrecedence(other, relationship) < 0);
  return relationship.spec.members.flatMap((member, i) =>
    older.flatMap((other) =>
      other.spec.members
        .filter(({ nodeName }) => nodeName !== undefined && nodeName === member.nodeName)
        .flatMap((neighbour) => conflictWith(member, neighbour, `spec.members[${i}]`, objectKey(other))),
    ),
  );
}

function conflictWith(
  member: RelationshipMember,
  other: RelationshipMember,
  path: string,
  owner: string,
): Fault[] {
  const where = `on node ${member.nodeName} by FailoverRelationship ${owner}, which is older; use another one`;
  const taken = [other.address, other.linkAddress ?? other.address];
  const fault = (field: string, value: string): Fault => ({
    reason: "PortConflictOnNode",
    field: `${path}.${field}`,
    message: `${showValue(value)}: is used ${where}`,
  });
  if (member.address !== undefined && taken.includes(member.address)) {
    return [fault("address", member.address)];
  }
  if (member.linkAddress !== undefined && taken.includes(member.linkAddress)) {
    return [fault("linkAddress", member.linkAddress)];
  }
  return (member.interfaces ?? []).flatMap((name, i) =>
    other.interfaces?.includes(name) ? [fault(`interfaces[${i}]`, name)] : [],
  );
}
