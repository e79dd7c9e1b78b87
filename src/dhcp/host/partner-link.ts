// The failover link's TCP connections: listens on the member's link address (never a wildcard), dials from it, and
// talks to nobody but the partner's link address. Bytes are carried, not read. Source: failover draft 6.
// Whatever is not read or sent is bounded: a connection whose peer stops reading is broken off.

import * as net from "node:net";
import { formatIpv4, type Ipv4 } from "../../base/ipv4.ts";
import type { EngineEvent } from "../engine/event.ts";
import type { ConnectionId, PartnerLink } from "../ports.ts";
import { bindFault } from "./socket-open.ts";

export interface LinkOptions {
  readonly address: Ipv4;
  readonly partnerAddress: Ipv4;
  readonly port: number;
  /** The next id for an accepted connection; shared by all links of a process, so that ids are never reused. */
  readonly nextAcceptedId: () => ConnectionId;
  readonly onEvent: (event: EngineEvent & { readonly connection: ConnectionId }) => void;
  /** Somebody else than the partner connected. */
  readonly onStranger: (address: string) => void;
}

const DIAL_TIMEOUT_MS = 5_000;
/** From the wish to close until the connection is broken off. */
const CLOSE_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 10_000;
/** A full resynchronisation of a million leases stays below; beyond it the partner has stopped reading. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;
/** The engine allows fewer and says why; this only guards the process. */
const ACCEPTED_MAX = 8;

export class TcpPartnerLink implements PartnerLink {
  readonly #options: LinkOptions;
  readonly #connections = new Map<ConnectionId, net.Socket>();
  readonly #server: net.Server;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = ACCEPTED_MAX;
  }

  /** Starts listening. Rejects with FaultError: ADDRESS_IN_USE, ADDRESS_NOT_HERE, CAPABILITY_MISSING. */
  listen(): Promise<void> {
    const { address, port } = this.#options;
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        reject(bindFault("tcp", { address, port, interface: null }, error.code ?? error.message));
      };
      this.#server.once("error", onError);
      this.#server.listen({ host: formatIpv4(address), port, exclusive: true }, () => {
        this.#server.off("error", onError);
        // Running out of descriptors while accepting must not end the process; the partner tries again.
        this.#server.on("error", () => {});
        resolve();
      });
    });
  }

  /** The port really listened on (differs from the option only when that was 0). */
  get port(): number {
    return (this.#server.address() as net.AddressInfo | null)?.port ?? 0;
  }

  #accept(socket: net.Socket): void {
    const from = socket.remoteAddress ?? "unknown";
    if (from !== formatIpv4(this.#options.partnerAddress)) {
      socket.destroy();
      this.#options.onStranger(from);
      return;
    }
    const id = this.#options.nextAcceptedId();
    this.#attend(id, socket);
    this.#options.onEvent({ kind: "link-opened", connection: id, dialed: false });
  }

  dial(connection: ConnectionId): void {
    const { address, partnerAddress, port } = this.#options;
    const socket = net.connect({
      host: formatIpv4(partnerAddress),
      port,
      localAddress: formatIpv4(address),
      noDelay: true,
    });
    this.#attend(connection, socket);
    const timeout = setTimeout(
      () => socket.destroy(new Error("no answer to the connection attempt")),
      DIAL_TIMEOUT_MS,
    );
    socket.once("close", () => clearTimeout(timeout));
    socket.once("connect", () => {
      clearTimeout(timeout);
      this.#options.onEvent({ kind: "link-opened", connection, dialed: true });
    });
  }

  #attend(id: ConnectionId, socket: net.Socket): void {
    this.#connections.set(id, socket);
    let reason = "closed by the partner";
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("data", (bytes: Buffer) =>
      this.#options.onEvent({ kind: "link-bytes", connection: id, bytes }),
    );
    socket.on("error", (error: NodeJS.ErrnoException) => {
      reason = error.message;
    });
    socket.on("close", () => {
      this.#connections.delete(id);
      this.#options.onEvent({ kind: "link-closed", connection: id, reason });
    });
  }

  send(connection: ConnectionId, bytes: Uint8Array): void {
    const socket = this.#connections.get(connection);
    if (socket === undefined || socket.destroyed) return;
    if (socket.writableLength + bytes.length > UNSENT_BYTES_MAX) {
      socket.destroy(new Error("the partner does not read what it is sent"));
      return;
    }
    socket.write(bytes);
  }

  close(connection: ConnectionId): void {
    const socket = this.#connections.get(connection);
    if (socket === undefined) return;
    socket.end();
    const timeout = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    socket.once("close", () => clearTimeout(timeout));
  }

  /** Stops listening and flushes and closes every connection. Resolves when all are gone, at most CLOSE_TIMEOUT_MS later. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (this.#server.listening) this.#server.close(() => resolve());
      else resolve();
    });
    const gone = [...this.#connections].map(([id, socket]) => {
      const end = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      this.close(id);
      return end;
    });
    await Promise.all([closed, ...gone]);
  }
}
