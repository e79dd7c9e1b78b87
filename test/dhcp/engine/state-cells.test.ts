// The table of docs/protocol/states.md as the engine lives it: every state, every state of the partner, every other event, both
// kinds of fencing and both roles; what an engine asks for, and in which order it writes and speaks. The table itself is typed
// by hand in test/dhcp/failover/transition.test.ts. Source: failover draft 9.2-9.14; rules S8, W5, W7.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unixSeconds } from "../../../src/base/units.ts";
import {
  onLinkLost,
  onPartnerState,
  onShutDown,
  onStopInOrder,
  SETTLED_STATES,
  type SettledState,
  stateAfterRestart,
} from "../../../src/dhcp/failover/transition.ts";
import { freshBinding } from "../../../src/dhcp/lease/binding.ts";
import type { Fencing } from "../../../src/dhcp/lease/durable-record.ts";
import { ENDPOINT_STATE_CODE } from "../../../src/dhcp/lease/durable-record.ts";
import { hardwareClient, ip, MAC_1, MAC_2 } from "../server/world.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const CONFLICT: readonly SettledState[] = ["POTENTIAL-CONFLICT", "RESOLUTION-INTERRUPTED", "CONFLICT-DONE"];
const FENCINGS = ["None", "Witness"] as const;
const MEMBERS = ["a", "b"] as const;

/** A linked engine in this state, which has heard nothing of its partner yet. */
function engineIn(state: SettledState, fencing: Fencing, member: "a" | "b" = "b"): ScriptedPartner {
  const partner = new ScriptedPartner({ member, config: { fencing } });
  partner.meet();
  const { engine } = partner;
  engine.startupEndsAt = null;
  const entry = { wall: partner.now.wall, boot: partner.now.boot, bootId: "boot-1" };
  const isAlone = state === "PARTNER-DOWN";
  // A recovery that was just begun, so that none of its waits is over.
  const outageSince =
    state === "RECOVER" || state === "RECOVER-WAIT" ? partner.now.wall : engine.endpoint.outageSince;
  engine.endpoint = { ...engine.endpoint, state, outageSince, ...(isAlone && { entry, entered: 1 }) };
  partner.heard.length = 0;
  return partner;
}

/** Where the engine knows more than the table: what was said on this very connection. */
function expected(me: SettledState, partner: SettledState, fencing: Fencing): SettledState {
  // W7: only for who has asked for everything on this connection, and been told it.
  if (me === "PARTNER-DOWN" && partner === "RECOVER-DONE") return me;
  // W7: this RECOVER-DONE is of an older connection.
  if (me === "RECOVER-DONE" && partner === "PARTNER-DOWN") return "RECOVER";
  return onPartnerState(me, partner, fencing) ?? me;
}

function asksIn(state: SettledState, partner: SettledState, member: "a" | "b"): boolean {
  if (state === "RECOVER") return !CONFLICT.includes(partner);
  return state === "POTENTIAL-CONFLICT" && (member === "a" || partner === "CONFLICT-DONE");
}

/** The states that are announced. Whom its operator set back is told of NORMAL again. */
function announced(me: SettledState, heard: SettledState, next: SettledState): readonly SettledState[] {
  const isSetBack = me === "NORMAL" && (heard === "COMMUNICATIONS-INTERRUPTED" || heard === "RECOVER-DONE");
  return next === me && !isSetBack ? [] : [next];
}

function requestsOf(partner: ScriptedPartner): readonly string[] {
  return partner.heard.map(({ message }) => message.type).filter((type) => type.startsWith("UPDREQ"));
}

