// What carries the failover link: TLS 1.3 with a certificate on both sides, or TCP in clear, which was chosen or is all
// that the partner speaks. Opens streams to and from the partner; who may connect is the link's affair, whom a
// certificate must speak for is decided here. Source: RFC 8446; docs/adr/0008-link-identity.md.

import * as net from "node:net";
import * as tls from "node:tls";
import { unixSeconds } from "../../base/units.ts";
import { REJECT_REASON } from "../wire-failover/message.ts";
import { writeMessage } from "../wire-failover/write-message.ts";
import type { LinkCertificates } from "./link-certificates.ts";
import { brokenHandshake, type Distrust, distrustOf } from "./link-distrust.ts";

/** How long one that is not believed may take to hear so. */
const GOODBYE_MS = 1_000;

export interface LinkTransport {
  readonly security: "TLS" | "Clear";
  /** When the own certificate ends, milliseconds since 1970; null where there is none. */
  readonly expiresAtMs: number | null;
  /** A server that is not listening yet. `admits` sees each connection first; `onStream` gets those that may speak. */
  createServer(admits: (socket: net.Socket) => boolean, onStream: (socket: net.Socket) => void): net.Server;
  /** Starts to connect; `onStream` is called once bytes may be sent. Failures end in the socket's "close". */
  dial(to: net.TcpNetConnectOpts, onStream: () => void): net.Socket;
  /** Takes up certificates that changed. Throws FaultError LINK_CERTIFICATE_UNUSABLE; those before stay in use. */
  renew(): void;
}

export const CLEAR_TRANSPORT: LinkTransport = {
  security: "Clear",
  expiresAtMs: null,
  createServer: (admits, onStream) => createAdmittingServer(admits, onStream),
  dial: (to, onStream) => net.connect({ ...to, noDelay: true }, onStream),
  renew: () => {},
};

function createAdmittingServer(
  admits: (socket: net.Socket) => boolean,
  onAdmitted: (socket: net.Socket) => void,
): net.Server {
  return net.createServer({ noDelay: true }, (socket) => {
    if (admits(socket)) onAdmitted(socket);
    else socket.destroy();
  });
}

/** Tells whom this end does not believe why, and ends the connection with that. What it sends meanwhile is thrown away, not left unread:
 *  whoever closes over unread bytes takes back what it has said. */
function dismiss(socket: tls.TLSSocket, { message, reason }: Distrust): void {
  const why = { rejectReason: REJECT_REASON.invalidPartner, message: `${reason}: ${message}` };
  const sentAt = unixSeconds(Math.floor(Date.now() / 1000));
  const destroy = () => socket.destroy(new Error(message));
  const end = setTimeout(destroy, GOODBYE_MS);
  socket.once("close", () => clearTimeout(end));
  socket.once("end", destroy);
  socket.removeAllListeners("data");
  socket.resume();
  socket.end(writeMessage({ type: "DISCONNECT", ...why }, sentAt, 0));
}

export interface TlsTransportOptions {
  readonly certificates: LinkCertificates;
  /** Whom the partner's certificate must speak for. */
  readonly partnerIdentity: string;
  readonly handshakeMs: number;
  /** How the latest attempt to meet ended: with proof of the partner, or without a word of TLS (null), or in distrust. */
  readonly onProof: (distrust: Distrust | null) => void;
  /** Other certificates are in use from the next connection on. */
  readonly onRenewed: (expiresAtMs: number) => void;
}

export class TlsTransport implements LinkTransport {
  readonly security = "TLS";
  readonly #options: TlsTransportOptions;
  readonly #server: tls.Server;
  #onStream: (socket: net.Socket) => void = () => {};

  constructor(options: TlsTransportOptions) {
    this.#options = options;
    this.#server = tls.createServer({
      ...this.#terms(),
      requestCert: true,
      handshakeTimeout: options.handshakeMs,
    });
    this.#server.on("secureConnection", (socket) => {
      const distrust = distrustOf(socket, options);
      options.onProof(distrust);
      if (distrust === null) return this.#onStream(socket);
      socket.on("error", () => {});
      dismiss(socket, distrust);
    });
    this.#server.on("tlsClientError", (error, socket) => {
      const distrust = brokenHandshake(error);
      if (distrust !== null) options.onProof(distrust);
      socket.destroy();
    });
  }

  get expiresAtMs(): number {
    return this.#options.certificates.expiresAtMs;
  }

  createServer(admits: (socket: net.Socket) => boolean, onStream: (socket: net.Socket) => void): net.Server {
    this.#onStream = onStream;
    // The handshake starts only for whom the link admits: a stranger costs no cryptography.
    return createAdmittingServer(admits, (socket) => this.#server.emit("connection", socket));
  }

  dial(to: net.TcpNetConnectOpts, onStream: () => void): net.Socket {
    const socket: tls.TLSSocket = tls.connect({
      ...to,
      ...this.#terms(),
      // Members are known by identity, not by host name; that is looked at once the chain is verified.
      checkServerIdentity: () => undefined,
    });
    socket.setNoDelay(true);
    let phase: "dialing" | "shaking-hands" | "open" = "dialing";
    socket.once("connect", () => {
      phase = "shaking-hands";
    });
    socket.once("secureConnect", () => {
      phase = "open";
      const distrust = distrustOf(socket, this.#options);
      this.#options.onProof(distrust);
      if (distrust === null) onStream();
      else dismiss(socket, distrust);
    });
    // The network was no obstacle once TCP stands: what fails then is the handshake, or an alert of the other end.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (phase !== "open" || error.code?.startsWith("ERR_SSL")) {
        this.#options.onProof(phase === "dialing" ? null : brokenHandshake(error));
      }
    });
    return socket;
  }

  renew(): void {
    const { certificates, onRenewed } = this.#options;
    if (!certificates.reload()) return;
    this.#server.setSecureContext(this.#terms());
    onRenewed(certificates.expiresAtMs);
  }

  /** Node would cut off whom it does not trust, without a word: distrustOf() does the same and says why. */
  #terms() {
    const { files } = this.#options.certificates;
    return { ...files, minVersion: "TLSv1.3", rejectUnauthorized: false } as const;
  }
}
