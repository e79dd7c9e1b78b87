// Whether this machine can do what a configuration asks of a member: has it the addresses, has it the interfaces. Asked
// before a running engine takes the configuration, because a slip of the pen must not close sockets that serve.

import type { CompiledRelationship } from "../../api/compiled.ts";
import { FaultError } from "../../base/fault.ts";
import type { Ipv4 } from "../../base/ipv4.ts";
import { membersOf } from "./engine-outlets.ts";
import { closeSocket, openUdpSocket } from "./socket-open.ts";

/** Why this machine cannot serve as `member` by `config`: ADDRESS_NOT_HERE, INTERFACE_MISSING, CAPABILITY_MISSING or
 *  MEMBER_UNKNOWN; null when nothing stands against it. Ports are not looked at: the engine may hold them itself. */
export function faultOfConfiguration(config: CompiledRelationship, member: string): FaultError | null {
  try {
    const { own } = membersOf(config, member);
    for (const address of new Set([own.address, own.linkAddress])) tryAddress(address, null);
    for (const name of own.interfaces) tryAddress(own.address, name);
    return null;
  } catch (error) {
    if (error instanceof FaultError) return error;
    throw error;
  }
}

/** Opens a socket there, on a port that the kernel chooses, and closes it again. */
function tryAddress(address: Ipv4, name: string | null): void {
  closeSocket(openUdpSocket({ address, port: 0, interface: name }));
}
