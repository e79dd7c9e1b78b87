// One large network for load tests, alike for the three servers: 60,000 addresses behind one relay.

import type { LabConfiguration } from "./peer-lab.ts";
import { serverAddress } from "./peer-lab.ts";

const ROUTER = "10.1.0.1";
const LEASE_SECONDS = 3600;
const RANGE = ["10.1.1.0", "10.1.236.255"] as const;

export const LOAD_CONFIGURATION: LabConfiguration = {
  manifests: `apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: peers, namespace: default }
spec:
  mode: HotStandby
  primary: a
  maxClientLeadTimeSeconds: 86400
  members:
    - { name: a, nodeName: node-1, address: ${serverAddress("a")} }
    - { name: b, nodeName: node-2, address: ${serverAddress("b")} }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: load, namespace: default }
spec:
  relationshipRef: { name: peers }
  subnet: 10.1.0.0/16
  leaseTime: { defaultSeconds: ${LEASE_SECONDS}, maxSeconds: ${LEASE_SECONDS} }
  ranges: [{ start: ${RANGE[0]}, end: ${RANGE[1]} }]
  options: { routers: [${ROUTER}] }
`,
  kea: (leases) =>
    JSON.stringify({
      Dhcp4: {
        "interfaces-config": { interfaces: ["eth0"], "dhcp-socket-type": "udp" },
        "lease-database": { type: "memfile", persist: true, name: leases, "lfc-interval": 0 },
        "valid-lifetime": LEASE_SECONDS,
        loggers: [
          { name: "kea-dhcp4", severity: "INFO", output_options: [{ output: "stdout" }] },
          { name: "kea-dhcp4.leases", severity: "WARN", output_options: [{ output: "stdout" }] },
        ],
        subnet4: [
          {
            id: 1,
            subnet: "10.1.0.0/16",
            pools: [{ pool: RANGE.join(" - ") }],
            "option-data": [{ name: "routers", data: ROUTER }],
          },
        ],
      },
    }),
  dhcpd: (link) => `authoritative;
ping-check false;
ddns-update-style none;
default-lease-time ${LEASE_SECONDS};
max-lease-time ${LEASE_SECONDS};
subnet ${link} netmask 255.255.255.0 { }
subnet 10.1.0.0 netmask 255.255.0.0 { range ${RANGE.join(" ")}; option routers ${ROUTER}; }
`,
};
