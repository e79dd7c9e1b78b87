// A carrier watch for carrier.test.ts: looks once for each line, which says what its clock shows, and prints what it told.

import { createInterface } from "node:readline";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import { CarrierWatch } from "../../../src/dhcp/host/carrier.ts";

const [address = "", ...interfaces] = process.argv.slice(2);
let nowMs = 0;
let told: readonly string[] | null = null;
const watch = new CarrierWatch({
  nowMs: () => nowMs,
  onChange: (lost) => {
    told = lost;
  },
});
for await (const line of createInterface({ input: process.stdin })) {
  nowMs = Number(line);
  told = null;
  watch.look({ address: parseIpv4(address)!, interfaces });
  console.log(JSON.stringify(told));
}
