// Where a dhcpd 4.4 moves otherwise than the draft: each such cell, and what becomes of our engine on the other end. Some end
// the dhcpd's process, or leave it in SHUTDOWN for good; those our engine must never bring about.
// Source: docs/protocol/draft-errata.md, "dhcpd as partner" (dhcpd 4.4, in its source and as seen); failover draft 9.2.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import { isTakeoverDue } from "../../../src/dhcp/engine/takeover.ts";
import { SETTLED_STATES, type SettledState } from "../../../src/dhcp/failover/transition.ts";
import { ENDPOINT_STATE_CODE } from "../../../src/dhcp/lease/durable-record.ts";
import { HELD_MS, START } from "./pair.ts";
import { ScriptedPartner, type ScriptOptions } from "./scripted-partner.ts";

const N = "NORMAL";
const CI = "COMMUNICATIONS-INTERRUPTED";
const PD = "PARTNER-DOWN";
const PC = "POTENTIAL-CONFLICT";
const RI = "RESOLUTION-INTERRUPTED";
const CD = "CONFLICT-DONE";
const R = "RECOVER";
const RW = "RECOVER-WAIT";
const RD = "RECOVER-DONE";
const P = "PAUSED";
const S = "SHUTDOWN";

/** Each cell in which dhcpd leaves the draft: it is in `dhcpd`, hears `ours`, and goes where the draft would not. */
const CELLS: readonly {
  readonly dhcpd: SettledState;
  readonly hears: SettledState;
  readonly goesTo: SettledState | "the end of its process";
  /** What we are once we have heard that; null: we never say it to a dhcpd in that state. */
  readonly leavesUs: SettledState | null;
}[] = [
  ...([PC, RI, CD] as const).map((hears) => ({ dhcpd: N, hears, goesTo: S, leavesUs: null }) as const),
  { dhcpd: N, hears: R, goesTo: PD, leavesUs: R },
  { dhcpd: CI, hears: R, goesTo: PD, leavesUs: R },
  { dhcpd: CI, hears: RW, goesTo: N, leavesUs: RW },
  { dhcpd: PC, hears: N, goesTo: S, leavesUs: null },
  // Hearing its conflict we are in it, and so is it again as soon as it hears us.
  { dhcpd: PC, hears: R, goesTo: R, leavesUs: PC },
  { dhcpd: R, hears: N, goesTo: PC, leavesUs: PC },
  ...([CI, PD, CD, R, RW, RD, P] as const).map(
    (hears) => ({ dhcpd: CD, hears, goesTo: "the end of its process", leavesUs: null }) as const,
  ),
  { dhcpd: CD, hears: S, goesTo: S, leavesUs: null },
  ...([PC, RI, R, RD] as const).map((dhcpd) => ({ dhcpd, hears: S, goesTo: PD, leavesUs: null }) as const),
];

const codeOf = (state: SettledState) => ENDPOINT_STATE_CODE[state];

function announced(partner: ScriptedPartner): readonly SettledState[] {
  return partner.heard.flatMap(({ message }) =>
    message.type === "STATE" ? SETTLED_STATES.filter((state) => codeOf(state) === message.state) : [],
  );
}

/** We come back to a dhcpd of which we remember this state, and it says that state. */
function comeBack(saved: SettledState, dhcpd: SettledState, options: ScriptOptions = {}): ScriptedPartner {
  // Our waits begin now, so that none is over.
  const partner = new ScriptedPartner({ dialect: "ISC", saved, ...options });
  partner.engine.endpoint = {
    ...partner.engine.endpoint,
    partnerState: dhcpd,
    outageSince: partner.now.wall,
  };
  partner.meet();
  partner.announce(dhcpd);
  return partner;
}

describe("dhcpd's own cells", () => {
  for (const { dhcpd, hears, goesTo, leavesUs } of CELLS) {
    if (leavesUs === null || goesTo === "the end of its process") continue;
    test(`${dhcpd} hearing ${hears} goes to ${goesTo}: that leaves us in ${leavesUs}`, () => {
      const partner = comeBack(hears, dhcpd);
      partner.announce(goesTo);
      const { state } = partner.engine.endpoint;
      assert.equal(state, leavesUs);
      if (state !== R) return;
      const asked = partner.heard.filter(({ message }) => message.type.startsWith("UPDREQ"));
      assert.equal(asked.length, 1, "it asks for what it missed, once");
    });
  }

  test("RECOVER to a dhcpd that goes to PARTNER-DOWN: we fetch everything, wait, and both are NORMAL", () => {
    const partner = comeBack(R, CI);
    partner.announce(PD);
    const request = partner.heard.find(({ message }) => message.type.startsWith("UPDREQ"))!;
    partner.say({ type: "UPDDONE" }, { xid: request.xid });
    assert.equal(partner.engine.endpoint.state, RW);
    partner.pass(602_000);
    assert.equal(partner.engine.endpoint.state, RD);
    partner.announce(N);
    assert.equal(partner.engine.endpoint.state, N);
  });
});

