// Runs inside a network namespace: a relay with its clients, told over standard input which request to send next, one
// JSON object a line. Each request goes to every server named, as a relay with several helpers does; the first fitting
// answer is printed, or null when none came in time.

import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import { fromHex } from "../../src/base/bytes.ts";
import { formatIpv4, type Ipv4, ipv4, parseIpv4 } from "../../src/base/ipv4.ts";
import { BOOTREQUEST, type DhcpMessage, decodeMessage, encodeMessage } from "../../src/dhcp/wire/message.ts";
import { MESSAGE_TYPE_CODE, type MessageType } from "../../src/dhcp/wire/message-type.ts";
import { OPTION } from "../../src/dhcp/wire/option-table.ts";
import { type OptionValue, uint32Value } from "../../src/dhcp/wire/options.ts";

export interface RelayRequest {
  readonly id: number;
  readonly type: MessageType;
  readonly hardwareAddress: string;
  /** Hex; unset: the client has none. */
  readonly clientIdentifier?: string | undefined;
  readonly hostname?: string | undefined;
  /** Option 82, hex; unset: the relay adds none. */
  readonly relayInformation?: string | undefined;
  readonly secs: number;
  readonly to: readonly string[];
  readonly ciaddr?: string;
  readonly requested?: string;
  readonly server?: string;
  /** Message types that end the wait; none: nothing is waited for. */
  readonly answers: readonly MessageType[];
  readonly timeoutMs: number;
}

export interface RelayAnswer {
  readonly id: number;
  readonly answer: {
    readonly type: MessageType;
    readonly address: string;
    readonly server: string;
    readonly leaseSeconds: number;
  } | null;
}

const [relayAddress = ""] = process.argv.slice(2);
const waiting = new Map<number, (message: DhcpMessage) => void>();
const socket = createSocket({ type: "udp4", reuseAddr: true });
socket.on("message", (bytes) => {
  const read = decodeMessage(bytes);
  if (read.kind === "message") waiting.get(read.message.xid)?.(read.message);
});
socket.bind(67, relayAddress, () => {
  createInterface(process.stdin).on("line", (line) => handle(JSON.parse(line) as RelayRequest));
  process.stdout.write("ready\n");
});
process.stdin.on("end", () => process.exit(0));

function handle(request: RelayRequest): void {
  const xid = (process.pid * 65_536 + request.id) >>> 0;
  const bytes = encode(request, xid);
  for (const server of request.to) socket.send(bytes, 67, server);
  const finish = (answer: RelayAnswer["answer"]) => {
    waiting.delete(xid);
    clearTimeout(timer);
    process.stdout.write(`${JSON.stringify({ id: request.id, answer } satisfies RelayAnswer)}\n`);
  };
  const timer = setTimeout(() => finish(null), request.answers.length === 0 ? 0 : request.timeoutMs);
  waiting.set(xid, (message) => {
    const type = message.messageType;
    if (type === null || !request.answers.includes(type)) return;
    const server = formatIpv4(ipv4(uint32Of(message, OPTION.SERVER_IDENTIFIER)));
    const leaseSeconds = uint32Of(message, OPTION.LEASE_TIME);
    finish({ type, address: formatIpv4(message.yourAddress), server, leaseSeconds });
  });
}

function uint32Of(message: DhcpMessage, code: number): number {
  const value = message.options.get(code);
  return value?.length === 4 ? new DataView(value.buffer, value.byteOffset, 4).getUint32(0) : 0;
}

function encode(request: RelayRequest, xid: number): Uint8Array {
  const options: OptionValue[] = [
    { code: OPTION.MESSAGE_TYPE, value: Uint8Array.of(MESSAGE_TYPE_CODE[request.type]) },
  ];
  const add = (code: number, text: string | undefined) => {
    if (text !== undefined) options.push({ code, value: uint32Value(address(text)) });
  };
  const { clientIdentifier, hostname, relayInformation } = request;
  if (clientIdentifier !== undefined)
    options.push({ code: OPTION.CLIENT_IDENTIFIER, value: fromHex(clientIdentifier)! });
  if (hostname !== undefined) options.push({ code: OPTION.HOST_NAME, value: Buffer.from(hostname) });
  add(OPTION.REQUESTED_ADDRESS, request.requested);
  add(OPTION.SERVER_IDENTIFIER, request.server);
  const message = {
    op: BOOTREQUEST,
    hardwareType: 1,
    hops: 1,
    xid,
    secs: request.secs,
    flags: 0,
    clientAddress: address(request.ciaddr ?? "0.0.0.0"),
    yourAddress: ipv4(0),
    nextServer: ipv4(0),
    relayAddress: address(relayAddress),
    hardwareAddress: fromHex(request.hardwareAddress)!,
    sname: null,
    file: null,
    options,
    relayInformation: relayInformation === undefined ? null : fromHex(relayInformation),
  };
  return encodeMessage(message, { datagramBytesMax: null, maySplit: true }).bytes;
}

function address(text: string): Ipv4 {
  return parseIpv4(text) ?? ipv4(0);
}
