// A capture file of raw IPv4 packets, for judges that read such files. Source: libpcap file format, RFC 791, RFC 768, RFC 9293.

const LINKTYPE_RAW = 101;
const UDP = 17;
const TCP = 6;

export interface Captured {
  readonly payload: Buffer;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Each payload in a packet of its own, one per second; checksums are left 0, which says that there are none, or is not looked at. */
export function writeCapture(protocol: "udp" | "tcp", packets: Iterable<Captured>): Buffer {
  const file = Buffer.alloc(24);
  file.writeUInt32LE(0xa1b2c3d4, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(65_535, 16);
  file.writeUInt32LE(LINKTYPE_RAW, 20);
  const parts: Buffer[] = [file];
  let second = 0;
  for (const packet of packets) {
    const bytes = protocol === "udp" ? ipv4(UDP, udp(packet)) : ipv4(TCP, tcp(packet));
    const header = Buffer.alloc(16);
    header.writeUInt32LE(second++, 0);
    header.writeUInt32LE(bytes.length, 8);
    header.writeUInt32LE(bytes.length, 12);
    parts.push(header, bytes);
  }
  return Buffer.concat(parts);
}

function ipv4(protocol: number, content: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.set([0x45, 0]);
  header.writeUInt16BE(20 + content.length, 2);
  header.set([64, protocol], 8);
  header.set([10, 0, 0, 1, 10, 0, 0, 2], 12);
  return Buffer.concat([header, content]);
}

function udp({ payload, sourcePort, destinationPort }: Captured): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return Buffer.concat([header, payload]);
}

function tcp({ payload, sourcePort, destinationPort }: Captured): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt32BE(1, 4);
  header.set([0x50, 0x18, 0xff, 0xff], 12);
  return Buffer.concat([header, payload]);
}
