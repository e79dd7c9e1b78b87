// One member of a FailoverRelationship: one of our own engines on a node, or a server elsewhere that speaks the protocol.
// Rules over its fields: rules-members.ts.

import { z } from "zod";
import type { Dialect } from "./compiled.ts";
import {
  choice,
  dnsLabel,
  dnsSubdomain,
  INTERFACE_PATTERN,
  integer,
  ipv4Text,
  list,
  text,
} from "./fields.ts";

export const MEMBER_NAME_MAX = 15;

export const DIALECTS = ["ISC", "Leasepair"] as const satisfies readonly Dialect[];

const RELATIONSHIP_NAME_TEXT = /^[!-~]+$/;

const externalSchema = z.strictObject({
  dialect: choice(
    DIALECTS,
    "How the partner speaks. ISC: an ISC dhcpd 4.4; the link is then neither encrypted nor authenticated, as dhcpd knows nothing else. Leasepair: another Leasepair engine, in another cluster or on a plain host.",
  ),
  address: ipv4Text(
    "IPv4 address at which the partner listens for the failover link and from which it connects. No address translation may lie between the two.",
  ),
  port: integer(1, 65535, "TCP port of the partner, 1 to 65535. Unset: as spec.link.port.").optional(),
  relationshipName: text({
    description:
      "Name of the relationship as the partner knows it: with dialect ISC what stands after `failover peer` in dhcpd.conf, with Leasepair NAMESPACE/NAME. Unset: NAMESPACE/NAME of this relationship.",
    form: "at most 128 printable characters without white space",
    pattern: RELATIONSHIP_NAME_TEXT,
    lengthMax: 128,
  }).optional(),
});

export const memberSchema = z.strictObject({
  name: dnsLabel(
    'The member\'s own name, such as "a". Not a role: primary says who is primary. At most 15 characters.',
    MEMBER_NAME_MAX,
  ),
  nodeName: dnsSubdomain(
    "Name of the node on which this member runs; needed unless external. The two members need different nodes.",
  ).optional(),
  address: ipv4Text(
    "IPv4 address of the node under which clients and relays reach this member: relays send to it, and it is the server identifier (option 54). Must be configured on the node. Needed unless external.",
  ).optional(),
  linkAddress: ipv4Text(
    "IPv4 address of the node for the failover link to the partner, where it differs from address. Unset: address.",
  ).optional(),
  interfaces: list(
    text({
      description: "Name of a network interface, at most 15 characters.",
      form: "an interface name: at most 15 characters, no slash, colon or white space",
      pattern: INTERFACE_PATTERN,
      lengthMax: 15,
    }),
    {
      max: 16,
      type: "set",
      description:
        "Interfaces of the node on which this member answers clients of its own segments. Unset or empty: it answers relayed requests only. Never all interfaces by default.",
    },
  ).optional(),
  external: externalSchema
    .optional()
    .meta({ description: "A partner that runs elsewhere, not started by this relationship's controller." }),
  metricsPort: integer(1, 65535, "TCP port on address for metrics and health, 1 to 65535.").default(9647),
});

export type RelationshipMember = z.output<typeof memberSchema>;
