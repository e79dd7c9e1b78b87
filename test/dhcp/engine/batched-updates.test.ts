// A partner that puts several updates into one BNDUPD: each is judged by itself, and all are answered in one BNDACK, which
// waits for all records. Source: failover draft 6.3, 7.1, 7.2.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { BINDING_STATUS_CODE } from "../../../src/dhcp/lease/binding.ts";
import { FRAME_BYTES_MAX, writeFrame } from "../../../src/dhcp/wire-failover/frame.ts";
import { type BindingUpdate, MESSAGE_TYPE } from "../../../src/dhcp/wire-failover/message.ts";
import { hex, ip } from "../server/world.ts";
import { START } from "./pair.ts";
import { ABSENT, ScriptedPartner } from "./scripted-partner.ts";

/** A message of 2,048 bytes has room for so many, of 13 bytes at least. */
const UPDATES_MAX = 156;
const at = (offset: number) => unixSeconds(START + offset);

function lease(address: string, changes: Partial<BindingUpdate> = {}): BindingUpdate {
  return {
    ...ABSENT,
    address: ip(address),
    status: 2,
    clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, ip(address) & 255),
    leaseExpiration: at(400),
    potentialExpiration: at(600),
    startTimeOfState: at(-50),
    lastTransaction: at(-50),
    ...changes,
  };
}

function sayBatch(partner: ScriptedPartner, [update, ...more]: readonly BindingUpdate[]) {
  assert.ok(update !== undefined);
  return partner.say({ type: "BNDUPD", update, more }, { xid: 77 });
}

for (const dialect of ["Leasepair", "ISC"] as const)
  describe(`a batch of updates from a partner of dialect ${dialect}`, () => {
    test("one BNDACK with the request's xid holds a verdict for each address, after all records", () => {
      const partner = new ScriptedPartner({ dialect }).becomeNormal();
      partner.order.length = 0;
      const heard = sayBatch(partner, [
        lease("10.0.0.10"),
        lease("198.51.100.7"),
        lease("10.0.0.11", { leaseExpiration: null }),
        lease("10.0.0.12"),
      ]);
      assert.deepEqual(
        heard.map(({ xid, message }) => [xid, message.type]),
        [[77, "BNDACK"]],
      );
      const ack = heard[0]!.message;
      assert.ok(ack.type === "BNDACK");
      assert.deepEqual(
        [ack, ...(ack.more ?? [])].map(({ address, rejectReason }) => [address, rejectReason]),
        [
          [ip("10.0.0.10"), null],
          [ip("198.51.100.7"), 1],
          [ip("10.0.0.11"), 3],
          [ip("10.0.0.12"), null],
        ],
      );
      assert.deepEqual(partner.order, ["append", "append", "BNDACK"]);
      assert.equal(partner.binding("10.0.0.10")?.status, "ACTIVE");
      assert.notEqual(partner.binding("10.0.0.11")?.status, "ACTIVE");
      assert.equal(partner.binding("10.0.0.12")?.expiresAt, at(400));
    });

    test("the same address twice: the second is judged by what the first has made of it", () => {
      const partner = new ScriptedPartner({ dialect }).becomeNormal();
      const later = { leaseExpiration: at(500), startTimeOfState: at(-20), lastTransaction: at(-20) };
      sayBatch(partner, [lease("10.0.0.10"), lease("10.0.0.10", later)]);
      assert.equal(partner.binding("10.0.0.10")?.expiresAt, at(500));
    });
  });

/** As a partner that tells its store, which our answers to it tell of ours. */
function normal(): ScriptedPartner {
  const partner = new ScriptedPartner();
  partner.meet();
  partner.announce("NORMAL", { store: "61".repeat(16), generation: 1, openedAt: 1, position: 1 });
  partner.acknowledgeAll();
  return partner;
}

test("as many updates as a message holds are taken, and answered in one message, whether each is taken or refused", () => {
  for (const [address, rejectReason] of [
    ["10.0.0.15", null],
    ["198.51.100.7", 1],
  ] as const) {
    // BACKUP: of an address that is nobody's, FREE would be agreed on.
    const update = { ...ABSENT, address: ip(address), status: BINDING_STATUS_CODE.BACKUP };
    const partner = normal();
    const heard = sayBatch(partner, Array<BindingUpdate>(UPDATES_MAX).fill(update));
    assert.deepEqual(partner.closed, []);
    const [ack] = heard.filter(({ message }) => message.type === "BNDACK");
    assert.ok(ack?.message.type === "BNDACK");
    assert.ok(ack.bytes.length <= FRAME_BYTES_MAX, `${ack.bytes.length} bytes`);
    const verdicts = [ack.message, ...(ack.message.more ?? [])];
    assert.deepEqual(
      verdicts.map((verdict) => [verdict.address, verdict.rejectReason]),
      Array(UPDATES_MAX).fill([ip(address), rejectReason]),
    );
  }
});

test("addresses without a binding-status, more than there could be updates in a message, end the link", () => {
  const partner = normal();
  const addresses = hex("000200040a00000f".repeat(UPDATES_MAX + 1));
  partner.sayBytes(writeFrame(MESSAGE_TYPE.BNDUPD, partner.now.wall, 77, addresses));
  assert.match(partner.closed.join(), /malformed message: option-2/);
});
