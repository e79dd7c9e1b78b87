// A compiled relationship for tests: two members, everything else at its default unless said otherwise.

import { type CompiledMember, type CompiledRelationship, NO_LIMITS } from "../../src/api/compiled.ts";
import { type Ipv4, parseIpv4 } from "../../src/base/ipv4.ts";
import { seconds } from "../../src/base/units.ts";

export function compiledMember(name: string, address: string | Ipv4): CompiledMember {
  const own = typeof address === "string" ? parseIpv4(address)! : address;
  return {
    name,
    nodeName: `node-${name}`,
    address: own,
    linkAddress: own,
    interfaces: [],
    metricsPort: 9647,
    external: null,
  };
}

export function compiledRelationship(changes: Partial<CompiledRelationship>): CompiledRelationship {
  return {
    namespace: "net",
    name: "campus",
    uid: null,
    mode: "LoadBalance",
    primary: "a",
    members: [compiledMember("a", "192.0.2.1"), compiledMember("b", "192.0.2.2")],
    mcltSeconds: seconds(3600),
    maxSeconds: seconds(3),
    primaryPercent: 50,
    reservePercent: 5,
    linkPort: 647,
    fencing: "None",
    automatic: "Disabled",
    afterSeconds: seconds(300),
    limits: NO_LIMITS,
    clientClasses: [],
    leasequeryFrom: [],
    excludedAddresses: [],
    scopes: [],
    revision: "a".repeat(64),
    shape: "b".repeat(64),
    ...changes,
  };
}
