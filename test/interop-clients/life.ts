// A real client's life against a pair, step by step as RFC 2131 figure 5 has it, each step seen on the wire.

import assert from "node:assert/strict";
import { ip } from "./network.ts";
import { PairLab } from "./pair-lab.ts";
import { RealClient } from "./real-client.ts";
import { type Seen, Tap } from "./tap.ts";

/** T1 and T2 come soon, so that a life passes in seconds; the lease itself is the shortest there is. */
const MANIFESTS = `
apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  maxClientLeadTimeSeconds: 60
  members:
    - { name: a, nodeName: node-1, address: 10.20.0.11, interfaces: [lan0, lan1] }
    - { name: b, nodeName: node-2, address: 10.20.0.12, interfaces: [lan0, lan1] }
  scopeDefaults:
    leaseTime: { defaultSeconds: 60, maxSeconds: 60, renewSeconds: 4, rebindSeconds: 8 }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: first, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.20.0.0/24
  ranges: [{ start: 10.20.0.100, end: 10.20.0.199 }]
  options: { routers: [10.20.0.1], domainName: example.org }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: second, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.30.0.0/24
  ranges: [{ start: 10.30.0.100, end: 10.30.0.199 }]
  options: { routers: [10.30.0.1], domainName: example.org }
`;

const EVERYBODY = "ff:ff:ff:ff:ff:ff";
/** Bounds that only a failing test reaches; the slowest steps are clients' own pauses between tries. */
const STEP_MS = 60_000;
const ROAM_MS = 150_000;
const EXPIRY_MS = 120_000;

/** Two segments, both engines in NORMAL, somebody listening on each segment. */
export class LifeLab {
  readonly pair: PairLab;
  readonly taps: Readonly<Record<"lan0" | "lan1", Tap>>;
  #clients = 0;

  private constructor(pair: PairLab, taps: LifeLab["taps"]) {
    this.pair = pair;
    this.taps = taps;
  }

