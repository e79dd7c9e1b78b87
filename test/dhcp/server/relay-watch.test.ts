import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4, type Ipv4, ipv4 } from "../../../src/base/ipv4.ts";
import { RelayWatch } from "../../../src/dhcp/server/relay-watch.ts";
import { type ClientMessage, clientMessage, ip, routed, World } from "./world.ts";

const RELAY = "10.0.0.1";
const mac = (i: number) => `0200000000${i.toString(16).padStart(2, "0")}`;

/** Option 82 with server identifier override. Source: RFC 5107 4. */
function overridden(override: string | undefined): Partial<ClientMessage> {
  return override === undefined
    ? {}
    : { relayInformation: `0b04${ip(override).toString(16).padStart(8, "0")}` };
}

/** A member whose partner is well: it answers the partner's clients from secs 3 on. All clients here are the partner's. */
class Watched {
  readonly world = new World();
  readonly watch = new RelayWatch();
  readonly found: string[] = [];
  isPartnerWell = true;
  partnerWellSeconds = 3_600;

  constructor() {
    this.world.authority.isResponsible = (_client, secs) => !this.isPartnerWell || secs >= 3;
  }

  send(parts: ClientMessage): void {
    const { watch, partnerWellSeconds } = this;
    const onFinding = (relay: Ipv4) => void this.found.push(formatIpv4(relay));
    Object.assign(this.world.view, { relays: { watch, partnerWellSeconds, onFinding } });
    this.world.send(clientMessage({ giaddr: RELAY, ...parts }), routed(parts.giaddr ?? RELAY));
  }

  /** Clients that ask this long, and choose this member. */
  choose(clients: number, secs = 4, giaddr = RELAY, override?: string): void {
    this.discover(clients, secs, giaddr, override);
    const server = override ?? "192.0.2.1";
    for (let i = 0; i < clients; i++) {
      const requested = formatIpv4(ipv4(ip("10.0.0.10") + i));
      this.send({ type: "REQUEST", mac: mac(i), secs, giaddr, requested, server, ...overridden(override) });
    }
  }

  discover(clients: number, secs = 4, giaddr = RELAY, override?: string): void {
    const relayed = overridden(override);
    for (let i = 0; i < clients; i++) this.send({ type: "DISCOVER", mac: mac(i), secs, giaddr, ...relayed });
  }

  get findings(): Record<string, boolean> {
    const findings = this.watch.findings(this.world.now.boot);
    return Object.fromEntries([...findings].map(([relay, isFinding]) => [formatIpv4(relay), isFinding]));
  }
}

test("a relay is found when the partner's clients wait for this member and choose it, and is told once", () => {
  const w = new Watched();
  w.choose(2);
  assert.deepEqual(w.findings, { [RELAY]: false });
  w.choose(5);
  assert.deepEqual(w.findings, { [RELAY]: true });
  assert.deepEqual(w.found, [RELAY]);
});

test("one client that cannot be served is no finding, however often it asks", () => {
  const w = new Watched();
  for (let i = 0; i < 20; i++) w.choose(1);
  assert.deepEqual(w.findings, { [RELAY]: false });
});

test("first tries, a partner that is away, and relays of no served network are no findings", () => {
  const young = new Watched();
  young.choose(5, 0);
  assert.deepEqual(young.findings, {});
  const away = new Watched();
  away.isPartnerWell = false;
  away.choose(5);
  assert.deepEqual(away.findings, {});
  const foreign = new Watched();
  foreign.choose(5, 4, "198.51.100.1");
  assert.deepEqual(foreign.findings, {});
});

test("clients that began to ask before the partner was well say nothing of the relay", () => {
  const w = new Watched();
  w.partnerWellSeconds = 4;
  w.choose(5, 4);
  w.choose(5, 30);
  assert.deepEqual(w.findings, {});
  w.partnerWellSeconds = 5;
  w.choose(5, 4);
  assert.deepEqual(w.findings, { [RELAY]: true });
});

test("a client that chooses the partner through the relay clears it", () => {
  const w = new Watched();
  w.choose(5);
  w.send({ type: "REQUEST", mac: mac(9), requested: "10.0.0.12", server: "192.0.2.2" });
  assert.deepEqual(w.findings, { [RELAY]: false });
  const other = new Watched();
  other.choose(5);
  other.send({ type: "REQUEST", mac: mac(9), requested: "10.0.0.12", server: "203.0.113.9" });
  assert.deepEqual(other.findings, { [RELAY]: true }, "a third server says nothing about the partner");
});

test("clients that ask and never choose anybody say nothing of the relay", () => {
  const w = new Watched();
  w.discover(20);
  assert.deepEqual(w.findings, {});
});

test("a relay that names itself as the server says nothing of whom it knows", () => {
  const w = new Watched();
  w.choose(20, 4, RELAY, RELAY);
  assert.deepEqual(w.findings, {});
});

test("relays are told apart, and what is an hour old is forgotten", () => {
  const w = new Watched();
  w.choose(5);
  w.choose(1, 4, "10.0.1.1");
  assert.deepEqual(w.findings, { [RELAY]: true, "10.0.1.1": false });
  w.world.pass(3_601);
  assert.deepEqual(w.findings, {});
});
