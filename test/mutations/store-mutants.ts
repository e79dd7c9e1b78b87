// Breaches of the lease store's rules, and the tests that notice them. Source: invariant S2; docs/reference/store-format.md.

import type { Mutant } from "./mutant.ts";

const STORE = "src/dhcp/store";
export const STORE_MUTANTS: readonly Mutant[] = [
  {
    name: "sync skipped",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/lease-store.ts`,
        find: "this.#disk.sync(name, (fault) => this.#land(fault));",
        replace: "this.#disk.truncate(name, Infinity, (fault) => this.#land(fault));",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/store/store.test.ts",
      name: "what was flushed is there after a power cut, what was only appended is not",
    },
  },
  {
    name: "sync after ACK",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/lease-store.ts`,
        find: "this.#disk.append(name, bytes, (fault) => this.#note(fault));\n    this.#disk.sync(name, (fault) => this.#land(fault));",
        replace:
          "this.#disk.append(name, bytes, (fault) => this.#land(fault));\n    this.#disk.sync(name, (fault) => this.#note(fault));",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/store/store.test.ts",
      name: "a flush is reported when its sync is, not before, and overlapping ones in order",
    },
  },
  {
    name: "reply before its record is durable",
    rule: "S2",
    patches: [
      {
        file: "src/dhcp/engine/runner.ts",
        find: "this.#waiting.push(waiting);",
        replace: "this.#perform(waiting);",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/runner.test.ts",
      name: "what was decided with a record leaves only when the record is durable, and in order",
    },
  },
  {
    name: "directory sync skipped",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/lease-store.ts`,
        find: "this.#disk.syncDirectory(done);",
        replace: "this.#disk.truncate(PREPARED_NAME, Infinity, done);",
      },
    ],
    caught: {
      by: "test",
      file: "test/durability/store-crash.e2e.test.ts",
      name: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
    },
  },
  {
    name: "rename before sync",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/lease-store.ts`,
        find: "    this.#disk.sync(PREPARED_NAME, note);\n    this.#disk.rename(PREPARED_NAME, segmentName(header.sequence), note);",
        replace:
          "    this.#disk.rename(PREPARED_NAME, segmentName(header.sequence), note);\n    this.#disk.sync(segmentName(header.sequence), note);",
      },
    ],
    caught: {
      by: "test",
      file: "test/durability/store-crash.e2e.test.ts",
      name: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
    },
  },
  {
    name: "checksum not checked",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/frame.ts`,
        find: "return end >= 0 && crc32(bytes.subarray(at + 4, end)) === bytes.readUInt32BE(at) ? end : -1;",
        replace: "return end;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/store/record-codec.test.ts",
      name: "a frame is whole only with every byte as it was",
    },
  },
  {
    name: "bad record in the middle cut like a tail",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/segment-scan.ts`,
        find: "return isProven || hasLaterMark(input, at, ordinal)",
        replace: "return isProven",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/store/store.test.ts",
      name: "a flipped byte anywhere before the last flush is damage, and in the last flush it is a cut",
    },
  },
  {
    name: "a flush counts record by record",
    rule: "S2",
    patches: [
      {
        file: "src/dhcp/store/segment-scan.ts",
        find: "if (!isWhole(bytes, end, limit, mark)) break;",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/durability/store-crash.e2e.test.ts",
      name: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
    },
  },
  {
    name: "a failed flush is tried again",
    rule: "S2",
    patches: [{ file: `${STORE}/lease-store.ts`, find: "    this.#fault ??= fault;", replace: "" }],
    caught: {
      by: "test",
      file: "test/dhcp/store/store.test.ts",
      name: "a failed append is final: that flush and all later ones report it",
    },
  },
  {
    name: "emptied segment removed before its copies are durable",
    rule: "S2",
    patches: [
      {
        file: `${STORE}/lease-store.ts`,
        find: "      oldest: this.#oldestNeeded,",
        replace: "      oldest: this.#compactor.closedSegments[0]?.sequence ?? closed.sequence,",
      },
    ],
    caught: {
      by: "test",
      file: "test/durability/store-crash.e2e.test.ts",
      name: "a crash after any of the disk operations, in any way, loses nothing that was acknowledged",
    },
  },
  {
    name: "generation not checked",
    rule: "S2",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "if (seen.generation > store.generation) return true;",
        replace: "if (seen.generation > store.generation) return false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/outdated-store.test.ts",
      name: "a store put back to a copy of an older generation is treated like a lost one, and works afterwards",
    },
  },
  {
    name: "generation counted but its opening not compared",
    rule: "S2",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "if (isOtherOpen && seen.generation > 0) return true;",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/outdated-store.test.ts",
      name: "a copy of the generation before is recognised by its opening: of the open since, the partner heard no more than that",
    },
  },
  {
    name: "position not compared",
    rule: "S2",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "return store.aloneSince !== 0 && seen.position > store.aloneSince;",
        replace: "return false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/outdated-store.test.ts",
      name: "a store put back to a copy of the very generation, made moments before is treated like a lost one, and works afterwards",
    },
  },
  {
    name: "an old copy's memory of what was given up",
    rule: "S13",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "if (seen.generation < store.forgotAt) return false;",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/outdated-store.test.ts",
      name: "what an old copy remembers of a memory that the other has given up since is no reproach to the other",
    },
  },
  {
    name: "an empty store is completed by one that lacks leases",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "isFenced(engine) && !engine.endpoint.complete && !areBothNew(engine);",
        replace: "isFenced(engine) && !engine.endpoint.complete && engine.endpoint.agreedMcltSeconds !== 0;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-lack.test.ts",
      name: "an empty store and a restored one wait for a human, also when the empty one was listed before",
    },
  },
  {
    name: "who waits for a human does not look at a partner that became complete meanwhile",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "    if (engine.session?.partnerIncomplete === false) reactToPartner(engine, turn);\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-lack.test.ts",
      name: "who waits for a human asks a partner that became complete before fencing was back",
    },
  },
  {
    name: "two restored stores take each other's word for whose a free address is",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "crossing || (bothLack && mine.status !== status)",
        replace: "crossing",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-lack.test.ts",
      name: "a free address that changed hands between two backups, that of a the older, belongs to one of the two",
    },
  },
  {
    name: "an old copy's word ends a lease that the other restored store knows of",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: 'bothLack && !bothGive && mine.status !== "ABANDONED"',
        replace: "false",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-lack.test.ts",
      name: "what one backup knows of an ended lease, ACTIVE, is reckoned with on both sides, though the older calls it free",
    },
  },
  {
    name: "of an ended lease a restored store keeps nothing over its own free record",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/note-end.ts",
        find: "  if (mine !== null && !bothLack) return;",
        replace: "  if (mine !== null) return;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-lack.test.ts",
      name: "what one backup knows of an ended lease, EXPIRED, is reckoned with on both sides, though the older calls it free",
    },
  },
];
