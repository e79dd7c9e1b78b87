// A hundred thousand damaged messages, read by our decoders and by Wireshark's dissectors: what both can read, both read alike.
// Wireshark goes on into the values of options and gives up there sooner; where it did, its part is compared.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { formatIpv4 } from "../../src/base/ipv4.ts";
import { elapsedSeconds } from "../../src/dhcp/server/client-request.ts";
import { type DhcpMessage, decodeMessage } from "../../src/dhcp/wire/message.ts";
import { readFrame } from "../../src/dhcp/wire-failover/frame.ts";
import { readOptionList } from "../../src/dhcp/wire-failover/option-list.ts";
import { DECODERS } from "./decoders.ts";
import { Mutator } from "./mutator.ts";
import { writeCapture } from "./pcap.ts";
import { type Dissected, dissect } from "./tshark.ts";

const SEED = Number(process.env["LEASEPAIR_SEED"] ?? "1");
const DHCP_PACKETS = 80_000;
const FAILOVER_FRAMES = 20_000;
const COOKIE_AT = 236;
const skip = unmet("tshark");

const HEADER: Readonly<Record<string, (message: DhcpMessage) => string | number>> = {
  "dhcp.type": ({ op }) => op,
  "dhcp.hw.type": ({ hardwareType }) => `0x${hardwareType.toString(16).padStart(2, "0")}`,
  "dhcp.hw.len": ({ hardwareAddress }) => hardwareAddress.length,
  "dhcp.hops": ({ hops }) => hops,
  "dhcp.id": ({ xid }) => `0x${xid.toString(16).padStart(8, "0")}`,
  "dhcp.secs": ({ secs }) => secs,
  "dhcp.flags": ({ flags }) => `0x${flags.toString(16).padStart(4, "0")}`,
  "dhcp.ip.client": ({ clientAddress }) => formatIpv4(clientAddress),
  "dhcp.ip.your": ({ yourAddress }) => formatIpv4(yourAddress),
  "dhcp.ip.server": ({ nextServer }) => formatIpv4(nextServer),
  "dhcp.ip.relay": ({ relayAddress }) => formatIpv4(relayAddress),
};

function inputs(decoder: string, count: number): readonly Buffer[] {
  const samples = DECODERS.find(({ name }) => name === decoder)?.samples ?? [];
  const mutator = new Mutator(SEED + 1_000, samples);
  return Array.from({ length: count }, () => Buffer.from(mutator.next()));
}

/** Codes of options, without pad and end. */
function codesOf({ fields }: Dissected, field: string): number[] {
  return (fields[field] ?? []).map(Number).filter((code) => code !== 0 && code !== 255);
}

function compareDhcp(bytes: Buffer, theirs: Dissected): string | null {
  const read = decodeMessage(bytes);
  if (read.kind === "malformed") {
    return read.field === "options" && !theirs.isMalformed ? "Wireshark finds nothing wrong" : null;
  }
  const { message } = read;
  for (const [field, value] of Object.entries(HEADER)) {
    const [seen] = theirs.fields[field] ?? [];
    // Wireshark, as our server, takes a large multiple of 256 for seconds with their bytes swapped.
    if (field === "dhcp.secs" && seen === String(elapsedSeconds(message))) continue;
    if (seen !== undefined && seen !== String(value(message)))
      return `${field} is ${value(message)}, not ${seen}`;
  }
  // Without the cookie it is BOOTP, and what follows is the vendor's own. Wireshark looks for options there too.
  if (bytes.readUInt32BE(COOKIE_AT) === 0) return null;
  const [ours, seen] = [new Set(message.options.keys()), new Set(codesOf(theirs, "dhcp.option.type"))];
  const extra = [...seen].filter((code) => !ours.has(code));
  if (extra.length > 0) return `Wireshark sees options ${extra}`;
  const missed = [...ours].filter((code) => !seen.has(code));
  return missed.length > 0 && !theirs.isMalformed ? `Wireshark sees no options ${missed}` : null;
}

test(`seed ${SEED}: ${DHCP_PACKETS} damaged DHCP messages are read as Wireshark reads them`, { skip }, () => {
  const packets = inputs("dhcp", DHCP_PACKETS);
  const capture = writeCapture(
    "udp",
    packets.map((payload) => ({ payload, sourcePort: 68, destinationPort: 67 })),
  );
  const rows = dissect(capture, [...Object.keys(HEADER), "dhcp.option.type"], "udp.port==67,dhcp");
  assert.equal(rows.length, packets.length);
  const different = rows.flatMap((row, i) => {
    const packet = packets[i] as Buffer;
    const difference = compareDhcp(packet, row);
    return difference === null ? [] : [`${difference}: ${packet.toString("hex")}`];
  });
  assert.deepEqual(different.slice(0, 3), [], `${different.length} differ`);
});

test(`seed ${SEED}: ${FAILOVER_FRAMES} damaged failover messages are read as Wireshark reads them`, {
  skip,
}, () => {
  const frames = inputs("failover", FAILOVER_FRAMES);
  // A connection each: none waits for the rest of another one's frame.
  const packets = frames.map((payload, i) => ({ payload, sourcePort: 1024 + i, destinationPort: 647 }));
  const fields = ["dhcpfo.length", "dhcpfo.type", "dhcpfo.poffset", "dhcpfo.xid", "dhcpfo.optioncode"];
  const rows = dissect(writeCapture("tcp", packets), fields, "tcp.port==647,dhcpfo");
  assert.equal(rows.length, frames.length);
  let compared = 0;
  const different = rows.flatMap((row, i) => {
    const frame = frames[i] as Buffer;
    const read = readFrame(frame, 0);
    // Where ours waits for more bytes, or drops the connection, Wireshark may find another frame further on.
    if (read.kind !== "frame" || (row.fields["dhcpfo.length"] ?? []).length !== 1) return [];
    const { type, xid, options } = read.frame;
    const isSound = readOptionList(options).kind !== "malformed";
    compared += 1;
    const ours = [read.bytesConsumed, type, `0x${xid.toString(16).padStart(8, "0")}`].join();
    const theirs = ["dhcpfo.length", "dhcpfo.type", "dhcpfo.xid"]
      .map((field) => row.fields[field]?.[0])
      .join();
    const isAlone = frame.length === read.bytesConsumed;
    const agrees = ours === theirs && !(isSound && isAlone && row.isMalformed);
    return agrees ? [] : [`${ours} sound ${isSound}, and ${theirs}: ${frame.toString("hex")}`];
  });
  assert.deepEqual(different.slice(0, 3), [], `${different.length} differ`);
  assert.ok(compared > FAILOVER_FRAMES / 4, `${compared} compared`);
});
