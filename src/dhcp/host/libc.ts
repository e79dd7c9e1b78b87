// The C library calls that Node does not offer: raw sockets, batches of datagrams, file locks, CLOCK_BOOTTIME.
// Everything unsafe of the project is in this file and message-batch.ts; memory that the kernel writes to or reads
// from is always an ArrayBuffer that lives outside V8's heap and so never moves.

import { getSystemErrorName } from "node:util";
import koffi from "koffi";

// The handle of the running program: libc is part of it, whatever its file is called.
const library = koffi.load(null);

const functions = {
  socket: library.func("int socket(int domain, int type, int protocol)"),
  bind: library.func("int bind(int fd, void *address, uint32_t length)"),
  getsockname: library.func("int getsockname(int fd, void *address, void *length)"),
  setsockopt: library.func("int setsockopt(int fd, int level, int name, void *value, uint32_t length)"),
  recvmmsg: library.func("int recvmmsg(int fd, void *messages, uint32_t count, int flags, void *timeout)"),
  sendmmsg: library.func("int sendmmsg(int fd, void *messages, uint32_t count, int flags)"),
  close: library.func("int close(int fd)"),
  _exit: library.func("void _exit(int code)"),
  flock: library.func("int flock(int fd, int operation)"),
  adjtimex: library.func("int adjtimex(void *timex)"),
  clock_gettime: library.func("int clock_gettime(int clock, void *time)"),
  capget: library.func("int capget(void *header, void *data)"),
  capset: library.func("int capset(void *header, void *data)"),
  if_nametoindex: library.func("uint32_t if_nametoindex(str name)"),
  mallopt: glibcFunction("int mallopt(int parameter, int value)"),
  malloc_trim: glibcFunction("int malloc_trim(size_t pad)"),
} as const;

/** musl has none of these, and no need of them. */
function glibcFunction(prototype: string): (...args: readonly unknown[]) => unknown {
  try {
    return library.func(prototype);
  } catch {
    return () => 0;
  }
}

export type LibcFunction = keyof typeof functions;

/** The numbers of Linux on x86-64 and arm64 (identical there). */
export const LINUX = {
  AF_INET: 2,
  AF_PACKET: 17,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_BROADCAST: 6,
  SO_RCVBUF: 8,
  SO_BINDTODEVICE: 25,
  SO_TIMESTAMPNS: 35,
  IPPROTO_IP: 0,
  IPPROTO_ICMP: 1,
  IP_PKTINFO: 8,
  MSG_DONTWAIT: 0x40,
  ETH_P_IP: 0x0800,
  ETH_P_ARP: 0x0806,
  CLOCK_BOOTTIME: 7,
  STA_UNSYNC: 0x40,
  LOCK_EX: 2,
  LOCK_NB: 4,
  CAPABILITY_VERSION_3: 0x20080522,
  M_ARENA_MAX: -8,
} as const;

export type CallResult =
  | { readonly ok: true; readonly value: number }
  /** `error` is the errno's name, e.g. EADDRINUSE. */
  | { readonly ok: false; readonly error: string };

/** Calls libc; a result of -1 becomes the name of errno. */
export function call(name: LibcFunction, ...args: readonly unknown[]): CallResult {
  const value = functions[name](...args) as number;
  if (value >= 0) return { ok: true, value };
  return { ok: false, error: getSystemErrorName(-koffi.errno()) };
}

/** Zeroed memory outside V8's heap: its address stays valid for as long as the Buffer is referenced. */
export function fixedBuffer(bytes: number): Buffer {
  return Buffer.from(new ArrayBuffer(bytes));
}

/** The address of memory made by fixedBuffer. */
export function addressOf(buffer: Buffer): bigint {
  return BigInt(koffi.address(buffer));
}

/** The index of a network interface; null when there is none of that name. */
export function interfaceIndex(name: string): number | null {
  const index = functions.if_nametoindex(name) as number;
  return index === 0 ? null : index;
}

/** From now on threads that have no heap of their own yet share `count`. Source: mallopt(3). */
export function limitArenas(count: number): void {
  call("mallopt", LINUX.M_ARENA_MAX, count);
}

/** Gives free memory of all heaps back to the system. Takes a few milliseconds after a start, else less than one.
 *  Source: malloc_trim(3). */
export function trimFreeMemory(): void {
  call("malloc_trim", 0);
}

/** Makes every capability that this thread is permitted effective; threads started later inherit that. In the image the
 *  file capabilities of node are permitted alone, so that a container with fewer may run it. Source: capabilities(7). */
export function takeUpCapabilities(): CallResult {
  const header = fixedBuffer(8);
  header.writeUInt32LE(LINUX.CAPABILITY_VERSION_3, 0);
  // Two halves of { effective, permitted, inheritable }, each a uint32.
  const data = fixedBuffer(24);
  const read = call("capget", header, data);
  if (!read.ok) return read;
  for (const half of [0, 12]) data.copy(data, half, half + 4, half + 8);
  return call("capset", header, data);
}

/** Calls back whenever the descriptor has something to read, until closed. The callback runs outside Node's callback
 *  scope: it may take bytes and call setImmediate, nothing that needs a promise or process.nextTick. */
export function watchReadable(fd: number, onReadable: () => void): { close(): void } {
  return koffi.node.poll(fd, { readable: true }, onReadable);
}
