// Whatever a partner says, in whatever order and with whatever values: the engine takes it, writes down only what can be written
// and read again, keeps what must never change, and still serves. Seeded: a failure names its seed.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import { unixSeconds } from "../../../src/base/units.ts";
import { SETTLED_STATES } from "../../../src/dhcp/failover/transition.ts";
import { writeExtras } from "../../../src/dhcp/wire-failover/extras.ts";
import type { FailoverMessage } from "../../../src/dhcp/wire-failover/message.ts";
import { seededRandom } from "../../durability/store-workload.ts";
import { ip } from "../server/world.ts";
import { START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const RUNS = 15;
const STEPS = 250;

/** Values that a partner may send, the odd ones more often than chance would have them. */
class Draw {
  readonly #random: { uint32(): number };

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(count: number): number {
    return this.#random.uint32() % count;
  }

  from<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  time() {
    const times = [0, 1, START - 5_000, START, START + 60, START + 5_000, 0x7fff_ffff, 0xffff_ffff];
    return unixSeconds(this.from(times));
  }

  number(): number {
    return this.from([0, 1, 2, 100, 0xffff, 0xffff_ffff]);
  }

  maybe<T>(value: T): T | null {
    return this.below(3) === 0 ? null : value;
  }

  extras(): Uint8Array | null {
    const position = this.from([0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER]);
    return this.from([
      null,
      this.bytes(20),
      writeExtras({ echoes: true, side: this.below(4), isNew: this.below(2) === 0 }),
      writeExtras({
        store: "61".repeat(this.from([1, 16, 200])),
        shape: "aa".repeat(32),
        generation: this.number(),
        openedAt: this.number(),
        position,
        aloneSince: position,
        partnerStore: "62".repeat(16),
        partnerGeneration: this.number(),
        partnerOpenedAt: this.number(),
        partnerPosition: position,
        returned: this.number(),
        neverNormal: this.below(2) === 0,
        incomplete: this.below(2) === 0,
      }),
      writeExtras({ asks: this.number(), answers: this.below(20), proves: true }),
      writeExtras({
        hostname: "h".repeat(this.below(256)),
        relayInformation: "01".repeat(this.below(1_400)),
      }),
      writeExtras({ otherIdentifier: "02".repeat(this.below(256)) }),
    ]);
  }

  message(): FailoverMessage {
    const rejectReason = this.maybe(this.below(256));
    const address = (ip("10.0.0.5") + this.below(40)) as Ipv4;
    const extras = this.extras();
    return this.from<() => FailoverMessage>([
      () => ({ type: "POOLREQ" }),
      () => ({ type: "POOLRESP", addressesTransferred: this.number() }),
      () => ({ type: "UPDREQ" }),
      () => ({ type: "UPDREQALL" }),
      () => ({ type: "UPDDONE" }),
      () => ({ type: "CONTACT", extras }),
      () => ({ type: "DISCONNECT", rejectReason: this.below(256), message: this.maybe("enough") }),
      () => ({ type: "BNDACK", address, rejectReason, message: this.maybe("no"), extras }),
      ...Array.from({ length: 6 }, () => () => this.#update(address, extras)),
      ...Array.from({ length: 3 }, () => () => this.#state(extras)),
    ])();
  }

  #state(extras: Uint8Array | null): FailoverMessage {
    const state = this.from([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 254]);
    return { type: "STATE", state, flags: this.below(2), startTimeOfState: this.time(), extras };
  }

  #update(address: Ipv4, extras: Uint8Array | null): FailoverMessage {
    const update = {
      address,
      status: this.below(9),
      clientIdentifier: this.maybe(this.bytes(this.from([0, 1, 7, 255, 256, 600]))),
      clientHardwareAddress: this.maybe(this.bytes(this.from([0, 1, 7, 17, 18]))),
      leaseExpiration: this.maybe(this.time()),
      potentialExpiration: this.maybe(this.time()),
      startTimeOfState: this.maybe(this.time()),
      lastTransaction: this.maybe(this.time()),
      ipFlags: this.from([0, 1, 2, 0xffff]),
      extras,
    };
    return { type: "BNDUPD", update };
  }
}

/** A handshake: as it should be, or with drawn terms; then a state, as it should be, or none. */
function connect(partner: ScriptedPartner, draw: Draw): void {
  partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "again" });
  const [echoes, mayBeOff] = [draw.below(2) === 0, draw.below(4) === 0];
  const offset = draw.from(echoes || mayBeOff ? [0, 30, -30, 100_000, 1_900_000_000] : [0, 30, -30]);
  const sentAt = partner.now.wall + offset;
  const extras = mayBeOff ? draw.extras() : echoes ? writeExtras({ echoes: true, side: 1 }) : null;
  partner.meet({ extras, maxUnackedUpdates: draw.from([1, 100, 0xffff_ffff]) }, sentAt);
  if (partner.engine.session === null || draw.below(4) === 0) return;
  const report = { state: draw.from([2, 2, 2, 3, 6, 9]), flags: 0, startTimeOfState: draw.time() };
  partner.say({ type: "STATE", ...report, extras: null }, { sentAt });
}

describe("any partner at all", () => {
  for (const dialect of ["Leasepair", "ISC"] as const)
    for (const fencing of ["None", "Witness"] as const) {
      test(`${dialect}, fencing ${fencing}: ${RUNS} conversations of ${STEPS} drawn messages`, () => {
        for (let seed = 1; seed <= RUNS; seed++) {
          const draw = new Draw(seed);
          const saved = draw.from(SETTLED_STATES);
          const partner = new ScriptedPartner({ dialect, saved, config: { fencing } });
          try {
            converse(partner, draw);
          } catch (error) {
            throw new Error(`seed ${seed}: ${error}`, { cause: error });
          }
        }
      });
    }
});

function converse(partner: ScriptedPartner, draw: Draw): void {
  const { engine } = partner;
  for (let i = 0; i < STEPS; i++) {
    if (engine.session === null) connect(partner, draw);
    else if (draw.below(20) === 0) partner.pass(draw.from([100, 3_000, 31_000, 700_000]), { isSilent: true });
    else if (draw.below(40) === 0) partner.announce("NORMAL");
    const xid = draw.from([0, 1, 2, 5, draw.below(40), 0xffff_ffff]);
    if (engine.session !== null) partner.say(draw.message(), { xid });
    // Whatever it hears, it is in one state of the table and within its bounds.
    assert.ok((SETTLED_STATES as readonly string[]).includes(engine.endpoint.state));
    assert.ok(engine.connections.size <= 5);
    assert.ok(engine.endpoint.returned >= 0 && engine.endpoint.seen >= 0);
    for (const binding of engine.leases.bindings()) {
      assert.ok(binding.status !== "ACTIVE" || binding.client !== null, "a lease has a client");
    }
    const last = partner.written.findLast(({ kind }) => kind === "binding" || kind === "forget");
    if (last?.kind === "binding") {
      const now = engine.leases.get(last.binding.address);
      assert.deepEqual(now, last.binding, "memory holds what is written down");
    }
  }
}
