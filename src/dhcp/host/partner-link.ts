// The failover link's TCP connections: listens on the member's link address (never a wildcard), dials from it, and
// talks to nobody but the partner's link address. Bytes are carried, not read. Source: failover draft 6.
// Whatever is not read or sent is bounded: a connection whose peer stops reading is broken off.

import type * as net from "node:net";
import { formatIpv4 } from "../../base/ipv4.ts";
import type { EngineEvent } from "../engine/event.ts";
import type { ConnectionId, PartnerLink } from "../ports.ts";
import type { LinkTransport } from "./link-transport.ts";
import { type Endpoint, listeningPort, listenOn } from "./listen.ts";

export interface LinkOptions extends Endpoint {
  /** Where the partner listens now, and the one address it connects from. */
  readonly partner: () => Endpoint;
  readonly transport: LinkTransport;
  /** The next id for an accepted connection; shared by all links of a process, so that ids are never reused. */
  readonly nextAcceptedId: () => ConnectionId;
  /** `taken` is to be called when the event's bytes no longer need room: until then the peer is held back. */
  readonly onEvent: (event: EngineEvent & { readonly connection: ConnectionId }, taken?: () => void) => void;
  /** Somebody else than the partner connected. */
  readonly onStranger: (address: string) => void;
}

const DIAL_TIMEOUT_MS = 5_000;
/** From the wish to close until the connection is broken off. */
const CLOSE_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 10_000;
/** Far above what the windows of both sides let be on the way; beyond it the partner has stopped reading. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;
/** So much of one connection waits for the engine at most; the rest waits in the partner's own socket. A turn's worth: a
 *  partner that sends without pause gets its turns, and the clients theirs. */
const UNTAKEN_BYTES_MAX = 64 * 1024;
/** Accepted connections that have not proven to be the partner's; for one more the oldest makes room, so that no number of
 *  mute ones keeps the partner out. */
const UNPROVEN_MAX = 4;
/** Connections that are being closed; for one more the oldest is broken off: the peer may never close its end. */
const CLOSING_MAX = 4;

export class TcpPartnerLink implements PartnerLink {
  readonly #options: LinkOptions;
  readonly #connections = new Map<ConnectionId, net.Socket>();
  /** By the partner's port, which its stream shares; oldest first. */
  readonly #unproven = new Map<net.Socket["remotePort"], net.Socket>();
  /** Oldest first. */
  readonly #closing = new Set<net.Socket>();
  readonly #server: net.Server;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#server = options.transport.createServer(
      (socket) => this.#admits(socket),
      (socket) => this.#accept(socket),
    );
    // No limit of the server's own: it would count what is being closed, and turn away the partner among a crowd. Those admitted
    // are few, and a burst is at most what the kernel lets wait.
  }

  /** Starts listening. Rejects with FaultError: ADDRESS_IN_USE, ADDRESS_NOT_HERE, CAPABILITY_MISSING. */
  listen(): Promise<void> {
    return listenOn(this.#server, this.#options);
  }

  /** The port really listened on (differs from the option only when that was 0). */
  get port(): number {
    return listeningPort(this.#server);
  }

  /** How the link is secured, and until when. */
  get transport(): Pick<LinkTransport, "security" | "expiresAtMs"> {
    return this.#options.transport;
  }

  /** Takes up certificates that changed. Throws FaultError LINK_CERTIFICATE_UNUSABLE; those before stay in use. */
  renew(): void {
    this.#options.transport.renew();
  }

  #admits(socket: net.Socket): boolean {
    const from = socket.remoteAddress ?? "unknown";
    if (from !== formatIpv4(this.#options.partner().address)) {
      this.#options.onStranger(from);
      return false;
    }
    const { remotePort } = socket;
    const [oldest] = this.#unproven;
    if (this.#unproven.size >= UNPROVEN_MAX && oldest !== undefined) {
      this.#unproven.delete(oldest[0]);
      oldest[1].destroy();
    }
    this.#unproven.set(remotePort, socket);
    socket.once("close", () => {
      if (this.#unproven.get(remotePort) === socket) this.#unproven.delete(remotePort);
    });
    return true;
  }

  #accept(socket: net.Socket): void {
    this.#unproven.delete(socket.remotePort);
    const id = this.#options.nextAcceptedId();
    this.#attend(id, socket);
    this.#options.onEvent({ kind: "link-opened", connection: id, dialed: false });
  }

  dial(connection: ConnectionId): void {
    const { address, transport } = this.#options;
    const partner = this.#options.partner();
    const to = {
      host: formatIpv4(partner.address),
      port: partner.port,
      localAddress: formatIpv4(address),
    };
    const socket = transport.dial(to, () => {
      clearTimeout(timeout);
      this.#options.onEvent({ kind: "link-opened", connection, dialed: true });
    });
    this.#attend(connection, socket);
    const timeout = setTimeout(
      () => socket.destroy(new Error("no answer to the connection attempt")),
      DIAL_TIMEOUT_MS,
    );
    socket.once("close", () => clearTimeout(timeout));
  }

  #attend(id: ConnectionId, socket: net.Socket): void {
    this.#connections.set(id, socket);
    let reason = "closed by the partner";
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    let untaken = 0;
    socket.on("data", (bytes: Buffer) => {
      untaken += bytes.length;
      if (untaken >= UNTAKEN_BYTES_MAX) socket.pause();
      this.#options.onEvent({ kind: "link-bytes", connection: id, bytes }, () => {
        untaken -= bytes.length;
        if (untaken < UNTAKEN_BYTES_MAX && socket.isPaused()) socket.resume();
      });
    });
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
    // What one turn says goes in few segments, so that the partner takes it in one turn too, with one sync of its disk.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(bytes);
  }

  close(connection: ConnectionId): void {
    const socket = this.#connections.get(connection);
    if (socket === undefined || this.#closing.has(socket)) return;
    socket.end();
    const [oldest] = this.#closing;
    if (this.#closing.size >= CLOSING_MAX) oldest?.destroy();
    this.#closing.add(socket);
    const timeout = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    socket.once("close", () => {
      clearTimeout(timeout);
      this.#closing.delete(socket);
    });
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
    for (const socket of this.#unproven.values()) socket.destroy();
    await Promise.all([closed, ...gone]);
  }
}
