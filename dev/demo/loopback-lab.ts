// Loopback: no privileges. Members get addresses of 127.0.0.0/8 and ports above 1024, serve no interface, and the
// project's own client speaks to them as a relay would; answers come back to the relay's source port (RFC 8357).

import type { DemoClient, Lab } from "./lab.ts";
import { RelayedClient } from "./relayed-client.ts";

interface LoopbackOptions {
  /** Base for the ports of this run, so that two runs do not meet. */
  readonly basePort: number;
}

/** What an example's documentation address becomes. */
const NETWORKS: Readonly<
  Record<string, { readonly member: string; readonly relay: string; readonly offset: number }>
> = {
  campus: { member: "127.20.0.", relay: "127.20.0.1", offset: 1 },
  lab: { member: "127.30.0.", relay: "127.30.0.1", offset: 2 },
};

interface Manifest {
  kind?: string;
  metadata?: { name?: string };
  spec?: Record<string, unknown>;
}

export function loopbackLab(options: LoopbackOptions): Lab {
  const dhcpPort = options.basePort;
  let clients = 0;
  return {
    kind: "loopback",
    description: "engines on loopback addresses, ports above 1024; the client is the project's own, relayed",
    apiAddress: "127.0.0.1",
    controllerPort: options.basePort + 9,
    engineArgs: ["--dhcp-port", String(dhcpPort)],
    wrapperFor: () => [],
    adapt: (manifest) => adaptScope(adaptRelationship(manifest as Manifest, options.basePort)),
    client: async (name, relationship): Promise<DemoClient> => {
      clients += 1;
      const network = NETWORKS[relationship.name];
      if (network === undefined) throw new Error(`the loopback lab has no network for ${relationship.name}`);
      return new RelayedClient({
        name,
        hardwareAddress: `02:00:00:00:01:0${clients}`,
        relayAddress: network.relay,
        servers: ["11", "12"].map((host) => `${network.member}${host}`),
        port: dhcpPort,
      });
    },
    stop: async () => {},
  };
}

/** Members to loopback, no interfaces, a link port that needs no privilege. */
function adaptRelationship(manifest: Manifest, basePort: number): Manifest {
  if (manifest.kind !== "FailoverRelationship" || manifest.spec === undefined) return manifest;
  const network = NETWORKS[manifest.metadata?.name ?? ""];
  if (network === undefined) return manifest;
  const members = (manifest.spec["members"] as Record<string, unknown>[]).map(
    ({ interfaces: _, ...member }) => ({
      ...member,
      address: String(member["address"]).replace(/^.*\.(\d+)$/, `${network.member}$1`),
      metricsPort: basePort + 10 + network.offset,
    }),
  );
  const link = { ...(manifest.spec["link"] as object | undefined), port: basePort + network.offset };
  return { ...manifest, spec: { ...manifest.spec, members, link } };
}

/** Scopes keep their addresses, and learn the loopback address that their relay has here. */
function adaptScope(manifest: Manifest): Manifest {
  if (manifest.kind !== "DHCPScope" || manifest.spec === undefined) return manifest;
  const reference = manifest.spec["relationshipRef"] as { name?: string } | undefined;
  const network = NETWORKS[reference?.name ?? ""];
  if (network === undefined) return manifest;
  return { ...manifest, spec: { ...manifest.spec, relayAddresses: [network.relay] } };
}
