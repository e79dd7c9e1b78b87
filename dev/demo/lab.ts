// Where the demo's engines and clients live. Two kinds: network namespaces with bridges and a real DHCP client (as root),
// or loopback addresses with the project's own relayed client. The story above them is the same.

import type { CompiledRelationship } from "../../src/api/compiled.ts";

/** What one answered exchange showed the client. */
export interface ClientLease {
  readonly address: string;
  readonly seconds: number;
  /** Option 54: which member answered. */
  readonly server: string;
}

/** A DHCP client that keeps its identity over a demo. */
export interface DemoClient {
  readonly name: string;
  readonly hardwareAddress: string;
  /** From nothing to a lease. Fails when none comes in time. */
  acquire(timeoutMs: number): Promise<ClientLease>;
  /** Renews now, as SIGUSR1 makes udhcpc do, until somebody answers (rebinding when its server is silent). */
  renew(timeoutMs: number): Promise<ClientLease>;
  stop(): Promise<void>;
}

export interface Lab {
  readonly kind: "namespaces" | "loopback";
  /** One line for the reader: how packets travel in this run. */
  readonly description: string;
  /** Where the embedded API listens, so that engines reach it. */
  readonly apiAddress: string;
  /** TCP port of the controller's metrics, on the API's address. */
  readonly controllerPort: number;
  /** Arguments that every engine gets besides those of its pod. */
  readonly engineArgs: readonly string[];
  /** What to put before a command of a pod on this node, e.g. to enter its namespace. */
  wrapperFor(node: string): readonly string[];
  /** Makes an example's objects fit this lab; the identity in the namespace lab. */
  adapt(manifest: unknown): unknown;
  client(name: string, relationship: Pick<CompiledRelationship, "name">): Promise<DemoClient>;
  stop(): Promise<void>;
}
