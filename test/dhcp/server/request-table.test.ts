// The four forms of REQUEST against what the server knows about the address: every cell.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4 } from "../../../src/base/ipv4.ts";
import type { Arrival } from "../../../src/dhcp/ports.ts";
import {
  answer,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  local,
  MAC_2,
  routed,
  World,
} from "./world.ts";

const ADDRESS = "10.0.0.15";

type Form = "selecting" | "init-reboot" | "renewing" | "rebinding";

const SENT: Record<Form, readonly [parts: Omit<ClientMessage, "type">, arrival: Arrival]> = {
  selecting: [{ requested: ADDRESS, server: "192.0.2.1" }, local()],
  "init-reboot": [{ requested: ADDRESS }, local()],
  renewing: [{ ciaddr: ADDRESS }, routed(ADDRESS, 68)],
  rebinding: [{ ciaddr: ADDRESS }, local(ADDRESS)],
};

const MINE = hardwareClient();
const OTHER = hardwareClient(MAC_2);

/** What stands in the lease table, and what each form is answered. */
const TABLE: readonly [name: string, prepare: (world: World) => void, expected: Record<Form, string>][] = [
  [
    "no record, address free to give",
    () => {},
    {
      selecting: "ACK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "no record, the client holds another address of the network",
    (world) => world.record("10.0.0.16", "ACTIVE", MINE),
    { selecting: "ACK", "init-reboot": "NAK", renewing: "NAK", rebinding: "NAK" },
  ],
  [
    "BACKUP (the partner's), the client holds another address of the network",
    (world) => {
      world.record(ADDRESS, "BACKUP", null);
      world.record("10.0.0.16", "ACTIVE", MINE);
    },
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "no record, the client held another address of the network",
    (world) => world.record("10.0.0.16", "EXPIRED", MINE),
    {
      selecting: "ACK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "ACTIVE, this client",
    (world) => world.record(ADDRESS, "ACTIVE", MINE),
    { selecting: "ACK", "init-reboot": "ACK", renewing: "ACK", rebinding: "ACK" },
  ],
  [
    "ACTIVE, another client",
    (world) => world.record(ADDRESS, "ACTIVE", OTHER),
    { selecting: "NAK", "init-reboot": "NAK", renewing: "NAK", rebinding: "NAK" },
  ],
  [
    "FREE, this client had it last",
    (world) => world.record(ADDRESS, "FREE", MINE),
    { selecting: "ACK", "init-reboot": "ACK", renewing: "ACK", rebinding: "ACK" },
  ],
  [
    "FREE, another client had it last",
    (world) => world.record(ADDRESS, "FREE", OTHER),
    {
      selecting: "ACK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "BACKUP (the partner's), nobody had it",
    (world) => world.record(ADDRESS, "BACKUP", null),
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "BACKUP (the partner's), this client had it last",
    (world) => world.record(ADDRESS, "BACKUP", MINE),
    {
      selecting: "NAK",
      "init-reboot": "not-ours-to-give",
      renewing: "not-ours-to-give",
      rebinding: "not-ours-to-give",
    },
  ],
  [
    "EXPIRED, this client",
    (world) => world.record(ADDRESS, "EXPIRED", MINE),
    { selecting: "ACK", "init-reboot": "ACK", renewing: "ACK", rebinding: "ACK" },
  ],
  [
    "EXPIRED, another client",
    (world) => world.record(ADDRESS, "EXPIRED", OTHER),
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "RELEASED, this client",
    (world) => world.record(ADDRESS, "RELEASED", MINE),
    { selecting: "ACK", "init-reboot": "ACK", renewing: "ACK", rebinding: "ACK" },
  ],
  [
    "RELEASED, another client",
    (world) => world.record(ADDRESS, "RELEASED", OTHER),
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "ABANDONED",
    (world) => world.record(ADDRESS, "ABANDONED", null),
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "RESET, this client",
    (world) => world.record(ADDRESS, "RESET", MINE),
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
  [
    "no record, offered to another client",
    (world) => world.offers.hold(world.record(ADDRESS, "FREE", null).address, "another", world.now.boot),
    {
      selecting: "NAK",
      "init-reboot": "unknown-lease",
      renewing: "unknown-lease",
      rebinding: "unknown-lease",
    },
  ],
];

for (const [name, prepare, expected] of TABLE) {
  for (const form of Object.keys(SENT) as Form[]) {
    test(`${form}, ${name}: ${expected[form]}`, () => {
      const world = new World();
      prepare(world);
      const [parts, arrival] = SENT[form];
      const outcome = world.send(clientMessage({ type: "REQUEST", ...parts }), arrival);
      assert.equal(answer(outcome), expected[form]);
      if (outcome.kind === "reply" && outcome.messageType === "ACK") {
        assert.equal(formatIpv4(outcome.address), ADDRESS);
        assert.equal(outcome.binding?.next.status, "ACTIVE");
      }
    });

    test(`${form}, ${name}, RenewOnly: only a running lease is answered`, () => {
      const world = new World();
      prepare(world);
      world.authority.service = "RenewOnly";
      const [parts, arrival] = SENT[form];
      const outcome = world.send(clientMessage({ type: "REQUEST", ...parts }), arrival);
      const isRenewal = name === "ACTIVE, this client" && form !== "selecting";
      assert.equal(answer(outcome), isRenewal ? "ACK" : "not-serving");
    });

    test(`${form}, ${name}, service None: silence`, () => {
      const world = new World();
      prepare(world);
      world.authority.service = "None";
      const [parts, arrival] = SENT[form];
      assert.equal(answer(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival)), "not-serving");
    });
  }
}

test("the load balance is never asked about a REQUEST", () => {
  for (const [, prepare] of TABLE) {
    for (const [parts, arrival] of Object.values(SENT)) {
      const world = new World();
      prepare(world);
      world.authority.responsible = false;
      world.send(clientMessage({ type: "REQUEST", ...parts }), arrival);
      assert.ok(!world.authority.questions.some((question) => question.startsWith("responsible")));
    }
  }
});

test("an authority that refuses turns every ACK into silence", () => {
  for (const [parts, arrival] of Object.values(SENT)) {
    const world = new World();
    world.record(ADDRESS, "ACTIVE", MINE);
    world.authority.refuse = () => true;
    assert.equal(
      answer(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival)),
      "not-ours-to-give",
    );
  }
});

test("a cap of 0 turns every ACK into silence", () => {
  for (const [parts, arrival] of Object.values(SENT)) {
    const world = new World();
    world.record(ADDRESS, "ACTIVE", MINE);
    world.authority.mcltSeconds = 0;
    assert.equal(answer(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival)), "no-lease-time");
  }
});
