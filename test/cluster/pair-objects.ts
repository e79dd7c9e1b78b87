// The pair that most tests on the cluster look at: members a and b on nodes 1 and 2, clients behind the relay, short
// leases, and the link on a network of its own so that link and clients can be cut apart.

import type { Cluster } from "../../dev/cluster/cluster.ts";
import { eventually } from "../../dev/demo/teller.ts";

export const PAIR = "campus";
export const MEMBERS = ["a", "b"] as const;
export type MemberName = (typeof MEMBERS)[number];
export const SERVERS: Readonly<Record<MemberName, string>> = { a: "10.20.0.11", b: "10.20.0.12" };
export const LEASES = { renewSeconds: 5, rebindSeconds: 10 } as const;
export const METRICS_PORT = 9647;
/** PARTNER-DOWN without a human's word, soon after a loss. */
export const AUTOMATIC = { fencing: "Witness", automatic: "Enabled", afterSeconds: 10 } as const;
const NORMAL_MS = 90_000;

/** FailoverRelationship and two DHCPScopes; `spec` is merged into the relationship's, `farEnd` ends the range of the clients
 *  behind the relay, which starts at 10.40.1.0. */
export function pairObjects(
  spec: Readonly<Record<string, unknown>> = {},
  farEnd = "10.40.15.250",
): readonly object[] {
  const apiVersion = "leasepair.io/v1alpha1";
  return [
    {
      apiVersion,
      kind: "FailoverRelationship",
      metadata: { name: PAIR, namespace: "default" },
      spec: {
        mode: "LoadBalance",
        primary: "a",
        members: MEMBERS.map((name, index) => ({
          name,
          nodeName: `node-${index + 1}`,
          address: SERVERS[name],
          linkAddress: `10.30.0.1${index + 1}`,
          interfaces: ["lan0"],
          metricsPort: METRICS_PORT,
        })),
        maxClientLeadTimeSeconds: 60,
        maxSeconds: 2,
        scopeDefaults: { leaseTime: { defaultSeconds: 60, minSeconds: 60, maxSeconds: 60, ...LEASES } },
        ...spec,
      },
    },
    {
      apiVersion,
      kind: "DHCPScope",
      metadata: { name: "far", namespace: "default" },
      spec: {
        relationshipRef: { name: PAIR },
        subnet: "10.40.0.0/20",
        relayAddresses: ["10.40.0.1"],
        ranges: [{ start: "10.40.1.0", end: farEnd }],
      },
    },
    {
      apiVersion,
      kind: "DHCPScope",
      metadata: { name: "local", namespace: "default" },
      spec: {
        relationshipRef: { name: PAIR },
        subnet: "10.20.0.0/24",
        ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
        options: { routers: ["10.20.0.1"] },
      },
    },
  ];
}

/** What a member's engine last reported; empty before its first report. */
export function memberStatus(cluster: Cluster, member: MemberName): Readonly<Record<string, unknown>> {
  const object = cluster.get("failovermember", `${PAIR}-${member}`);
  return (object?.["status"] ?? {}) as Record<string, unknown>;
}

/** The states of both members, for people: "Normal Normal". */
export function states(cluster: Cluster): string {
  const path = "{range .items[*]}{.status.state}{' '}{end}";
  return cluster.kubectl("get", "failovermembers", "--output", `jsonpath=${path}`).trim();
}

/** Waits until both members are NORMAL. */
export async function untilNormal(cluster: Cluster, limitMs = NORMAL_MS): Promise<void> {
  const look = () => states(cluster);
  await eventually("both NORMAL", limitMs, look, (seen) => seen === "Normal Normal");
}

/** The relationship's condition as "True Reason"; empty when it has none of that type. */
export function condition(cluster: Cluster, type: string, name = PAIR): string {
  const path = `{.status.conditions[?(@.type=="${type}")].status} {.status.conditions[?(@.type=="${type}")].reason}`;
  return cluster.kubectl("get", "dhcpfo", name, "--output", `jsonpath=${path}`).trim();
}
