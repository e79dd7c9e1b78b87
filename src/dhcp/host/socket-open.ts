// Opens the sockets that DHCP needs, and says in plain words why one cannot be opened and what to do about it.

import { networkInterfaces } from "node:os";
import { FaultError } from "../../base/fault.ts";
import { formatIpv4, type Ipv4 } from "../../base/ipv4.ts";
import { interfaceNames } from "./interfaces.ts";
import { call, fixedBuffer, interfaceIndex, LINUX } from "./libc.ts";
import { describePortHolders } from "./port-holder.ts";

/** Enough for some thousand packets while the process is busy elsewhere. The kernel cuts it to its own limit. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export interface UdpSocketOptions {
  readonly address: Ipv4;
  readonly port: number;
  /** Receive from this interface alone; null = from all. */
  readonly interface: string | null;
}

/** A non-blocking UDP socket's descriptor. Throws FaultError: INTERFACE_MISSING, CAPABILITY_MISSING, ADDRESS_IN_USE,
 *  ADDRESS_NOT_HERE or SOCKET_FAILED. */
export function openUdpSocket(options: UdpSocketOptions): number {
  if (options.interface !== null) requireInterface(options.interface);
  const fd = openSocket(LINUX.AF_INET, 0, "a UDP socket");
  try {
    setOption(fd, LINUX.SO_BROADCAST, numberOption(1));
    setOption(fd, LINUX.SO_RCVBUF, numberOption(RECEIVE_BUFFER_BYTES));
    setOption(fd, LINUX.SO_TIMESTAMPNS, numberOption(1));
    if (options.interface !== null) bindToInterface(fd, options.interface);
    bindAddress(fd, options);
    return fd;
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
}

/** A socket that sends IPv4 packets to hardware addresses and receives nothing. Throws FaultError. */
export function openPacketSocket(): number {
  return openSocket(LINUX.AF_PACKET, 0, "a packet socket");
}

export function closeSocket(fd: number): void {
  call("close", fd);
}

/** The local port of a bound UDP socket. */
export function boundPort(fd: number): number {
  const name = fixedBuffer(16);
  const length = fixedBuffer(4);
  length.writeUInt32LE(16);
  call("getsockname", fd, name, length);
  return name.readUInt16BE(2);
}

/** struct sockaddr_in. */
export function internetAddress(address: Ipv4, port: number): Buffer {
  const bytes = fixedBuffer(16);
  bytes.writeUInt16LE(LINUX.AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt32BE(address, 4);
  return bytes;
}

function openSocket(domain: number, protocol: number, what: string): number {
  const type = LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
  const result = call("socket", domain, type, protocol);
  if (result.ok) return result.value;
  if (result.error === "EPERM" || result.error === "EACCES") {
    throw new FaultError(
      "CAPABILITY_MISSING",
      `cannot open ${what}: the capability NET_RAW is missing. Serving local interfaces needs it for replies to clients ` +
        "without an address: run as root, grant the process CAP_NET_RAW, or leave `interfaces` empty and use relays.",
    );
  }
  throw new FaultError("SOCKET_FAILED", `cannot open ${what}: ${result.error}`);
}

function setOption(fd: number, name: number, value: Buffer): void {
  const result = call("setsockopt", fd, LINUX.SOL_SOCKET, name, value, value.length);
  if (!result.ok) throw new FaultError("SOCKET_FAILED", `cannot set socket option ${name}: ${result.error}`);
}

function bindToInterface(fd: number, name: string): void {
  const value = Buffer.from(`${name}\0`);
  const result = call("setsockopt", fd, LINUX.SOL_SOCKET, LINUX.SO_BINDTODEVICE, value, value.length);
  if (result.ok) return;
  if (result.error === "EPERM") {
    throw new FaultError(
      "CAPABILITY_MISSING",
      `cannot bind a socket to interface ${name}: the capability NET_RAW is missing. Run as root or grant it, or leave ` +
        "`interfaces` empty and use relays.",
    );
  }
  throw new FaultError("SOCKET_FAILED", `cannot bind a socket to interface ${name}: ${result.error}`);
}

function bindAddress(fd: number, options: UdpSocketOptions): void {
  const name = internetAddress(options.address, options.port);
  const result = call("bind", fd, name, name.length);
  if (result.ok) return;
  throw bindFault("udp", options, result.error);
}

/** The fault that says why `address:port` could not be bound, who is in the way and what to do. `error` is an errno name. */
export function bindFault(protocol: "udp" | "tcp", options: UdpSocketOptions, error: string): FaultError {
  const on = options.interface === null ? "" : ` on interface ${options.interface}`;
  // Port 0 is any port: then only the address is in question.
  const port = options.port === 0 ? "" : `:${options.port}/${protocol}`;
  const what = `cannot bind ${formatIpv4(options.address)}${port}${on}`;
  switch (error) {
    case "EADDRINUSE": {
      const holders = describePortHolders(protocol, options.address, options.port);
      return new FaultError(
        "ADDRESS_IN_USE",
        `${what}: the port is held by ${holders}. Stop that process, or give the member an address of its own.`,
      );
    }
    case "EACCES":
    case "EPERM":
      return new FaultError(
        "CAPABILITY_MISSING",
        `${what}: the capability NET_BIND_SERVICE is missing. Run as root, grant the process CAP_NET_BIND_SERVICE, or ` +
          "choose ports of 1024 and above (--dhcp-port, spec.link.port).",
      );
    case "EADDRNOTAVAIL":
      return new FaultError(
        "ADDRESS_NOT_HERE",
        `${what}: no interface of this machine has the address ${formatIpv4(options.address)}. It has ` +
          `${localAddresses()}. Correct the member's address, or start this member on its own node.`,
      );
    default:
      return new FaultError("SOCKET_FAILED", `${what}: ${error}`);
  }
}

function requireInterface(name: string): void {
  if (interfaceIndex(name) !== null) return;
  throw new FaultError(
    "INTERFACE_MISSING",
    `interface ${name} does not exist; this machine has ${interfaceNames().join(", ")}. Correct the member's ` +
      "`interfaces`, or create the interface first.",
  );
}

function localAddresses(): string {
  const entries = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const texts = entries.filter((entry) => entry.family === "IPv4").map((entry) => entry.address);
  return texts.length === 0 ? "none" : texts.join(", ");
}

function numberOption(value: number): Buffer {
  const bytes = fixedBuffer(4);
  bytes.writeInt32LE(value);
  return bytes;
}
