// Everything of an engine that stands on the member's addresses: client sockets, link, health pages. Opened together at
// the start, where any failure is final; afterwards each follows the configuration by itself, and what cannot be opened
// is said, tried again, and makes the member not ready.

import type { CompiledMember, Dialect } from "../../api/compiled.ts";
import { FaultError } from "../../base/fault.ts";
import { formatIpv4, type Ipv4 } from "../../base/ipv4.ts";
import { linkIdentity } from "../../base/link-identity.ts";
import type { EngineEvent, LogEntry } from "../engine/event.ts";
import { linkDialect, linkName } from "../failover/dialect.ts";
import type { ClientSocket, ConnectionId, PartnerLink } from "../ports.ts";
import type { EngineConfig } from "../server/engine-config.ts";
import { HttpServer } from "./http.ts";
import { InterfaceAddresses } from "./interfaces.ts";
import { LinkCertificates } from "./link-certificates.ts";
import type { Distrust } from "./link-distrust.ts";
import { CLEAR_TRANSPORT, type LinkTransport, TlsTransport } from "./link-transport.ts";
import type { Endpoint } from "./listen.ts";
import { Outlet } from "./outlet.ts";
import { TcpPartnerLink } from "./partner-link.ts";
import { ClientSockets } from "./sockets.ts";

/** How the link to a partner of our own make is to be secured, as the command line says. */
export type LinkSecurity =
  /** TLS with the certificates of this directory. */
  | { readonly kind: "TLS"; readonly directory: string }
  | { readonly kind: "Clear" }
  | { readonly kind: "Unsaid" };

export interface OutletsOptions {
  /** This member's name. */
  readonly member: string;
  readonly dhcpPort: number;
  readonly linkSecurity: LinkSecurity;
  readonly nowMs: () => number;
  /** `taken`: see EventLoop.post. */
  readonly post: (event: EngineEvent, taken?: () => void) => void;
  readonly log: (entry: LogEntry) => void;
  readonly notReadyReason: () => string | null;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

interface SocketSettings {
  readonly memberAddress: Ipv4;
  readonly interfaces: readonly string[];
}

interface LinkSettings extends Endpoint {
  /** The partner's place where that alone, or a human's word, says who it is; null where it proves so itself and may be on its
   *  way: the configuration has its new place before it is there. */
  readonly partnerPlace: Endpoint | null;
  readonly dialect: Dialect;
  readonly identity: string;
  readonly partnerIdentity: string;
}

const ADDRESSES_AGE_MS_MAX = 2_000;
const TLS_HANDSHAKE_MS = 5_000;
const DAY_MS = 86_400_000;
const EXPIRY_WARNING_MS = 14 * DAY_MS;
/** The same failure is told again this often: every try would drown the rest of the log. */
const REPEAT_MS = 60_000;

type OutletName = "clients" | "link" | "metrics" | "certificates";

export class EngineOutlets {
  readonly clientSocket: ClientSocket;
  readonly partnerLink: PartnerLink;
  /** Datagrams the kernel refused, by `operation errno`. */
  readonly socketErrors = new Map<string, number>();
  /** Link connections from others than the partner. */
  strangers = 0;
  readonly #options: OutletsOptions;
  readonly #sockets: Outlet<SocketSettings, ClientSockets>;
  readonly #link: Outlet<LinkSettings, TcpPartnerLink>;
  readonly #http: Outlet<Endpoint, HttpServer>;
  /** Where the partner is sought from now on; a link that stands goes on with it where it was. */
  #partner: Endpoint = { address: 0 as Ipv4, port: 0 };
  /** What was last said of an outlet that could not be opened, and when. */
  readonly #said = new Map<OutletName, { readonly message: string; readonly atMs: number }>();
  #strangerSaidAtMs = Number.NEGATIVE_INFINITY;
  #distrustSaidAtMs = Number.NEGATIVE_INFINITY;
  #expirySaidAtMs = Number.NEGATIVE_INFINITY;
  /** Why the partner, or somebody at its address, was not believed when it last tried; null when it was. */
  #distrust: Distrust | null = null;
  #accepted = 0;

  constructor(options: OutletsOptions) {
    this.#options = options;
    const addresses = new InterfaceAddresses({ maxAgeMs: ADDRESSES_AGE_MS_MAX, nowMs: options.nowMs });
    this.#sockets = new Outlet(async (settings) => this.#openSockets(settings, addresses));
    this.#link = new Outlet((settings) => this.#openLink(settings));
    this.#http = new Outlet(async (settings) => {
      const server = new HttpServer({ ...settings, ...options });
      await server.listen();
      return server;
    });
    this.clientSocket = { send: (route, bytes) => this.#sockets.current?.send(route, bytes) };
    this.partnerLink = {
      dial: (connection) => this.#dial(connection),
      send: (connection, bytes) => this.#link.current?.send(connection, bytes),
      close: (connection) => this.#link.current?.close(connection),
    };
  }

