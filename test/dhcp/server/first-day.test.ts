// The first day in a network where another server has been, or still is: its leases are unknown here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { ProbeTable } from "../../../src/dhcp/server/probe-table.ts";
import { answer, clientMessage, hardwareClient, local, routed, twoScopes, World } from "./world.ts";

const mac = (i: number) => `0200000000${i.toString(16).padStart(2, "0")}`;

test("clients with the old server's leases get silence, never a NAK, whatever they ask in whichever form", () => {
  const w = new World();
  for (let i = 0; i < 50; i++) {
    const address = `10.0.0.${10 + (i % 11)}`;
    const forms = [
      clientMessage({ type: "REQUEST", mac: mac(i), requested: address }),
      clientMessage({ type: "REQUEST", mac: mac(i), ciaddr: address }),
      clientMessage({ type: "REQUEST", mac: mac(i), requested: address, server: "10.0.0.250" }),
      clientMessage({ type: "RELEASE", mac: mac(i), ciaddr: address, server: "10.0.0.250" }),
      clientMessage({ type: "DECLINE", mac: mac(i), requested: address, server: "10.0.0.250" }),
    ];
    for (const bytes of forms) {
      for (const arrival of [local(address), routed(address)]) {
        assert.equal(w.send(bytes, arrival).kind, "dropped");
      }
    }
  }
  assert.deepEqual(
    [...w.counters.outcomes.keys()].filter((label) => label.startsWith("nak")),
    [],
  );
  assert.equal(w.leases.size, 0, "and nothing was quarantined or given");
});

test("a client whose old lease ended there is offered the address it asks for, if it is free", () => {
  const w = new World();
  const bytes = clientMessage({ type: "DISCOVER", mac: mac(1), requested: "10.0.0.17" });
  const outcome = w.send(bytes, local());
  assert.ok(outcome.kind === "reply" && outcome.address === 0x0a000011);
});

test("with probing on, an address that the old server's client still uses is looked for before it is offered", () => {
  const policy = { ...DEFAULT_SCOPE_POLICY, addressProbe: true };
  const w = new World(twoScopes({ policy }));
  Object.assign(w.view, { probes: new ProbeTable() });
  assert.equal(answer(w.send(clientMessage({ type: "DISCOVER", mac: mac(1) }), local())), "probe");
  w.record("10.0.0.15", "RELEASED", hardwareClient(mac(2)));
  assert.equal(answer(w.send(clientMessage({ type: "DISCOVER", mac: mac(2) }), local())), "OFFER");
});

test("where the old server still serves, authoritative: false holds back the last NAK, too", () => {
  const wrong = clientMessage({ type: "REQUEST", mac: mac(1), requested: "172.16.0.5" });
  assert.equal(answer(new World().send(wrong, local())), "NAK");
  const policy = { ...DEFAULT_SCOPE_POLICY, authoritative: false };
  assert.equal(answer(new World(twoScopes({ policy })).send(wrong, local())), "not-authoritative");
});
