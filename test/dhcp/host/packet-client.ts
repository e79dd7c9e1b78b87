// A program for tests: a client on an interface without address. Broadcasts one datagram from 0.0.0.0:68 as its
// argument says, and prints the IP packet that comes back to port 68 as hex, with its Ethernet destination class.

import { execFileSync } from "node:child_process";
import { IPV4_ANY, IPV4_BROADCAST } from "../../../src/base/ipv4.ts";
import { call, fixedBuffer, interfaceIndex, LINUX } from "../../../src/dhcp/host/libc.ts";
import { MessageBatch } from "../../../src/dhcp/host/message-batch.ts";
import { buildUdpPacket } from "../../../src/dhcp/host/udp-packet.ts";

const payload = Buffer.alloc(300, process.argv[2] ?? "B");
const index = interfaceIndex("lan") ?? 0;
const protocol = LINUX.ETH_P_IP >> 8; // htons
const socket = call("socket", LINUX.AF_PACKET, LINUX.SOCK_DGRAM, protocol);
if (!socket.ok) throw new Error(socket.error);

function linkName(hardwareAddress: readonly number[]): Buffer {
  const name = fixedBuffer(20);
  name.writeUInt16LE(LINUX.AF_PACKET, 0);
  name.writeUInt16BE(LINUX.ETH_P_IP, 2);
  name.writeInt32LE(index, 4);
  name.writeUInt8(hardwareAddress.length, 11);
  name.set(hardwareAddress, 12);
  return name;
}

const bound = call("bind", socket.value, linkName([]), 20);
if (!bound.ok) throw new Error(bound.error);
const out = new MessageBatch(1, 2048);
const packet = buildUdpPacket({
  source: IPV4_ANY,
  sourcePort: 68,
  to: IPV4_BROADCAST,
  toPort: 67,
  payload,
});
out.add(linkName([255, 255, 255, 255, 255, 255]), packet, new Uint8Array(0));
out.send(socket.value);

const incoming = new MessageBatch(8, 2048);
const deadline = performance.now() + 30_000;
for (;;) {
  const count = incoming.receive(socket.value);
  for (let i = 0; i < Number(count); i++) {
    const bytes = Buffer.from(incoming.bytes(i));
    // sockaddr_ll.sll_pkttype: 0 = to us, 1 = broadcast, 4 = our own.
    const packetType = incoming.name(i).readUInt8(10);
    if (packetType !== 4 && bytes.readUInt8(9) === 17 && bytes.readUInt16BE(22) === 68) {
      process.stdout.write(JSON.stringify({ packetType, hex: bytes.toString("hex") }));
      process.exit(0);
    }
  }
  if (performance.now() > deadline) throw new Error(`no reply; ${execFileSync("ip", ["addr"]).toString()}`);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
