// Many datagrams with one system call: the memory that recvmmsg(2) and sendmmsg(2) work on, laid out once.
// struct mmsghdr is 64 bytes on 64-bit Linux: name, namelen, iov, iovlen, control, controllen, flags, then msg_len.

import { assert } from "../../base/assert.ts";
import { addressOf, call, fixedBuffer, LINUX } from "./libc.ts";

const HEADER_BYTES = 64;
const IOVEC_BYTES = 16;
const NAME_BYTES = 32;
const CONTROL_BYTES = 32;

export interface SendReport {
  readonly sent: number;
  /** The kernel's reasons for what was not sent, by errno name. */
  readonly failed: ReadonlyMap<string, number>;
}

/** Room for `capacity` datagrams of up to `bytesMax` bytes each. */
export class MessageBatch {
  readonly #capacity: number;
  readonly #bytesMax: number;
  readonly #headers: Buffer;
  readonly #iovecs: Buffer;
  readonly #names: Buffer;
  readonly #controls: Buffer;
  readonly #data: Buffer;
  #filled = 0;

  constructor(capacity: number, bytesMax: number) {
    this.#capacity = capacity;
    this.#bytesMax = bytesMax;
    this.#headers = fixedBuffer(HEADER_BYTES * capacity);
    this.#iovecs = fixedBuffer(IOVEC_BYTES * capacity);
    this.#names = fixedBuffer(NAME_BYTES * capacity);
    this.#controls = fixedBuffer(CONTROL_BYTES * capacity);
    this.#data = fixedBuffer(bytesMax * capacity);
    for (let i = 0; i < capacity; i++) this.#layOut(i);
  }

  #layOut(i: number): void {
    const header = HEADER_BYTES * i;
    this.#headers.writeBigUInt64LE(addressOf(this.#names) + BigInt(NAME_BYTES * i), header);
    this.#headers.writeBigUInt64LE(addressOf(this.#iovecs) + BigInt(IOVEC_BYTES * i), header + 16);
    this.#headers.writeBigUInt64LE(1n, header + 24);
    this.#headers.writeBigUInt64LE(this.#controlAddress(i), header + 32);
    this.#iovecs.writeBigUInt64LE(addressOf(this.#data) + BigInt(this.#bytesMax * i), IOVEC_BYTES * i);
  }

  #controlAddress(i: number): bigint {
    return addressOf(this.#controls) + BigInt(CONTROL_BYTES * i);
  }

  /** Takes what waits on a non-blocking socket, at most `capacity`. Returns how many; an errno name on failure, with
   *  EAGAIN (nothing there) as 0. */
  receive(fd: number): number | string {
    for (let i = 0; i < this.#capacity; i++) {
      const header = HEADER_BYTES * i;
      this.#headers.writeUInt32LE(NAME_BYTES, header + 8);
      this.#headers.writeBigUInt64LE(BigInt(CONTROL_BYTES), header + 40);
      this.#iovecs.writeBigUInt64LE(BigInt(this.#bytesMax), IOVEC_BYTES * i + 8);
    }
    const result = call("recvmmsg", fd, this.#headers, this.#capacity, LINUX.MSG_DONTWAIT, null);
    if (result.ok) return result.value;
    return result.error === "EAGAIN" || result.error === "EINTR" ? 0 : result.error;
  }

  /** A copy of the i-th received datagram: it stays valid after the next receive. */
  bytes(i: number): Uint8Array {
    const length = this.#headers.readUInt32LE(HEADER_BYTES * i + 56);
    const start = this.#bytesMax * i;
    return Uint8Array.prototype.slice.call(this.#data, start, start + length);
  }

  /** The i-th datagram's sender, a sockaddr of up to 32 bytes. Valid until the next receive. */
  name(i: number): Buffer {
    return this.#names.subarray(NAME_BYTES * i, NAME_BYTES * (i + 1));
  }

  /** When the kernel took the i-th datagram from the wire, in milliseconds since 1970 by the wall clock; null when it does not
   *  say. Source: socket(7), SO_TIMESTAMPNS: a cmsghdr of 16 bytes and a timespec. */
  heardAtWallMs(i: number): number | null {
    const length = this.#headers.readBigUInt64LE(HEADER_BYTES * i + 40);
    const at = CONTROL_BYTES * i;
    const isTimestamp =
      length >= BigInt(CONTROL_BYTES) &&
      this.#controls.readInt32LE(at + 8) === LINUX.SOL_SOCKET &&
      this.#controls.readInt32LE(at + 12) === LINUX.SO_TIMESTAMPNS;
    if (!isTimestamp) return null;
    return (
      Number(this.#controls.readBigInt64LE(at + 16)) * 1000 +
      Number(this.#controls.readBigInt64LE(at + 24)) / 1e6
    );
  }

  get isFull(): boolean {
    return this.#filled === this.#capacity;
  }

  get isEmpty(): boolean {
    return this.#filled === 0;
  }

  /** Adds a datagram to send. `control` is one ready cmsg, or empty. */
  add(name: Uint8Array, payload: Uint8Array, control: Uint8Array): void {
    assert(!this.isFull, "a batch is sent before it overflows");
    assert(payload.length <= this.#bytesMax, "a datagram fits its slot");
    const i = this.#filled++;
    const header = HEADER_BYTES * i;
    this.#names.set(name, NAME_BYTES * i);
    this.#data.set(payload, this.#bytesMax * i);
    this.#controls.set(control, CONTROL_BYTES * i);
    this.#headers.writeUInt32LE(name.length, header + 8);
    this.#iovecs.writeBigUInt64LE(BigInt(payload.length), IOVEC_BYTES * i + 8);
    this.#headers.writeBigUInt64LE(control.length === 0 ? 0n : this.#controlAddress(i), header + 32);
    this.#headers.writeBigUInt64LE(BigInt(control.length), header + 40);
  }

  /** Sends what was added, in order, and empties the batch. What the kernel refuses is skipped and counted. */
  send(fd: number): SendReport {
    const total = this.#filled;
    const failed = new Map<string, number>();
    let next = 0;
    let sent = 0;
    while (next < total) {
      const rest = this.#headers.subarray(HEADER_BYTES * next, HEADER_BYTES * total);
      const result = call("sendmmsg", fd, rest, total - next, LINUX.MSG_DONTWAIT);
      if (result.ok && result.value > 0) {
        next += result.value;
        sent += result.value;
      } else {
        const error = result.ok ? "NOTHING_SENT" : result.error;
        if (error === "EINTR") continue;
        failed.set(error, (failed.get(error) ?? 0) + 1);
        next += 1;
      }
    }
    this.#filled = 0;
    return { sent, failed };
  }
}
