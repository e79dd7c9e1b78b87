// Packed reservations answer as the list that they were made of.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledRelayAgent, CompiledReservation } from "../../../src/api/compiled.ts";
import type { Ipv4 } from "../../../src/base/ipv4.ts";
import { packConfig } from "../../../src/dhcp/server/engine-config.ts";
import { prepareConfig } from "../../../src/dhcp/server/prepare-config.ts";
import { packReservations, ReservationIndex } from "../../../src/dhcp/server/reservation-index.ts";
import { compiledRelationship } from "../compiled-relationship.ts";
import { reservation as byHardware, hex as bytes, hardwareClient, ip, scope } from "./world.ts";

const COUNT = 5_000;
const NO_BYTES = new Uint8Array(0);

function reservation(address: number, more: Partial<CompiledReservation>): CompiledReservation {
  const nobody = { hardwareAddress: null, clientIdentifier: null, relayAgent: null };
  return { address: address as Ipv4, ...nobody, hostname: null, options: [], ...more };
}

test("each of thousands is found by its address and by its client, and nobody else's is", () => {
  const hardware = (n: number) => n.toString(16).padStart(12, "0");
  const list = Array.from({ length: COUNT }, (_, n) =>
    n % 2 === 0
      ? reservation(3 * n, { hardwareAddress: `01${hardware(n)}`, hostname: `host-${n}-東京` })
      : reservation(3 * n, {
          clientIdentifier: `ff${hardware(n)}`,
          options: [{ code: 3, hex: hardware(n) }],
        }),
  );
  const index = new ReservationIndex(packReservations(list));
  assert.equal(index.size, COUNT);
  for (const [n, { address, hostname }] of list.entries()) {
    const client =
      n % 2 === 0
        ? { clientIdentifier: null, hardwareType: 1, hardwareAddress: bytes(hardware(n)) }
        : { clientIdentifier: bytes(`ff${hardware(n)}`), hardwareType: 0, hardwareAddress: NO_BYTES };
    const options = new Map(n % 2 === 0 ? [] : [[3, bytes(hardware(n))]]);
    const expected = { address, client, hostname, options };
    assert.deepEqual(index.at(address), expected);
    assert.deepEqual(index.forClient(client), expected);
    assert.deepEqual(index.get(n), expected);
    assert.ok(index.has(address) && !index.has((address + 1) as Ipv4));
    const stranger = {
      ...client,
      hardwareType: 6,
      clientIdentifier: n % 2 === 0 ? null : bytes(hardware(n)),
    };
    assert.equal(index.forClient(stranger), null);
  }
});

test("a place is found by its most exact description", () => {
  const at = (circuitId: string | null, remoteId: string | null): Partial<CompiledReservation> => {
    const relayAgent: CompiledRelayAgent = { circuitId, remoteId, subscriberId: null };
    return { relayAgent };
  };
  const list = [
    reservation(1, at("aa", null)),
    reservation(2, at("aa", "bb")),
    reservation(3, at(null, "bb")),
  ];
  const index = new ReservationIndex(packReservations(list));
  const found = (circuitId: string, remoteId: string) =>
    index.forPlace({ circuitId: bytes(circuitId), remoteId: bytes(remoteId), subscriberId: null })?.address;
  assert.deepEqual(
    [found("aa", "bb"), found("aa", "cc"), found("cc", "bb"), found("cc", "cc")],
    [2, 1, 3, undefined],
  );
});

test("packed reservations cross to another thread by giving their memory away", () => {
  const mac = "020000000001";
  const scopes = [
    scope("one", "10.0.0.0/24", ["10.0.0.9", "10.0.0.9"], { reservations: [byHardware("10.0.0.5", mac)] }),
  ];
  const { config, buffers } = packConfig(compiledRelationship({ scopes }));
  const there = structuredClone(config, { transfer: buffers });
  assert.ok(buffers.every(({ byteLength }) => byteLength === 0));
  const server = prepareConfig(there, "a");
  assert.equal(server.scopes[0]?.reservations.forClient(hardwareClient(mac))?.address, ip("10.0.0.5"));
});
