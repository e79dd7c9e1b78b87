// A program for tests: serves an interface inside a namespace and answers each datagram the way its first byte says.
// Prints one JSON line when ready and one per datagram.

import { parseIpv4 } from "../../../src/base/ipv4.ts";
import { InterfaceAddresses } from "../../../src/dhcp/host/interfaces.ts";
import { ClientSockets } from "../../../src/dhcp/host/sockets.ts";
import type { Arrival, ReplyRoute } from "../../../src/dhcp/ports.ts";

const memberAddress = parseIpv4(process.argv[2] ?? "")!;
const clientHardwareAddress = Uint8Array.from(
  Buffer.from((process.argv[3] ?? "").replaceAll(":", ""), "hex"),
);
const offered = parseIpv4("10.99.0.77")!;

const ROUTES: Record<string, (arrival: Arrival) => ReplyRoute> = {
  B: () => ({ kind: "broadcast", interface: "lan" }),
  L: () => ({ kind: "link-layer", interface: "lan", hardwareAddress: clientHardwareAddress, to: offered }),
  U: (arrival) => ({ kind: "unicast", to: arrival.source, port: arrival.sourcePort, interface: "lan" }),
};

const sockets = new ClientSockets({
  memberAddress,
  port: 67,
  interfaces: ["lan"],
  addresses: new InterfaceAddresses({ maxAgeMs: 0, nowMs: () => performance.now() }),
  nowMs: () => performance.now(),
  onDatagram: (bytes, arrival) =>
    setImmediate(() => {
      print({ arrival, length: bytes.length });
      const route = ROUTES[String.fromCharCode(bytes[0] ?? 0)]?.(arrival);
      if (route !== undefined) sockets.send(route, bytes);
    }),
  onTrouble: (operation, error) => print({ trouble: operation, error }),
});
print({ ready: true });
process.stdin.on("end", () => sockets.stop());
process.stdin.resume();

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
