// A seeded stream of durable records and the plain model of what a store must remember after any number of them.

import type { Ipv4 } from "../../src/base/ipv4.ts";
import type { BootMs, UnixSeconds } from "../../src/base/units.ts";
import { BINDING_STATUS_CODE, type BindingStatus } from "../../src/dhcp/lease/binding.ts";
import type { DurableRecord, EndpointRecord } from "../../src/dhcp/lease/durable-record.ts";
import type { Random } from "../../src/dhcp/ports.ts";
import { FrameWriter } from "../../src/dhcp/store/frame.ts";
import { encodeRecord } from "../../src/dhcp/store/record-codec.ts";

const STATUSES = Object.keys(BINDING_STATUS_CODE) as BindingStatus[];

/** A small generator with a seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed;
  return {
    uint32: () => {
      state = (state + 0x6d2b_79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (t ^ (t >>> 14)) >>> 0;
    },
  };
}

export const ENDPOINT: EndpointRecord = {
  state: "COMMUNICATIONS-INTERRUPTED",
  stateSince: 1_700_000_000 as UnixSeconds,
  partnerState: "NORMAL",
  lastContactAt: 1_700_000_001 as UnixSeconds,
  lastAliveAt: 1_700_000_002 as UnixSeconds,
  mcltSeconds: 3600,
  agreedMcltSeconds: 1800,
  outageSince: 1_700_000_003 as UnixSeconds,
  hold: { wall: 1 as UnixSeconds, boot: 2 as BootMs, bootId: "b-1" },
  complete: true,
  entered: 4_294_967_299,
  entry: { wall: 4_294_967_295 as UnixSeconds, boot: 9_007_199_254_740_991 as BootMs, bootId: "höot" },
  returned: 3,
  seen: 2 ** 53 - 1,
  clean: 5,
  partnerReturned: 6,
  partnerStore: "00112233445566778899aabbccddeeff",
  partnerGeneration: 7,
  partnerOpenedAt: 1_700_000_004 as UnixSeconds,
  partnerPosition: 2 ** 40 + 1,
  aloneSince: 2 ** 33,
  generationBase: 8,
  forgotAt: 9,
  clockAnchor: { wall: 3 as UnixSeconds, boot: 4 as BootMs, bootId: "b-2" },
  clockAhead: 9,
  clockBehind: 10,
  steppedAt: 11 as BootMs,
  partnerOffset: -12,
  partnerEchoes: true,
  fencing: "Witness",
  witnessVersion: "13",
  superseded: true,
  verifiedBoot: "14",
  fullUpdateStore: "ab/15",
  fullUpdateCursor: 16,
  side: "secondary",
  doubtIsDowntime: true,
  shape: "5e".repeat(32),
  lostLeases: true,
};

/** The n-th record of a workload over `addresses` addresses. Every record differs from all before it. */
export function drawRecord(random: Random, n: number, addresses: number): DurableRecord {
  const draw = (limit: number) => random.uint32() % limit;
  const kind = draw(20);
  const address = (0x0a00_0001 + draw(addresses)) as Ipv4;
  if (kind === 0) return { kind: "endpoint", endpoint: { ...ENDPOINT, returned: n } };
  if (kind === 1) return { kind: "clock", wall: n as UnixSeconds };
  if (kind === 2) return { kind: "operation", name: `op-${draw(3)}`, digest: `${n}` };
  if (kind < 5) return { kind: "forget", address };
  return {
    kind: "binding",
    binding: {
      address,
      status: STATUSES[draw(STATUSES.length)]!,
      client:
        draw(5) === 0
          ? null
          : {
              clientIdentifier: draw(2) === 0 ? null : new Uint8Array(1 + draw(9)).fill(n),
              hardwareType: 1,
              hardwareAddress: new Uint8Array([2, 0, 0, 0, n >> 8, n & 255]),
            },
      expiresAt: (1_700_000_000 + n) as UnixSeconds,
      potentialSent: draw(2) as UnixSeconds,
      potentialAcked: draw(70_000) as UnixSeconds,
      potentialReceived: 0xffff_ffff as UnixSeconds,
      lastTransactionAt: n as UnixSeconds,
      statusSince: n as UnixSeconds,
      acknowledged: draw(2) === 0,
      endAnnounced: draw(2) === 0,
      taken: draw(2) === 0,
      sinceHold: draw(2) === 0,
      ipFlags: n & 3,
      hostname: draw(3) === 0 ? `host-${n}-ä` : null,
      relayInformation: draw(3) === 0 ? new Uint8Array(draw(30)).fill(0x52) : null,
      otherIdentifier: draw(5) === 0 ? new Uint8Array(draw(10)).fill(0x53) : null,
    },
  };
}

/** What is remembered: the last word on every subject. */
export class StoreModel {
  readonly #words = new Map<string, string>();

  apply(record: DurableRecord): void {
    if (record.kind === "forget") this.#words.delete(`binding ${record.address}`);
    else this.#words.set(subjectOf(record), textOf(record));
  }

  /** Equal exactly when the same is remembered. */
  text(): string {
    return [...this.#words.values()].sort().join("\n");
  }

  static of(records: Iterable<DurableRecord>): StoreModel {
    const model = new StoreModel();
    for (const record of records) model.apply(record);
    return model;
  }
}

function subjectOf(record: DurableRecord): string {
  if (record.kind === "binding") return `binding ${record.binding.address}`;
  if (record.kind === "operation") return `operation ${record.name}`;
  return record.kind;
}

/** As the codec writes it, whose own test says that nothing gets lost in it. */
function textOf(record: DurableRecord): string {
  const writer = new FrameWriter();
  encodeRecord(writer, record);
  return writer.take().toString("latin1");
}
