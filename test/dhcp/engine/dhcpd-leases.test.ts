// What a dhcpd leases is never taken from its client: it takes an end, a free address or a quarantine for a lease that runs, and gives
// the address once more. Source: docs/protocol/draft-errata.md, "dhcpd as partner" (dhcpd 4.4, as seen).

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import { BINDING_STATUS_CODE, type Binding } from "../../../src/dhcp/lease/binding.ts";
import type { BindingUpdate } from "../../../src/dhcp/wire-failover/message.ts";
import { hardwareClient } from "../server/world.ts";
import { START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const at = (offset: number) => unixSeconds(START + offset);
const MAC = "020000000001";

const LEASE: Partial<BindingUpdate> = {
  status: BINDING_STATUS_CODE.ACTIVE,
  clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
  leaseExpiration: at(600),
  potentialExpiration: at(900),
  startTimeOfState: at(0),
  lastTransaction: at(0),
};

/** What was told, by status, since the partner told its lease; and what that was answered with. */
function tell(member: "a" | "b", held: Partial<Binding>, lease: Partial<BindingUpdate>) {
  const partner = new ScriptedPartner({ dialect: "ISC", member, bindings: [held] });
  partner.meet();
  partner.announce("NORMAL");
  const before = partner.heard.length;
  const [answer] = partner.update({ ...LEASE, ...lease });
  partner.acknowledgeAll();
  partner.pass(20_000);
  const told = partner.heard
    .slice(before)
    .flatMap(({ message }) => (message.type === "BNDUPD" ? [message.update] : []))
    .filter(({ address }) => address === partner.binding("10.0.0.10")?.address)
    .map(({ status }) => status);
  assert.ok(answer?.message.type === "BNDACK");
  const found = partner.engine.counters.duplicatesFound;
  return { reason: answer.message.rejectReason, told, binding: partner.binding("10.0.0.10"), found };
}

for (const member of ["a", "b"] as const) {
  describe(`our member is ${member}`, () => {
    test("an abandoned address that a dhcpd leases, having no other, is that client's", () => {
      const { reason, told, binding } = tell(member, { status: "ABANDONED", statusSince: at(-100) }, {});
      assert.deepEqual([reason, told], [null, []]);
      assert.deepEqual([binding?.status, binding?.client], ["ACTIVE", hardwareClient(MAC)]);
    });

    test("an abandoned address that a dhcpd leased since is free once that lease is over", () => {
      const held = { status: "ABANDONED", statusSince: at(-100), lastTransactionAt: at(-100) } as const;
      const released = { status: BINDING_STATUS_CODE.RELEASED, lastTransaction: at(-50) };
      const { reason, told, binding } = tell(member, held, released);
      assert.deepEqual([reason, told.includes(BINDING_STATUS_CODE.ABANDONED)], [null, false]);
      assert.ok(binding?.status === "FREE" || binding?.status === "BACKUP");
      const before = tell(member, held, { ...released, lastTransaction: at(-150) });
      assert.deepEqual([before.reason, before.binding?.status], [16, "ABANDONED"]);
    });

    test("a client that was released here and got the address again there keeps it, by clocks that are apart", () => {
      const released = {
        status: "RELEASED",
        client: hardwareClient(MAC),
        expiresAt: at(300),
        lastTransactionAt: at(0),
        statusSince: at(0),
        acknowledged: false,
      } as const;
      const { reason, told, binding } = tell(member, released, { lastTransaction: at(-40) });
      assert.equal(reason, null);
      // The dhcpd may have taken the release meanwhile.
      assert.deepEqual([...new Set(told)], [BINDING_STATUS_CODE.ACTIVE]);
      assert.equal(binding?.status, "ACTIVE");
    });

    test("a machine that shows an identifier of its own only now keeps its lease, under that, with all that was promised", () => {
      const held = {
        status: "ACTIVE",
        client: hardwareClient(MAC),
        expiresAt: at(900),
        potentialSent: at(1_000),
        lastTransactionAt: at(-100),
      } as const;
      for (const acknowledged of [true, false]) {
        const clientIdentifier = Uint8Array.of(0, 7);
        const { reason, told, binding } = tell(member, { ...held, acknowledged }, { clientIdentifier });
        assert.equal(reason, null);
        // It ends later here than the dhcpd believes.
        assert.deepEqual([...new Set(told)], [BINDING_STATUS_CODE.ACTIVE]);
        assert.deepEqual(binding?.client, { ...hardwareClient(MAC), clientIdentifier });
        assert.deepEqual([binding?.expiresAt, (binding?.potentialSent ?? 0) >= at(1_000)], [at(900), true]);
      }
    });

    test("an address that a dhcpd gave anew is its new client's, for it knew of the old lease", () => {
      for (const expiresAt of [at(-10), at(40), at(900)]) {
        const held = {
          status: "ACTIVE",
          client: hardwareClient("020000000002"),
          expiresAt,
          potentialAcked: at(1_000),
          lastTransactionAt: at(10),
        } as const;
        const { reason, told, binding, found } = tell(member, held, {});
        assert.deepEqual([reason, told, binding?.client], [null, [], hardwareClient(MAC)]);
        assert.equal(found, 0, "a client that gave it up is no duplicate");
      }
    });

    test("a lease that a dhcpd holds for ended, and its address for free, is not told to run: it would say the same again, and so on", () => {
      for (const expiresAt of [at(-10), at(40)]) {
        const held = {
          status: "ACTIVE",
          client: hardwareClient(MAC),
          expiresAt,
          lastTransactionAt: at(-100),
        } as const;
        const free = {
          status: BINDING_STATUS_CODE.FREE,
          leaseExpiration: expiresAt,
          potentialExpiration: expiresAt,
        };
        const { reason, told } = tell(member, { ...held, potentialAcked: at(100) }, free);
        assert.deepEqual([reason, told], [15, []]);
      }
    });

    test("W14: a lease that runs is told to a dhcpd that holds its address for free", () => {
      const held = { status: "ACTIVE", client: hardwareClient(MAC), expiresAt: at(900) } as const;
      const free = { status: BINDING_STATUS_CODE.FREE };
      const { told } = tell(member, { ...held, potentialAcked: at(900) }, free);
      assert.deepEqual(told, [BINDING_STATUS_CODE.ACTIVE]);
    });

    test("of a lease that it has not heard of the client that spoke last keeps it", () => {
      const client = hardwareClient("020000000002");
      const held = { status: "ACTIVE", client, expiresAt: at(900), acknowledged: false } as const;
      const later = tell(member, { ...held, lastTransactionAt: at(10) }, {});
      assert.deepEqual([later.reason, later.binding?.client], [16, client]);
      const earlier = tell(member, { ...held, lastTransactionAt: at(-10) }, {});
      assert.deepEqual([earlier.reason, earlier.binding?.client], [null, hardwareClient(MAC)]);
      assert.equal(earlier.found, 1);
    });

    test("a lease of whom cannot be told is refused, and not undone there", () => {
      for (const status of ["FREE", "BACKUP"] as const) {
        const held = { status, statusSince: at(-100) };
        const { reason, told } = tell(member, held, { clientIdentifier: new Uint8Array(256).fill(1) });
        assert.deepEqual([reason, told], [3, []], status);
      }
    });
  });
}

describe("an address that was given to a dhcpd on an older connection, without an answer", () => {
  const given = { status: "BACKUP", statusSince: at(-30), acknowledged: false } as const;
  const toldOf = (partner: ScriptedPartner) =>
    partner.heard.flatMap(({ message }) =>
      message.type === "BNDUPD" && message.update.address === partner.binding("10.0.0.10")?.address
        ? [message.update.status]
        : [],
    );

  test("is its client's when it was leased there meanwhile, and is not told as given once more", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a", bindings: [given] }).becomeNormal();
    partner.pass(10_000);
    partner.update(LEASE);
    partner.pass(60_000);
    assert.deepEqual(toldOf(partner), []);
    assert.equal(partner.binding("10.0.0.10")?.status, "ACTIVE");
  });

  test("is told once its news must be here", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a", bindings: [given] }).becomeNormal();
    partner.pass(40_000);
    assert.deepEqual(toldOf(partner), [BINDING_STATUS_CODE.BACKUP]);
  });

  test("its lease's end here, of before, is not told meanwhile, unless the partner asks for all there is", () => {
    for (const member of ["a", "b"] as const) {
      for (const asks of [true, false]) {
        const released = {
          status: "RELEASED",
          client: hardwareClient(MAC),
          statusSince: at(-30),
          lastTransactionAt: at(-30),
          acknowledged: false,
        } as const;
        const partner = new ScriptedPartner({ dialect: "ISC", member, bindings: [released] });
        partner.meet();
        if (asks) partner.say({ type: "UPDREQALL" });
        partner.announce("NORMAL");
        partner.pass(10_000);
        assert.deepEqual(toldOf(partner), asks ? [BINDING_STATUS_CODE.RELEASED] : []);
        partner.pass(30_000);
        assert.deepEqual(toldOf(partner), [BINDING_STATUS_CODE.RELEASED]);
      }
    }
  });

  test("one that was abandoned before is not told as such meanwhile either, by whichever role", () => {
    for (const member of ["a", "b"] as const) {
      const abandoned = { status: "ABANDONED", statusSince: at(-30), acknowledged: false } as const;
      const partner = new ScriptedPartner({ dialect: "ISC", member, bindings: [abandoned] }).becomeNormal();
      partner.pass(10_000);
      assert.deepEqual(toldOf(partner), []);
      partner.pass(30_000);
      assert.deepEqual(toldOf(partner), [BINDING_STATUS_CODE.ABANDONED]);
    }
  });

  test("is told at once where it was given on this connection", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a" }).becomeNormal();
    const told = partner.heard.filter(({ message }) => message.type === "BNDUPD");
    assert.ok(told.length > 0);
  });

  test("and goes on being told as it answers, also when the connection is no second old", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a" });
    partner.pass(900);
    partner.meet({ maxUnackedUpdates: 1 });
    partner.announce("NORMAL");
    partner.pass(200);
    const given = partner.engine.leases.unacknowledgedCount;
    assert.ok(given > 1);
    partner.acknowledgeAll();
    assert.equal(partner.engine.leases.unacknowledgedCount, 0);
  });
});

test("a lease that crosses its client's release of before is told back to a dhcpd, which may have taken the release instead", () => {
  const released = {
    status: "RELEASED",
    client: hardwareClient(MAC),
    statusSince: at(0),
    lastTransactionAt: at(-10),
    acknowledged: false,
  } as const;
  const partner = new ScriptedPartner({ dialect: "ISC", member: "a", bindings: [released] });
  partner.meet();
  partner.announce("NORMAL");
  const [told] = partner.heard.filter(({ message }) => message.type === "BNDUPD");
  assert.ok(told?.message.type === "BNDUPD" && told.message.update.status === BINDING_STATUS_CODE.RELEASED);
  partner.update({ ...LEASE, lastTransaction: at(0) });
  partner.acknowledgeAll();
  partner.pass(100);
  const last = partner.heard.findLast(({ message }) => message.type === "BNDUPD");
  assert.ok(last?.message.type === "BNDUPD" && last.message.update.status === BINDING_STATUS_CODE.ACTIVE);
});
