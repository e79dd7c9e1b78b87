// One small pair for end-to-end tests, as objects a user would apply.

import type { KubeObject } from "../../src/kube/resource.ts";

export function pairObjects(maxClientLeadTimeSeconds: number): KubeObject[] {
  const apiVersion = "leasepair.io/v1alpha1";
  return [
    {
      apiVersion,
      kind: "FailoverRelationship",
      metadata: { name: "campus", namespace: "default" },
      spec: {
        mode: "LoadBalance",
        primary: "a",
        members: [
          { name: "a", nodeName: "node-1", address: "10.20.0.11" },
          { name: "b", nodeName: "node-2", address: "10.20.0.12" },
        ],
        maxClientLeadTimeSeconds,
      },
    },
    {
      apiVersion,
      kind: "DHCPScope",
      metadata: { name: "campus-users", namespace: "default" },
      spec: {
        relationshipRef: { name: "campus" },
        subnet: "10.20.0.0/24",
        ranges: [{ start: "10.20.0.100", end: "10.20.0.199" }],
        leaseTime: { defaultSeconds: 300, minSeconds: 60, maxSeconds: 600 },
      },
    },
  ];
}