  /** Opens everything. Rejects with the first FaultError; what was opened stays to be stopped. */
  async open(config: EngineConfig): Promise<void> {
    const { sockets, link, http } = this.#settings(config);
    await this.#http.set(http);
    await this.#link.set(link);
    await this.#sockets.set(sockets);
  }

  /** Brings what is open in line with a new configuration. Never rejects: failures are logged and tried again. */
  async follow(config: EngineConfig): Promise<void> {
    const { sockets, link, http } = this.#settings(config);
    await Promise.all([
      this.#say("metrics", this.#http.set(http)),
      this.#say("link", this.#link.set(link)),
      this.#say("clients", this.#sockets.set(sockets)),
    ]);
  }

  /** Called every few seconds: opens what could not be opened, and again what sits on an interface that was replaced. */
  async tend(): Promise<void> {
    this.#renewCertificates();
    const isStale = (sockets: ClientSockets) => sockets.lostInterfaces().length > 0;
    await Promise.all([
      this.#say("metrics", this.#http.retry()),
      this.#say("link", this.#link.retry()),
      this.#say("clients", this.#sockets.retry(isStale)),
    ]);
  }

  /** Why clients or the partner cannot be reached at all; null when all is open. */
  get fault(): FaultError | null {
    return this.#sockets.fault ?? this.#link.fault;
  }

  /** How the link is secured; null while it is not open. */
  get linkSecurity(): LinkTransport["security"] | null {
    return this.#link.current?.transport.security ?? null;
  }

  /** Why the partner was not believed when it was last met; null when it was, or could not be met. */
  get linkDistrust(): Distrust | null {
    return this.#distrust;
  }

  /** When this member's certificate ends, unix seconds; null without one. */
  get linkCertificateExpiresAt(): number | null {
    const expiresAtMs = this.#link.current?.transport.expiresAtMs ?? null;
    return expiresAtMs === null ? null : Math.floor(expiresAtMs / 1000);
  }

  /** Stops answering clients at once, and lets go of the partner, which takes over then. */
  silence(): void {
    this.#sockets.current?.stop();
    void this.#link.stop();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#sockets.stop(), this.#link.stop(), this.#http.stop()]);
  }

  #settings(config: EngineConfig) {
    const { own, partner } = membersOf(config, this.#options.member);
    const place = { address: partner.linkAddress, port: partner.external?.port ?? config.linkPort };
    this.#partner = place;
    const isTrusted = partner.external === null && this.#options.linkSecurity.kind === "TLS";
    return {
      sockets: { memberAddress: own.address, interfaces: own.interfaces },
      link: {
        address: own.linkAddress,
        port: config.linkPort,
        partnerPlace: isTrusted ? null : place,
        dialect: linkDialect(config),
        identity: linkIdentity(linkName(config), own.name),
        partnerIdentity: linkIdentity(linkName(config), partner.name),
      },
      http: { address: own.address, port: own.metricsPort },
    };
  }

