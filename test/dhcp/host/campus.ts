// One small relationship for tests: as YAML, as objects, compiled.

import { compile } from "../../../src/api/compile.ts";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import { readManifests } from "../../../src/api/manifests.ts";

export interface CampusOptions {
  readonly addresses?: readonly [string, string];
  readonly metricsPort?: number;
  readonly linkPort?: number;
  readonly leaseSeconds?: number;
  /** Last byte of the range's end. */
  readonly lastAddress?: number;
}

export function campusYaml(options: CampusOptions = {}): string {
  const [a, b] = options.addresses ?? ["127.0.0.31", "127.0.0.32"];
  const port = options.metricsPort ?? 19_647;
  const lease = options.leaseSeconds ?? 600;
  return `apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  members:
    - { name: a, nodeName: node-1, address: ${a}, metricsPort: ${port} }
    - { name: b, nodeName: node-2, address: ${b}, metricsPort: ${port} }
  maxClientLeadTimeSeconds: 60
  link: { port: ${options.linkPort ?? 16_470} }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: users, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.20.0.0/24
  leaseTime: { defaultSeconds: ${lease}, maxSeconds: ${lease} }
  relayAddresses: [127.0.0.1]
  ranges:
    - { start: 10.20.0.100, end: 10.20.0.${options.lastAddress ?? 199} }
`;
}

export function compiledCampus(options: CampusOptions = {}): CompiledRelationship {
  const { objects, errors } = readManifests([{ file: "campus.yaml", text: campusYaml(options) }]);
  const result = compile(objects, "default", "campus");
  if (result.kind !== "compiled") throw new Error(JSON.stringify([errors, result.rejections]));
  return result.config;
}
