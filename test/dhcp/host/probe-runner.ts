// A program for tests: looks for addresses inside a namespace and prints one JSON line per result.
// Arguments: the interface, or "-" for none, then the addresses. Stands still for HELD_MS, when that is set, once it has asked.

import { formatIpv4, parseIpv4 } from "../../../src/base/ipv4.ts";
import { WireProber } from "../../../src/dhcp/host/probe.ts";

const [segment = "-", ...addresses] = process.argv.slice(2);
let open = addresses.length;
const prober = new WireProber({
  onResult: ({ address, answered, hardwareAddress }) => {
    process.stdout.write(`${JSON.stringify({ address: formatIpv4(address), answered, hardwareAddress })}\n`);
    open -= 1;
    if (open === 0) setImmediate(() => prober.stop());
  },
  log: (entry) => process.stdout.write(`${JSON.stringify(entry)}\n`),
});
const heldMs = Number(process.env["HELD_MS"] ?? 0);
for (const address of addresses) prober.probe(parseIpv4(address)!, segment === "-" ? null : segment);
for (const end = performance.now() + heldMs; performance.now() < end; );