  #openSockets(settings: SocketSettings, addresses: InterfaceAddresses): ClientSockets {
    const sockets = new ClientSockets({
      ...settings,
      port: this.#options.dhcpPort,
      addresses,
      nowMs: this.#options.nowMs,
      onDatagram: (bytes, arrival) => this.#options.post({ kind: "client-datagram", bytes, arrival }),
      onTrouble: (operation, error, count) => {
        const key = `${operation} ${error}`;
        this.socketErrors.set(key, (this.socketErrors.get(key) ?? 0) + count);
      },
    });
    const fields = {
      address: `${formatIpv4(settings.memberAddress)}:${this.#options.dhcpPort}`,
      interfaces: settings.interfaces.join(","),
    };
    this.#log("info", "sockets-opened", "listening for clients and relays", fields);
    return sockets;
  }

  async #openLink(settings: LinkSettings): Promise<TcpPartnerLink> {
    this.#distrust = null;
    const transport = this.#openTransport(settings);
    const link = new TcpPartnerLink({
      address: settings.address,
      port: settings.port,
      partner: () => this.#partner,
      transport,
      nextAcceptedId: () => ++this.#accepted,
      onEvent: this.#options.post,
      onStranger: (address) => this.#onStranger(address),
    });
    await link.listen();
    if (transport.security === "Clear") {
      const message =
        "the failover link is neither encrypted nor authenticated: whoever reaches it can forge leases";
      this.#log("warn", "link-in-clear", message, { partner: formatIpv4(this.#partner.address) });
    }
    return link;
  }

  #openTransport({ dialect, identity, partnerIdentity }: LinkSettings): LinkTransport {
    const { linkSecurity } = this.#options;
    // A dhcpd knows nothing else; to name one as partner is the choice.
    if (dialect === "ISC" || linkSecurity.kind === "Clear") return CLEAR_TRANSPORT;
    if (linkSecurity.kind === "Unsaid") {
      throw new FaultError(
        "LINK_SECURITY_UNSAID",
        "the failover link needs certificates: make them with `leasepair certs` and name their directory with " +
          "--link-certificates DIR; or choose a link that anybody can read and forge with --clear-link.",
      );
    }
    return new TlsTransport({
      certificates: new LinkCertificates(linkSecurity.directory, identity),
      partnerIdentity,
      handshakeMs: TLS_HANDSHAKE_MS,
      onProof: (distrust) => this.#onProof(distrust),
      onRenewed: (expiresAtMs) => {
        const expires = new Date(expiresAtMs).toISOString();
        const message = "other certificates are in use for the next connection to the partner";
        this.#log("info", "link-certificates-renewed", message, { expires });
      },
    });
  }

  #renewCertificates(): void {
    try {
      this.#link.current?.renew();
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      this.#complain("certificates", error);
      return;
    }
    this.#said.delete("certificates");
    this.#tellExpiry();
  }

  /** Where a controller renews the files this is never said. A link that stands goes on; the next one could not. */
  #tellExpiry(): void {
    const expiresAtMs = this.#link.current?.transport.expiresAtMs ?? null;
    const now = this.#options.nowMs();
    if (expiresAtMs === null || expiresAtMs - Date.now() > EXPIRY_WARNING_MS) return;
    if (now - this.#expirySaidAtMs < DAY_MS) return;
    this.#expirySaidAtMs = now;
    const message = "the link's certificate ends soon, and with it the next connection to the partner";
    this.#log("warn", "link-certificate-expires", message, { expires: new Date(expiresAtMs).toISOString() });
  }

  #onProof(distrust: Distrust | null): void {
    this.#distrust = distrust;
    if (distrust === null) return;
    const now = this.#options.nowMs();
    if (now - this.#distrustSaidAtMs < REPEAT_MS) return;
    this.#distrustSaidAtMs = now;
    const message = "the partner, or somebody at its address, could not prove on the link who it is";
    this.#log("warn", "link-distrusted", message, { reason: distrust.reason, problem: distrust.message });
  }

  /** Told at most once a minute: whoever knocks must not be able to fill a disk with words. */
  #onStranger(address: string): void {
    this.strangers += 1;
    const now = this.#options.nowMs();
    if (now - this.#strangerSaidAtMs < REPEAT_MS) return;
    this.#strangerSaidAtMs = now;
    this.#log("warn", "link-stranger", "a connection that does not come from the partner was closed", {
      address,
      total: this.strangers,
    });
  }

  #dial(connection: ConnectionId): void {
    const link = this.#link.current;
    if (link !== null) link.dial(connection);
    else this.#options.post({ kind: "link-closed", connection, reason: "the link's address is not open" });
  }

  async #say(what: OutletName, task: Promise<void>): Promise<void> {
    try {
      await task;
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      this.#complain(what, error);
      return;
    }
    if (!this.#said.delete(what)) return;
    this.#log("info", "address-open-again", "what could not be opened is open", { what });
  }

  #complain(what: OutletName, { message, code }: FaultError): void {
    const said = this.#said.get(what);
    const now = this.#options.nowMs();
    if (said?.message === message && now - said.atMs < REPEAT_MS) return;
    this.#said.set(what, { message, atMs: now });
    this.#log("error", "address-not-open", message, { code, what });
  }

  #log(level: LogEntry["level"], event: string, message: string, fields: LogEntry["fields"]): void {
    this.#options.log({ level, event, message, fields });
  }
}

/** The member of this name and the other one. Throws FaultError MEMBER_UNKNOWN, MEMBER_EXTERNAL. */
export function membersOf(
  config: EngineConfig,
  name: string,
): { readonly own: CompiledMember; readonly partner: CompiledMember } {
  const [a, b] = config.members;
  const [own, partner] = a.name === name ? [a, b] : [b, a];
  if (own.external !== null) {
    throw new FaultError(
      "MEMBER_EXTERNAL",
      `member ${name} of relationship ${config.namespace}/${config.name} is external: it runs elsewhere. Give --member ${partner.name}, or remove spec.members[].external.`,
    );
  }
  if (own.name === name) return { own, partner };
  throw new FaultError(
    "MEMBER_UNKNOWN",
    `relationship ${config.namespace}/${config.name} has the members ${a.name} and ${b.name}, none is called ${name}.`,
  );
}
