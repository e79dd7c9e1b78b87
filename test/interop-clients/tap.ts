// What really goes over a segment: tcpdump on its bridge, read by this test. Real clients tell their states in many ways;
// the wire tells them in one. Source: RFC 2131 table 5 and 4.3.2 (what tells the forms of REQUEST apart).

import type { ChildProcess } from "node:child_process";
import { readUint32, toHex } from "../../src/base/bytes.ts";
import { formatIpv4, type Ipv4 } from "../../src/base/ipv4.ts";
import { type DhcpMessage, decodeMessage } from "../../src/dhcp/wire/message.ts";
import { OPTION } from "../../src/dhcp/wire/option-table.ts";
import { addressOption } from "../../src/dhcp/wire/options.ts";
import { type TestNetwork, until } from "./network.ts";

/** One DHCP message as it went by. Addresses are texts; null where there is none. */
export interface Seen {
  /** When the kernel had it, in seconds. */
  readonly at: number;
  /** DISCOVER, OFFER, ACK and so on; a REQUEST by its form. */
  readonly what: string;
  /** The client's, as 02:00:00:00:00:01. */
  readonly hardwareAddress: string;
  readonly from: string;
  readonly to: string;
  /** Where the Ethernet frame went. */
  readonly frameTo: string;
  readonly sourcePort: number;
  readonly yourAddress: string;
  readonly server: string | null;
  readonly leaseSeconds: number | null;
  /** Option 82 as hex. */
  readonly relayInformation: string | null;
  readonly message: DhcpMessage;
  readonly bytes: Uint8Array;
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

export class Tap {
  readonly seen: Seen[] = [];
  readonly #child: ChildProcess;
  #bytes = Buffer.alloc(0);
  #isHeaderRead = false;
  #errors = "";

  private constructor(network: TestNetwork, namespace: string, link: string) {
    const filter = ["-i", link, "-U", "-w", "-", "udp and (port 67 or port 68)"];
    this.#child = network.start(namespace, ["tcpdump", "-Z", "root", ...filter], null);
    this.#child.stdout?.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#errors += bytes.toString();
    });
  }

  /** Listens on a segment of the switch, or on another namespace's interface. */
  static async open(network: TestNetwork, link: string, namespace = network.sw): Promise<Tap> {
    const tap = new Tap(network, namespace, link);
    await until(
      () => `tcpdump on ${link}: ${tap.#errors}`,
      60_000,
      () => tap.#errors.includes("listening on"),
    );
    return tap;
  }

  /** The first message from number `since` on that fits. */
  async next(
    claim: string,
    limitMs: number,
    fits: (seen: Seen) => boolean,
    since = this.seen.length,
  ): Promise<Seen> {
    const trace = () => `${claim}; seen since:\n${this.seen.slice(since).map(describe).join("\n")}`;
    return until(trace, limitMs, () => this.seen.slice(since).find(fits));
  }

  #take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (!this.#isHeaderRead && this.#bytes.length >= FILE_HEADER_BYTES) {
      this.#isHeaderRead = true;
      this.#bytes = this.#bytes.subarray(FILE_HEADER_BYTES);
    }
    while (this.#isHeaderRead && this.#bytes.length >= RECORD_HEADER_BYTES) {
      const end = RECORD_HEADER_BYTES + this.#bytes.readUInt32LE(8);
      if (this.#bytes.length < end) return;
      const at = this.#bytes.readUInt32LE(0) + this.#bytes.readUInt32LE(4) / 1e6;
      const seen = readFrame(at, this.#bytes.subarray(RECORD_HEADER_BYTES, end));
      if (seen !== null) this.seen.push(seen);
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

export function describe({ what, from, to, hardwareAddress, yourAddress, server }: Seen): string {
  return `  ${from} > ${to} ${what} ${hardwareAddress} yiaddr ${yourAddress} server ${server}`;
}

function colons(bytes: Uint8Array): string {
  return toHex(bytes).replace(/(..)(?=.)/g, "$1:");
}

/** An Ethernet frame with IPv4 and UDP; null for anything that is no DHCP. */
function readFrame(at: number, frame: Buffer): Seen | null {
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0800) return null;
  const udp = 14 + (frame.readUInt8(14) & 0x0f) * 4;
  const payload = frame.subarray(udp + 8, udp + frame.readUInt16BE(udp + 4));
  // The buffer is the tap's: what is kept must be a copy.
  const bytes = Uint8Array.from(payload);
  const read = decodeMessage(bytes);
  if (read.kind !== "message") return null;
  const { message } = read;
  const to = formatIpv4(frame.readUInt32BE(30) as Ipv4);
  const server = addressOption(message.options, OPTION.SERVER_IDENTIFIER);
  const lease = message.options.get(OPTION.LEASE_TIME);
  const information = message.options.get(OPTION.RELAY_AGENT_INFORMATION);
  return {
    at,
    what: message.messageType === "REQUEST" ? formOf(message, to) : (message.messageType ?? "BOOTP"),
    hardwareAddress: colons(message.hardwareAddress),
    from: formatIpv4(frame.readUInt32BE(26) as Ipv4),
    to,
    frameTo: colons(frame.subarray(0, 6)),
    sourcePort: frame.readUInt16BE(udp),
    yourAddress: formatIpv4(message.yourAddress),
    server: server === null ? null : formatIpv4(server),
    leaseSeconds: lease === undefined ? null : readUint32(lease, 0),
    relayInformation: information === undefined ? null : toHex(information),
    message,
    bytes,
  };
}

/** The form of a REQUEST. Source: RFC 2131 4.3.2. */
function formOf({ options, clientAddress, relayAddress }: DhcpMessage, to: string): string {
  if (addressOption(options, OPTION.SERVER_IDENTIFIER) !== null) return "REQUEST selecting";
  if (addressOption(options, OPTION.REQUESTED_ADDRESS) !== null) return "REQUEST init-reboot";
  if (clientAddress === 0) return "REQUEST malformed";
  return to === "255.255.255.255" || relayAddress !== 0 ? "REQUEST rebinding" : "REQUEST renewing";
}
