// What carries the failover link: TLS 1.3 with a certificate on both sides, or TCP in clear, which was chosen or is all
// that the partner speaks. Opens streams to and from the partner; who may connect is the link's affair, whom a
// certificate must speak for is decided here. Source: RFC 8446; docs/adr/0008-link-identity.md.

import * as net from "node:net";
import * as tls from "node:tls";
import { type LinkCertificates, speaksFor } from "./link-certificates.ts";

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

export interface TlsTransportOptions {
  readonly certificates: LinkCertificates;
  /** Whom the partner's certificate must speak for. */
  readonly partnerIdentity: string;
  readonly handshakeMs: number;
  /** Somebody at the partner's address could not prove that it is the partner, or does not believe that we are. */
  readonly onDistrust: (problem: string) => void;
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
      // Node would cut such a peer off without a word: #distrust() does the same and says why.
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeMs,
    });
    this.#server.on("secureConnection", (socket) => {
      const problem = this.#distrust(socket);
      if (problem === null) return this.#onStream(socket);
      options.onDistrust(problem);
      socket.on("error", () => {});
      socket.destroy();
    });
    this.#server.on("tlsClientError", (error, socket) => {
      options.onDistrust(error.message);
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
      rejectUnauthorized: true,
      // Members are known by identity, not by host name; that is looked at once the chain is verified.
      checkServerIdentity: () => undefined,
    });
    socket.setNoDelay(true);
    let isShakingHands = false;
    socket.once("connect", () => {
      isShakingHands = true;
    });
    socket.once("secureConnect", () => {
      isShakingHands = false;
      const problem = this.#distrust(socket);
      if (problem === null) onStream();
      else socket.destroy(new Error(problem));
    });
    // The network was no obstacle once TCP stands: what fails then is the handshake, or an alert of the other end.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (isShakingHands || error.code?.startsWith("ERR_SSL")) this.#options.onDistrust(error.message);
    });
    return socket;
  }

  renew(): void {
    const { certificates, onRenewed } = this.#options;
    if (!certificates.reload()) return;
    this.#server.setSecureContext(this.#terms());
    onRenewed(certificates.expiresAtMs);
  }

  #terms() {
    return { ...this.#options.certificates.files, minVersion: "TLSv1.3" } as const;
  }

  /** Why the peer is not the partner; null when it is. */
  #distrust(socket: tls.TLSSocket): string | null {
    const { partnerIdentity } = this.#options;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return "the peer shows no certificate";
    if (!socket.authorized) return `the peer's certificate cannot be trusted: ${socket.authorizationError}`;
    if (speaksFor(certificate, partnerIdentity)) return null;
    return `the peer's certificate speaks for ${certificate.subjectAltName ?? "nobody"}, not for URI:${partnerIdentity}`;
  }
}
