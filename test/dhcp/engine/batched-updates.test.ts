// A partner that puts several updates into one BNDUPD: each is judged by itself, and all are answered in one BNDACK, which
// waits for all records. Source: failover draft 6.3, 7.1, 7.2.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import type { BindingUpdate } from "../../../src/dhcp/wire-failover/message.ts";
import { OPTION_LISTS_MAX } from "../../../src/dhcp/wire-failover/option-list.ts";
import { ip } from "../server/world.ts";
import { START } from "./pair.ts";
import { ABSENT, ScriptedPartner } from "./scripted-partner.ts";

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

test("a batch of more addresses than its answer can hold ends the link", () => {
  const batch = (count: number) => Array.from({ length: count }, () => ({ ...ABSENT }));
  const full = new ScriptedPartner().becomeNormal();
  assert.equal(sayBatch(full, batch(OPTION_LISTS_MAX)).length, 1);
  assert.deepEqual(full.closed, []);
  const beyond = new ScriptedPartner().becomeNormal();
  sayBatch(beyond, batch(OPTION_LISTS_MAX + 1));
  assert.match(beyond.closed.join(), /malformed message: option-2/);
});