describe("hearing the partner's state", () => {
  for (const me of SETTLED_STATES) {
    test(`${me}: moves as the table says, tells so, and asks for updates where it wants them`, () => {
      for (const fencing of FENCINGS)
        for (const member of MEMBERS)
          for (const heard of SETTLED_STATES) {
            const cell = `${me} hearing ${heard}, ${fencing}, member ${member}`;
            const partner = engineIn(me, fencing, member);
            partner.announce(heard);
            const next = expected(me, heard, fencing);
            assert.equal(partner.engine.endpoint.state, next, cell);
            const told = partner.heard.flatMap(({ message }) =>
              message.type === "STATE" ? [message.state] : [],
            );
            assert.deepEqual(
              told,
              announced(me, heard, next).map((state) => ENDPOINT_STATE_CODE[state]),
              `${cell}: announced`,
            );
            const asked = requestsOf(partner);
            assert.deepEqual(asked, asksIn(next, heard, member) ? ["UPDREQ"] : [], `${cell}: asks`);
          }
    });
  }

  test("W10: whoever has lost its leases asks for all of them, also to settle a conflict", () => {
    for (const me of ["RECOVER", "POTENTIAL-CONFLICT"] as const)
      for (const fencing of FENCINGS)
        for (const member of MEMBERS)
          for (const heard of SETTLED_STATES) {
            const partner = engineIn(me, fencing, member);
            partner.engine.endpoint = { ...partner.engine.endpoint, complete: false };
            partner.announce(heard);
            const cell = `${me} hearing ${heard}, ${fencing}, member ${member}`;
            const next = expected(me, heard, fencing);
            assert.equal(partner.engine.endpoint.state, next, cell);
            assert.deepEqual(requestsOf(partner), asksIn(next, heard, member) ? ["UPDREQALL"] : [], cell);
          }
  });

  test("a STATE of a partner in STARTUP moves nobody: it speaks of its past", () => {
    for (const me of SETTLED_STATES)
      for (const heard of SETTLED_STATES) {
        const partner = engineIn(me, "None");
        const report = { state: ENDPOINT_STATE_CODE[heard], startTimeOfState: partner.now.wall };
        partner.say({ type: "STATE", ...report, flags: 1, extras: null });
        assert.equal(partner.engine.endpoint.state, me, `${me} hearing ${heard}`);
      }
  });

  test("a server-state that nobody knows, or STARTUP, ends the connection", () => {
    for (const state of [0, 1, 12, 13, 99, 253, 255]) {
      const partner = engineIn("NORMAL", "None");
      partner.say({ type: "STATE", state, flags: 0, startTimeOfState: partner.now.wall, extras: null });
      assert.deepEqual(partner.closed, [`unknown server-state ${state}`]);
    }
  });

  test("draft 9.6: RECOVER-WAIT is 254, as a dhcpd says it", () => {
    const hearing = engineIn("NORMAL", "None");
    const report = { flags: 0, startTimeOfState: hearing.now.wall, extras: null };
    hearing.say({ type: "STATE", state: 254, ...report });
    assert.equal(hearing.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
    const saying = engineIn("RECOVER", "None");
    saying.announce("PARTNER-DOWN");
    const request = saying.heard.find(({ message }) => message.type.startsWith("UPDREQ"))!;
    const [said] = saying.say({ type: "UPDDONE" }, { xid: request.xid });
    assert.ok(said?.message.type === "STATE" && said.message.state === 254);
  });

  test("S8: a new state is written down before it is announced", () => {
    for (const me of SETTLED_STATES)
      for (const heard of SETTLED_STATES) {
        const partner = engineIn(me, "None");
        const [writes, words] = [partner.written.length, partner.order.length];
        partner.announce(heard);
        if (partner.engine.endpoint.state === me) continue;
        const order = partner.order.slice(words);
        const durable = partner.written.slice(writes).findIndex((record) => {
          return record.kind === "endpoint" && record.endpoint.state !== me;
        });
        assert.notEqual(durable, -1, `${me} hearing ${heard}: written`);
        assert.ok(
          order.indexOf("STATE") > nthIndex(order, "append", durable),
          `${me} hearing ${heard}: ${order.join(" ")}`,
        );
      }
  });
});

function nthIndex(list: readonly string[], what: string, n: number): number {
  let index = -1;
  for (let i = 0; i <= n; i++) index = list.indexOf(what, index + 1);
  return index;
}

describe("the other events", () => {
  for (const me of SETTLED_STATES) {
    test(`${me}: link lost, UPDDONE that answers nothing, shut down, stop in order, start again`, () => {
      for (const fencing of FENCINGS) {
        const lost = engineIn(me, fencing);
        lost.deliver({ kind: "link-closed", connection: lost.connection, reason: "reset" });
        assert.equal(lost.engine.endpoint.state, onLinkLost(me) ?? me, `${me}, link lost`);
        const unasked = engineIn(me, fencing);
        for (let xid = 0; xid < 5; xid++) unasked.say({ type: "UPDDONE" }, { xid });
        assert.equal(unasked.engine.endpoint.state, me, `${me}, an UPDDONE that answers nothing`);
        const away = engineIn(me, fencing);
        // Whoever goes is heard by a partner in NORMAL.
        if (me === "NORMAL") away.announce("NORMAL");
        away.deliver({ kind: "shut-down" });
        assert.equal(
          away.engine.endpoint.state,
          onShutDown(me, fencing) ?? me,
          `${me}, shut down, ${fencing}`,
        );
        const stopped = engineIn(me, fencing);
        stopped.deliver({ kind: "stopping" });
        assert.equal(stopped.engine.endpoint.state, onStopInOrder(me) ?? me, `${me}, stop in order`);
        const again = new ScriptedPartner({ saved: me, config: { fencing } });
        const alone = stateAfterRestart(me);
        // The wait is over as soon as somebody looks: nothing of it was left in this store.
        const settled = alone === "RECOVER-WAIT" ? "RECOVER-DONE" : alone;
        again.pass(6_000);
        assert.equal(again.engine.endpoint.state, settled, `${me}, start again`);
      }
    });
  }

  test("UPDDONE that answers the request leads on: as primary, as secondary, in recovery", () => {
    for (const [me, heard, member, fencing, next] of [
      ["POTENTIAL-CONFLICT", "POTENTIAL-CONFLICT", "a", "None", "CONFLICT-DONE"],
      ["POTENTIAL-CONFLICT", "CONFLICT-DONE", "b", "None", "NORMAL"],
      ["RECOVER", "PARTNER-DOWN", "b", "None", "RECOVER-WAIT"],
      ["RECOVER", "PARTNER-DOWN", "b", "Witness", "RECOVER-DONE"],
    ] as const) {
      const partner = engineIn(me, fencing, member);
      partner.announce(heard);
      const request = partner.heard.find(({ message }) => message.type.startsWith("UPDREQ"))!;
      partner.say({ type: "UPDDONE" }, { xid: request.xid + 1_000 });
      assert.equal(partner.engine.endpoint.state, me, "another xid answers nothing");
      partner.say({ type: "UPDDONE" }, { xid: request.xid });
      assert.equal(partner.engine.endpoint.state, next, `${me} hearing ${heard}`);
    }
  });

  test("a secondary in POTENTIAL-CONFLICT does not ask, nor leave, before its partner is in CONFLICT-DONE (draft 9.10.3)", () => {
    const partner = engineIn("POTENTIAL-CONFLICT", "None", "b");
    for (const heard of SETTLED_STATES.filter((state) => state !== "CONFLICT-DONE")) {
      partner.announce(heard);
      for (let xid = 0; xid < 20; xid++) partner.say({ type: "UPDDONE" }, { xid });
      assert.equal(partner.engine.endpoint.state, "POTENTIAL-CONFLICT", heard);
      assert.deepEqual(requestsOf(partner), []);
    }
  });
});

describe("S9: whom each state answers", () => {
  const everybody = ["OFFER", "ACK"];
  const answered: Readonly<Record<SettledState, readonly string[]>> = {
    NORMAL: everybody,
    "COMMUNICATIONS-INTERRUPTED": everybody,
    "PARTNER-DOWN": everybody,
    "POTENTIAL-CONFLICT": [],
    "RESOLUTION-INTERRUPTED": everybody,
    "CONFLICT-DONE": everybody,
    RECOVER: [],
    "RECOVER-WAIT": [],
    "RECOVER-DONE": ["ACK"],
    PAUSED: [],
    SHUTDOWN: [],
  };
  for (const me of SETTLED_STATES) {
    test(`${me}: ${answered[me].join(" and ") || "nobody"}, to one who comes and one who renews`, () => {
      const partner = engineIn(me, "None", "a");
      ask(partner);
      assert.deepEqual(partner.replies, answered[me]);
    });
  }

  test("STARTUP: nobody, whatever the state of before", () => {
    for (const saved of SETTLED_STATES) {
      const partner = new ScriptedPartner({ member: "a", saved });
      ask(partner);
      assert.deepEqual(partner.replies, [], saved);
    }
  });
});

/** A new client comes, and one with a lease of half an hour renews. */
function ask(partner: ScriptedPartner): void {
  const { wall } = partner.now;
  const expiresAt = unixSeconds(wall + 1_800);
  partner.engine.leases.put({
    ...freshBinding(ip("10.0.0.10")),
    status: "ACTIVE",
    client: hardwareClient(MAC_2),
    expiresAt,
    potentialAcked: expiresAt,
    lastTransactionAt: wall,
  });
  // Who has tried for a minute is answered whoever's client it is.
  partner.ask({ type: "DISCOVER", mac: MAC_1, secs: 60 });
  partner.ask({ type: "REQUEST", mac: MAC_2, ciaddr: "10.0.0.10", secs: 60 });
}