/** By state of the dhcpd: what it must never hear from us, or its process ends or it shuts down for good. */
const FATAL: Readonly<Partial<Record<SettledState, readonly SettledState[]>>> = Object.fromEntries(
  [N, PC, CD, RI, R, RD].map((dhcpd) => [
    dhcpd,
    CELLS.filter((cell) => cell.dhcpd === dhcpd && cell.leavesUs === null).map(({ hears }) => hears),
  ]),
);

/** Where it cannot be helped, and why. */
const UNAVOIDABLE: readonly {
  readonly dhcpd: SettledState;
  readonly saved: readonly SettledState[];
  readonly why: string;
}[] = [
  {
    dhcpd: N,
    saved: [PC, RI, CD],
    why: "a dhcpd that loses the link is in NORMAL no more: it was in the conflict too",
  },
  { dhcpd: CD, saved: [PD], why: "a human said of a dhcpd that lives that it is down" },
  { dhcpd: CD, saved: [R, RW, RD], why: "our disk was lost in the middle of the conflict" },
  { dhcpd: CD, saved: [CD], why: "of two members one is primary" },
  { dhcpd: CD, saved: [S], why: "SHUTDOWN is entered beside a partner in NORMAL alone" },
  { dhcpd: CD, saved: [CI], why: "who hears CONFLICT-DONE is in the conflict, not beside it" },
];

describe("what a dhcpd must not hear", () => {
  for (const [dhcpd, fatal] of Object.entries(FATAL) as [SettledState, readonly SettledState[]][]) {
    test(`${dhcpd}: never ${fatal.join(", ")}, whatever we were before`, () => {
      for (const saved of SETTLED_STATES) {
        const isHelpless = UNAVOIDABLE.some((one) => one.dhcpd === dhcpd && one.saved.includes(saved));
        if (isHelpless) continue;
        const options = { remembers: { partnerState: dhcpd } };
        const partner = new ScriptedPartner({ dialect: "ISC", saved, ...options });
        partner.meet();
        partner.announce(dhcpd);
        partner.pass(1_000);
        partner.announce(dhcpd);
        for (const state of announced(partner)) {
          assert.ok(!fatal.includes(state), `saved ${saved}: ${announced(partner).join(", ")}`);
        }
      }
    });
  }

  test("CONFLICT-DONE: a link lost, a crash and a stop just after we went to NORMAL lead back into the conflict", () => {
    for (const how of ["link lost", "crash", "stop in order"] as const) {
      const partner = comeBack(RI, CD);
      assert.equal(partner.engine.endpoint.state, PC);
      const request = partner.heard.find(({ message }) => message.type.startsWith("UPDREQ"))!;
      partner.say({ type: "UPDDONE" }, { xid: request.xid });
      assert.equal(partner.engine.endpoint.state, N);
      // The dhcpd has not heard that, or we do not know that it has.
      if (how === "stop in order") partner.deliver({ kind: "stopping" });
      let back = partner;
      if (how === "link lost") {
        partner.deliver({ kind: "link-closed", connection: partner.connection, reason: "reset" });
      } else {
        const { state, partnerState } = partner.engine.endpoint;
        back = new ScriptedPartner({
          dialect: "ISC",
          saved: state as SettledState,
          remembers: { partnerState },
        });
      }
      back.heard.length = 0;
      back.meet();
      back.announce(CD);
      for (const state of announced(back)) assert.ok([N, PC, RI].includes(state), `${how}: ${state}`);
      assert.equal(back.engine.endpoint.state, PC, how);
    }
  });

  test("CONFLICT-DONE: its first CONTACT after we went to NORMAL does not lead back into the conflict", () => {
    const partner = comeBack(RI, CD);
    const request = partner.heard.find(({ message }) => message.type.startsWith("UPDREQ"))!;
    partner.say({ type: "UPDDONE" }, { xid: request.xid });
    // It has not heard of NORMAL yet.
    partner.say({ type: "CONTACT", extras: null });
    assert.deepEqual(announced(partner).slice(-2), [PC, N]);
    assert.equal(partner.engine.endpoint.state, N);
  });

  test("SHUTDOWN: a stop in order is a pause to it, from every state", () => {
    for (const saved of SETTLED_STATES) {
      const partner = comeBack(saved, N);
      partner.deliver({ kind: "stopping" });
      assert.ok(!announced(partner).includes(S), saved);
    }
  });

  test("POTENTIAL-CONFLICT: as secondary we say NORMAL only with its UPDDONE, after its CONFLICT-DONE", () => {
    const partner = comeBack(RI, PC);
    for (let xid = 0; xid < 20; xid++) partner.say({ type: "UPDDONE" }, { xid });
    partner.pass(30_000);
    assert.ok(!announced(partner).includes(N));
    partner.announce(CD);
    const request = partner.heard.find(({ message }) => message.type.startsWith("UPDREQ"))!;
    partner.say({ type: "UPDDONE" }, { xid: request.xid });
    assert.equal(announced(partner).at(-1), N);
  });

  test("POTENTIAL-CONFLICT: the answer to what we asked in RECOVER is none to the conflict", () => {
    const partner = comeBack(R, PD);
    const requests = () => partner.heard.filter(({ message }) => message.type.startsWith("UPDREQ"));
    const [before] = requests();
    partner.announce(PC);
    partner.say({ type: "UPDDONE" }, { xid: before!.xid });
    assert.equal(announced(partner).at(-1), PC);
    partner.announce(CD);
    assert.equal(requests().length, 2);
    partner.say({ type: "UPDDONE" }, { xid: requests()[1]!.xid });
    assert.equal(announced(partner).at(-1), N);
  });
});

