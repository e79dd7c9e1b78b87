// Addresses that no client can have: the network's own, the members', routers'. What a partner says of them, and what becomes of
// leases that were there before. Source: failover draft 7.1.3, 12.21; practice K9; docs/protocol/draft-errata.md.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CompiledScope } from "../../../src/api/compiled.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import type { BindingUpdate } from "../../../src/dhcp/wire-failover/message.ts";
import { ip, scope } from "../server/world.ts";
import { ScriptedPartner } from "./scripted-partner.ts";
import { at, lease, RUNNING, STATUS } from "./told-lease.ts";

const MAC = "020000000001";
const REFUSED = "the address can be no client's";
/** The network's own addresses and those of both members. */
const NOBODYS = ["192.0.2.0", "192.0.2.255", "192.0.2.1", "192.0.2.2"] as const;
const ROUTERS = ["192.0.2.3", "192.0.2.4"] as const;
/** A range beside the members' own addresses. */
const WITH_SERVERS: CompiledScope = {
  ...scope("servers", "192.0.2.0/24", ["192.0.2.100", "192.0.2.119"]),
  options: [{ code: OPTION.ROUTERS, hex: "c0000203c0000204" }],
};

/** Why the engine refuses the update; null when it takes it. */
function verdict(partner: ScriptedPartner, update: Partial<BindingUpdate>) {
  const ack = partner.update(update).find(({ message }) => message.type === "BNDACK");
  assert.ok(ack?.message.type === "BNDACK");
  const { rejectReason, message } = ack.message;
  return rejectReason === null ? null : { rejectReason, message };
}

describe("an address in no range, told by a dhcpd", () => {
  const config = { scopes: [WITH_SERVERS] };
  const outside = ip("192.0.2.50");
  const router = ip(ROUTERS[0]);

  test("is taken where it is only outside of the ranges here: they may be others there, or were", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", config });
    partner.becomeNormal();
    assert.equal(verdict(partner, lease({ address: outside })), null);
    assert.equal(partner.engine.leases.get(outside)?.status, "ACTIVE");
  });

  test("is taken where its lease ran before it was a router's", () => {
    const bindings = [{ ...RUNNING, address: router }];
    const partner = new ScriptedPartner({ dialect: "ISC", config, bindings });
    partner.becomeNormal();
    assert.equal(verdict(partner, lease({ address: router, leaseExpiration: at(900) })), null);
    assert.equal(partner.engine.leases.get(router)?.expiresAt, at(900));
  });

  test("is refused as a new lease also where it was a client's before it was a router's", () => {
    const bindings = [{ status: "FREE", address: router } as const];
    const partner = new ScriptedPartner({ dialect: "ISC", config, bindings });
    partner.becomeNormal();
    assert.deepEqual(verdict(partner, lease({ address: router })), { rejectReason: 1, message: REFUSED });
  });

  test("is no client's: a refused one that says INIT-REBOOT gets no answer", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", config });
    partner.becomeNormal();
    for (const address of [...NOBODYS, ...ROUTERS]) {
      partner.update(lease({ address: ip(address) }));
      partner.ask({ type: "REQUEST", mac: MAC, requested: address, giaddr: "192.0.2.9" });
    }
    assert.deepEqual(partner.replies, []);
  });

  test("is agreed to be nobody's, and kept by nobody", () => {
    const partner = new ScriptedPartner({ dialect: "ISC", config });
    partner.becomeNormal();
    for (const status of [STATUS.FREE, STATUS.EXPIRED, STATUS.RELEASED]) {
      assert.equal(verdict(partner, lease({ address: router, status })), null);
      assert.equal(partner.engine.leases.get(router), null);
    }
  });
});

test("a router's address that one of our own leased before it heard of the router is taken, and told back to nobody", () => {
  const partner = new ScriptedPartner({ config: { scopes: [WITH_SERVERS] } });
  partner.becomeNormal();
  const router = ip(ROUTERS[0]);
  assert.equal(verdict(partner, lease({ address: router })), null);
  assert.equal(partner.engine.leases.get(router)?.acknowledged, true);
});

test("a lease of an address that one of our own refuses because it became a member's is settled, not sent for ever", () => {
  const address = ip("192.0.2.1");
  const bindings = [{ ...RUNNING, address, acknowledged: false }];
  const partner = new ScriptedPartner({ config: { scopes: [WITH_SERVERS] }, bindings });
  partner.meet();
  partner.announce("NORMAL");
  const sent = partner.heard.filter(({ message }) => message.type === "BNDUPD");
  assert.equal(sent.length, 1);
  const ack = { type: "BNDACK", address, rejectReason: 1, message: REFUSED, extras: null } as const;
  partner.say(ack, { xid: sent[0]!.xid });
  partner.pass(60_000);
  assert.equal(partner.heard.filter(({ message: { type } }) => type === "BNDUPD").length, 1);
  assert.equal(partner.engine.leases.get(address)?.acknowledged, true);
});
