// Starts a TCP server on one address of the member, the same way for everything that listens here.

import type { AddressInfo, Server } from "node:net";
import { formatIpv4, type Ipv4 } from "../../base/ipv4.ts";
import { bindFault } from "./socket-open.ts";

export interface Endpoint {
  readonly address: Ipv4;
  /** 0 = any free one. */
  readonly port: number;
}

/** Resolves once `server` listens. Rejects with FaultError: ADDRESS_IN_USE, ADDRESS_NOT_HERE, CAPABILITY_MISSING. */
export function listenOn(server: Server, { address, port }: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      reject(bindFault("tcp", { address, port, interface: null }, error.code ?? error.message));
    };
    server.once("error", onError);
    server.listen({ host: formatIpv4(address), port, exclusive: true }, () => {
      server.off("error", onError);
      // Running out of descriptors while accepting must not end the process; whoever knocked tries again.
      server.on("error", () => {});
      resolve();
    });
  });
}

/** The port really listened on; 0 while it does not listen. */
export function listeningPort(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0;
}
