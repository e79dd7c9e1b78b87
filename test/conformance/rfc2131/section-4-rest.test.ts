// RFC 2131: what servers should not do, and what is certain whatever form a REQUEST has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { handleDatagram } from "../../../src/dhcp/server/handle-datagram.ts";
import { ProbeTable } from "../../../src/dhcp/server/probe-table.ts";
import {
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  local,
  MAC_2,
  routed,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const FORMS: readonly [string, Omit<ClientMessage, "type">, ReturnType<typeof local>][] = [
  ["SELECTING", { requested: "10.0.0.15", server: "192.0.2.1" }, local()],
  ["INIT-REBOOT", { requested: "10.0.0.15" }, local()],
  ["RENEWING", { ciaddr: "10.0.0.15" }, routed("10.0.0.15", 68)],
  ["REBINDING", { ciaddr: "10.0.0.15" }, local("10.0.0.15")],
];

for (const [form, parts, arrival] of FORMS) {
  test(`${form}: an address that another client holds is refused`, () => {
    const world = new World();
    world.record("10.0.0.15", "ACTIVE", hardwareClient(MAC_2));
    const reply = asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival));
    assert.deepEqual([reply.messageType, reply.nakReason], ["NAK", "held-by-another"]);
  });
}

test("4.3.2: an address that is not the client's is refused in each of the four forms", () => {
  const refused = FORMS.filter(([, parts, arrival]) => {
    const world = new World();
    world.record("10.0.0.15", "ACTIVE", hardwareClient(MAC_2));
    return asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival)).messageType === "NAK";
  });
  assert.equal(refused.length, FORMS.length);
});

test("3.1 and 3.2: a REQUEST is answered in the same step, without a look at whether the address is in use", () => {
  for (const [form, parts, arrival] of FORMS) {
    const world = new World();
    world.record("10.0.0.15", "ACTIVE", hardwareClient());
    assert.equal(
      asReply(world.send(clientMessage({ type: "REQUEST", ...parts }), arrival)).messageType,
      "ACK",
      form,
    );
  }
});

test("3.1: an address is looked for on the wire before it is offered where the scope asks for it, and nowhere else", () => {
  for (const [addressProbe, expected] of [
    [true, "probe"],
    [false, "reply"],
  ] as const) {
    const world = new World(twoScopes({ policy: { ...DEFAULT_SCOPE_POLICY, addressProbe } }));
    const view = { ...world.view, probes: new ProbeTable() };
    const outcome = handleDatagram(view, clientMessage({ type: "DISCOVER" }), local(), world.now);
    assert.equal(outcome.kind, expected);
  }
});
