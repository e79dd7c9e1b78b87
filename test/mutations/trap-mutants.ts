// Breaches that lie where the failover draft or a dhcpd leads astray, each as if it had been followed; and of the invariants that
// have no rule of the protocol to themselves. Source: docs/protocol/draft-errata.md, by the section of the draft; S1, S4, S15.

import type { Mutant } from "./mutant.ts";

export const TRAP_MUTANTS: readonly Mutant[] = [
  {
    name: "an address that was offered is offered to the next client, too",
    rule: "S1",
    patches: [
      {
        file: "src/dhcp/server/offers.ts",
        find: "    return offer !== undefined && offer.client !== client;",
        replace: "    return false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/server/discover.test.ts",
      name: "clients that ask at the same time are offered different addresses, until the pool is empty",
    },
  },
  {
    name: "an address in use goes to whoever asks for it",
    rule: "S1",
    patches: [
      {
        file: "src/dhcp/server/allocate.ts",
        find: "    if (!isHeldBy(view, record, request)) return false;\n",
        replace: "",
      },
      {
        file: "src/dhcp/engine/authority.ts",
        find: "return sameClient && mayRenew(engine, binding, now);",
        replace: "return mayRenew(engine, binding, now);",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "S1: who asks for an address in use is offered another one, by whichever member, also by one that is alone",
    },
  },
  {
    name: "what the partner promised is acknowledged and not kept",
    rule: "S4, S5",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: ": latest(old.potentialReceived, theirs.potentialExpiration),",
        replace: ": old.potentialReceived,",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "another client begins a new generation: no promise of the old one counts",
    },
  },
  {
    name: "offers are kept without number",
    rule: "S15",
    patches: [
      {
        file: "src/dhcp/server/offers.ts",
        find: "    if (this.#byClient.size < this.offersMax) return true;\n",
        replace: "    if (this.#byClient.size >= 0) return true;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/server/offers.test.ts",
      name: "a full table refuses while its oldest offer is young, then gives it up",
    },
  },
  {
    name: "connections wait for their handshake without number",
    rule: "S15",
    patches: [
      {
        file: "src/dhcp/engine/link.ts",
        find: "if (pending.length >= PENDING_MAX && oldest !== undefined) {",
        replace: "if (pending.length < 0 && oldest !== undefined) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/hostile-partner.test.ts",
      name: "at most four wait for their handshake, and the true partner comes in beside them",
    },
  },
  {
    name: "the lead is counted from what was acknowledged alone, not from what the partner told",
    rule: "trap 5.2.1",
    patches: [
      {
        file: "src/dhcp/lease/lead-time.ts",
        find: "binding.potentialAcked, binding.potentialReceived)",
        replace: "binding.potentialAcked)",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/lease/lead-time.test.ts",
      name: "the cap of what the partner told is 4300 s from now",
    },
  },
  {
    name: "waits reckon with what was acknowledged, not with what was sent",
    rule: "W6, trap 5.2.1",
    patches: [
      {
        file: "src/dhcp/lease/binding.ts",
        find: "latest(binding.expiresAt, binding.potentialSent, binding.potentialAcked,",
        replace: "latest(binding.expiresAt, binding.potentialAcked,",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/lease/binding.test.ts",
      name: "an address must be reckoned with until the latest of its four times",
    },
  },
  {
    name: "options are said to begin at byte 8",
    rule: "trap 6.1",
    patches: [
      {
        file: "src/dhcp/wire-failover/frame.ts",
        find: "view.setUint8(3, HEADER_BYTES);",
        replace: "view.setUint8(3, 8);",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/wire-failover/golden.test.ts",
      name: "a-first-contact.jsonl: 129 recorded messages become values, JSON, values and the same bytes",
    },
  },
  {
    name: "options that begin within the header are read",
    rule: "trap 6.1",
    patches: [
      {
        file: "src/dhcp/wire-failover/frame.ts",
        find: "if (payloadOffset < HEADER_BYTES || payloadOffset > length) {",
        replace: "if (payloadOffset > length) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/wire-failover/golden.test.ts",
      name: "i6-connects.jsonl: 68 recorded messages become values, JSON, values and the same bytes",
    },
  },
  {
    name: "of several updates in one message the first is taken alone",
    rule: "trap 6.3",
    patches: [
      {
        file: "src/dhcp/wire-failover/read-message.ts",
        find: 'const mayBeBatch = name === "BNDUPD" || name === "BNDACK";',
        replace: 'const mayBeBatch = name === "BNDACK";',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/batched-updates.test.ts",
      name: "one BNDACK with the request's xid holds a verdict for each address, after all records",
    },
  },
  {
    name: "two leases of one address are settled by role alone",
    rule: "W14, trap 7.1.3",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: '    theirs.lastTransaction > mine.lastTransactionAt ||\n    (theirs.lastTransaction === mine.lastTransactionAt && role === "secondary");',
        replace: '    role === "secondary";',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "W14: of two crossing leases of different clients, both sides keep the later one; at a tie the primary's",
    },
  },
  {
    name: "a lease that is over stands against the partner's true one",
    rule: "trap 7.1.3",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "return isLater && (mayBeOver(situation) || crossing) ?",
        replace: "return isLater && crossing ?",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "S10: news of another client never changes a lease that still runs, unless both are news",
    },
  },
  {
    name: "another client's release ends a running lease",
    rule: "S10, trap 7.1.3",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "  if (!isItsHolder(situation)) return false;\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "draft 7.1.3: what each status takes from an update",
    },
  },
  {
    name: "an acknowledgement counts for the address, whichever message it answers",
    rule: "S10, trap 7.2.2",
    patches: [
      {
        file: "src/dhcp/failover/update-queue.ts",
        find: "    const update = this.#inFlight.get(xid);\n    if (update === undefined || update.address !== address) return null;\n    this.#inFlight.delete(xid);",
        replace:
          "    const update = [...this.#inFlight.values()].find((each) => each.address === address);\n    if (update === undefined) return null;\n    this.#inFlight.delete(this.#xidOf.get(address) ?? xid);",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/update-queue.test.ts",
      name: "S10: an answer counts only for the xid and the address it was sent with, once",
    },
  },
  {
    name: "what was acknowledged of one client's lease bears another's",
    rule: "S5, trap 7.2.2",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: 'sent.status !== "ACTIVE" || !sameHolder) return null;',
        replace: 'sent.status !== "ACTIVE") return null;',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/reject-reasons.test.ts",
      name: "draft 7.2.2: the acknowledgement of a lease credits nothing to the other client's that took its place",
    },
  },
  {
    name: "bad hash buckets are refused with reason 19",
    rule: "trap 7.8.2",
    patches: [
      {
        file: "src/dhcp/wire-failover/message.ts",
        find: "hashBucketConflict: 18,",
        replace: "hashBucketConflict: 19,",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/reject-reasons.test.ts",
      name: "18, 31 bytes of buckets: a CONNECTACK that says why, then the end of the connection",
    },
  },
  {
    name: "RECOVER-WAIT has the next free number",
    rule: "trap 9.6",
    patches: [
      {
        file: "src/dhcp/lease/durable-record.ts",
        find: '"RECOVER-WAIT": 254,',
        replace: '"RECOVER-WAIT": 12,',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/state-cells.test.ts",
      name: "draft 9.6: RECOVER-WAIT is 254, as a dhcpd says it",
    },
  },
  {
    name: "times run beyond what 32 bits can carry",
    rule: "trap 9.6",
    patches: [
      {
        file: "src/base/units.ts",
        find: "return Math.min(instant + duration, WIRE_TIME_MAX) as UnixSeconds;",
        replace: "return (instant + duration) as UnixSeconds;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/lease/lead-time.test.ts",
      name: "no time is beyond what the wire can carry",
    },
  },
  {
    name: "RESOLUTION-INTERRUPTED is mute, as in a dhcpd",
    rule: "trap 9.11",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: '"RESOLUTION-INTERRUPTED": "All",',
        replace: '"RESOLUTION-INTERRUPTED": "None",',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/state-cells.test.ts",
      name: "RESOLUTION-INTERRUPTED: OFFER and ACK, to one who comes and one who renews",
    },
  },
  {
    name: "CONFLICT-DONE is mute, as in a dhcpd",
    rule: "trap 9.11",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: '"CONFLICT-DONE": "All",',
        replace: '"CONFLICT-DONE": "None",',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/state-cells.test.ts",
      name: "CONFLICT-DONE: OFFER and ACK, to one who comes and one who renews",
    },
  },
  {
    name: "a stop in order is a SHUTDOWN: each restart sends the partner into PARTNER-DOWN",
    rule: "trap 9.14",
    patches: [
      {
        file: "src/dhcp/failover/transition.ts",
        find: 'return state === "NORMAL" || state === "COMMUNICATIONS-INTERRUPTED" ? "PAUSED" : stay;',
        replace: 'return state === "NORMAL" || state === "COMMUNICATIONS-INTERRUPTED" ? "SHUTDOWN" : stay;',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/transition.test.ts",
      name: "draft 9.2-9.14: NORMAL and every event that is not the partner's state",
    },
  },
  {
    name: "a CONNECT that would be secured by a digest is taken",
    rule: "trap 11",
    patches: [
      {
        file: "src/dhcp/engine/link.ts",
        find: "  if (!isDigested) return null;\n",
        replace: "  if (isDigested || !isDigested) return null;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/reject-reasons.test.ts",
      name: "12: a CONNECT with a message-digest",
    },
  },
];