test("a partner that its operator set back is told of NORMAL again", () => {
  for (const state of [CI, RD] as const) {
    const partner = comeBack(N, N);
    const before = announced(partner).length;
    partner.announce(state);
    assert.deepEqual(announced(partner).slice(before), [N]);
    partner.announce(N);
    assert.equal(announced(partner).length, before + 1);
  }
});

test("a first STATE of a starting dhcpd without the STARTUP flag is followed by its true one: the last counts", () => {
  const partner = comeBack(N, CI);
  assert.equal(partner.engine.endpoint.state, N);
  partner.announce(S);
  partner.announce(R);
  partner.announce(RD);
  partner.announce(N);
  assert.notEqual(partner.engine.session, null);
});

test("a dhcpd that stays in SHUTDOWN for good after its restart leaves us serving, and its updates are taken", () => {
  const partner = comeBack(CI, S);
  assert.equal(partner.engine.endpoint.state, PD);
  const [ack] = partner.update({ status: 1, leaseExpiration: partner.now.wall });
  assert.ok(ack?.message.type === "BNDACK" && ack.message.rejectReason === null);
});

test("the addresses of a dhcpd that says SHUTDOWN are taken over an MCLT after it has said so, whatever was before", () => {
  for (const entry of [null, { wall: unixSeconds(START - 1), boot: bootMs(999_000), bootId: "boot-1" }]) {
    const partner = new ScriptedPartner({ dialect: "ISC", member: "a", remembers: { entry } });
    partner.meet();
    partner.announce("NORMAL");
    partner.acknowledgeAll();
    partner.pass(HELD_MS);
    partner.acknowledgeAll();
    // Longer than the MCLT after the entry of before.
    partner.pass(900_000);
    partner.acknowledgeAll();
    const saidAt = partner.now.wall;
    partner.announce("SHUTDOWN");
    const { endpoint, config } = partner.engine;
    assert.equal(endpoint.state, "PARTNER-DOWN");
    assert.equal(endpoint.entry?.wall, saidAt);
    const theirs = [...partner.engine.leases.bindings()].find(({ status }) => status === "BACKUP")!;
    assert.equal(isTakeoverDue(partner.engine, theirs, partner.now), false, "at once");
    partner.pass((config.mcltSeconds - 1) * 1000);
    assert.equal(isTakeoverDue(partner.engine, theirs, partner.now), false, "before the MCLT is over");
    partner.pass(120_000);
    assert.equal(isTakeoverDue(partner.engine, theirs, partner.now), true, "after it");
  }
});