  static async start(): Promise<LifeLab> {
    const pair = new PairLab([
      { name: "lan0", network: "10.20.0" },
      { name: "lan1", network: "10.30.0" },
    ]);
    try {
      pair.network.segment("nowhere");
      const taps = { lan0: await Tap.open(pair.network, "lan0"), lan1: await Tap.open(pair.network, "lan1") };
      await pair.start(MANIFESTS);
      return new LifeLab(pair, taps);
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  /** Ends everything. */
  stop(): Promise<void> {
    return this.pair.stop();
  }

  /** A new client on the first segment, not started yet. */
  client(name: string): RealClient {
    this.#clients += 1;
    const last = this.#clients.toString(16).padStart(2, "0");
    return new RealClient(this.pair, name, `02:00:00:00:01:${last}`, "lan0");
  }
}

/** Follows one client on one segment: each step waits for the next message of its own that is named. */
export class Trail {
  readonly #tap: Tap;
  readonly #client: RealClient;
  #at: number;

  constructor(tap: Tap, client: RealClient) {
    this.#tap = tap;
    this.#client = client;
    this.#at = tap.seen.length;
  }

  async next(what: string, limitMs = STEP_MS, fits: (seen: Seen) => boolean = () => true): Promise<Seen> {
    const { hardwareAddress, kind } = this.#client;
    const isNext = (one: Seen) => one.hardwareAddress === hardwareAddress && one.what === what && fits(one);
    const seen = await this.#tap.next(`${kind.name}: ${what}`, limitMs, isNext, this.#at);
    this.#at = this.#tap.seen.indexOf(seen) + 1;
    return seen;
  }
}

/** First lease, renewing, rebinding. Gives the address. */
async function firstHours({ taps }: LifeLab, client: RealClient): Promise<string> {
  const trail = new Trail(taps.lan0, client);
  client.start();
  await trail.next("DISCOVER");
  await trail.next("REQUEST selecting");
  const first = await trail.next("ACK");
  assert.match(first.yourAddress, /^10\.20\.0\.1\d\d$/);
  assert.equal(first.leaseSeconds, 60);
  assert.match(first.server ?? "", /^10\.20\.0\.1[12]$/);
  if (client.kind.renewSignal !== undefined) await client.untilUses(first.yourAddress);
  client.renewNow();
  const renewing = await trail.next("REQUEST renewing");
  assert.equal(renewing.to, first.server, "renewing goes to the server that gave the lease");
  assert.equal((await trail.next("ACK")).yourAddress, first.yourAddress);
  await client.untilUses(first.yourAddress);

  client.cutOff(first.server ?? "", "replace");
  client.renewNow();
  const rebinding = await trail.next("REQUEST rebinding");
  assert.equal(rebinding.frameTo, EVERYBODY);
  assert.equal((await trail.next("ACK")).yourAddress, first.yourAddress);
  client.cutOff(first.server ?? "", "del");
  return first.yourAddress;
}

/** Into another scope by a pulled cable, and a reboot there. Gives the address. */
async function roamAndReboot({ taps, pair }: LifeLab, client: RealClient, before: string): Promise<string> {
  const since = taps.lan1.seen.length;
  let trail = new Trail(taps.lan1, client);
  pair.network.move(client.port, "lan1");
  client.renewNow();
  const moved = await trail.next("ACK", ROAM_MS);
  assert.match(moved.yourAddress, /^10\.30\.0\.1\d\d$/);
  await client.untilUses(moved.yourAddress);
  const own = taps.lan1.seen.slice(since).filter((seen) => seen.hardwareAddress === client.hardwareAddress);
  // Whoever asks for the old address is told that it is wrong here; no client may learn it by silence alone.
  assert.ok(
    own.some(({ what }) => what === "NAK"),
    `${before} is refused on the other segment`,
  );

  await client.crash();
  trail = new Trail(taps.lan1, client);
  client.start();
  if (client.kind.remembers) await trail.next("REQUEST init-reboot");
  else await trail.next("DISCOVER");
  assert.equal((await trail.next("ACK")).yourAddress, moved.yourAddress, "the same after a reboot");
  await client.untilUses(moved.yourAddress);
  return moved.yourAddress;
}

/** Somebody else uses its address: it declines, the address is put to rest in both members, and it gets another one. */
async function decline({ taps, pair }: LifeLab, client: RealClient, address: string): Promise<string> {
  await client.crash();
  ip("-n", pair.network.sw, "addr", "add", `${address}/32`, "dev", "lan1");
  const trail = new Trail(taps.lan1, client);
  client.start();
  await trail.next("DECLINE");
  // The other member's answer to what the client asked before may still come.
  const other = await trail.next("ACK", STEP_MS, ({ yourAddress }) => yourAddress !== address);
  assert.match(other.yourAddress, /^10\.30\.0\.1\d\d$/);
  await client.untilUses(other.yourAddress);
  ip("-n", pair.network.sw, "addr", "del", `${address}/32`, "dev", "lan1");
  return other.yourAddress;
}

/** The life of one client; what each step did shows in the histories of the members in `alive`, too. */
export async function live(lab: LifeLab, client: RealClient, alive: readonly ("a" | "b")[]): Promise<void> {
  const { pair, taps } = lab;
  try {
    const first = await firstHours(lab, client);
    const moved = await roamAndReboot(lab, client, first);
    const last = client.kind.declines ? await decline(lab, client, moved) : moved;
    if (client.kind.declines) {
      for (const member of alive) {
        await pair.untilHistory(member, ["quarantine"], moved);
        const story = pair.history(member).filter(({ address }) => address === moved);
        assert.equal(story.at(-1)?.event, "quarantine", "nobody gets the address that was declined");
      }
    }
    if (client.kind.release === null) return;
    const trail = new Trail(taps.lan1, client);
    client.release();
    const release = await trail.next("RELEASE");
    assert.match(release.to, /^10\.20\.0\.1[12]$/, "a RELEASE goes to the server");
    for (const member of alive) await pair.untilHistory(member, ["release", "end"], last);
  } finally {
    await client.stop();
  }
}

/** Nobody answers any more: the client gives its address up in time, and the members count the lease as expired. */
export async function expire(lab: LifeLab, client: RealClient, alive: readonly ("a" | "b")[]): Promise<void> {
  const { pair, taps } = lab;
  try {
    let trail = new Trail(taps.lan0, client);
    client.start();
    const { yourAddress } = await trail.next("ACK");
    await client.untilUses(yourAddress);
    pair.network.moveSilently(client.port, "nowhere");
    await client.untilUses(null, EXPIRY_MS);
    for (const member of alive) await pair.untilHistory(member, ["expire", "end"], yourAddress);
    await client.crash();
    pair.network.moveSilently(client.port, "lan0");
    trail = new Trail(taps.lan0, client);
    client.start();
    await trail.next("ACK");
  } finally {
    await client.stop();
  }
}
