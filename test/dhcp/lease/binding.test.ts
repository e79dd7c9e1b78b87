// What a binding says of its holder and of its end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv4 } from "../../../src/base/ipv4.ts";
import { NEVER, unixSeconds } from "../../../src/base/units.ts";
import {
  type Binding,
  type ClientIdentity,
  clientKey,
  freshBinding,
  isSameClient,
  latestPossibleEnd,
  withoutPromises,
} from "../../../src/dhcp/lease/binding.ts";

function client(change: Partial<ClientIdentity> = {}): ClientIdentity {
  return { clientIdentifier: null, hardwareType: 1, hardwareAddress: Uint8Array.of(2, 0), ...change };
}

const FRESH = freshBinding(ipv4(0x0a00_0001));

const OTHERS: readonly [string, ClientIdentity, boolean][] = [
  ["the same hardware", client(), true],
  ["another hardware address", client({ hardwareAddress: Uint8Array.of(2, 1) }), false],
  ["another hardware type", client({ hardwareType: 6 }), false],
  ["an identifier made of the same bytes", client({ clientIdentifier: Uint8Array.of(2, 0) }), false],
];

for (const [name, other, isSame] of OTHERS) {
  test(`${name} is ${isSame ? "the" : "not the"} client that sent no identifier`, () => {
    assert.equal(isSameClient({ ...FRESH, client: client() }, other), isSame);
    assert.equal(clientKey(client()) === clientKey(other), isSame);
  });
}

test("with an identifier the hardware does not count", () => {
  const clientIdentifier = Uint8Array.of(7);
  const holder = client({ clientIdentifier });
  const roaming = client({ clientIdentifier, hardwareType: 6, hardwareAddress: Uint8Array.of(9) });
  assert.equal(isSameClient({ ...FRESH, client: holder }, roaming), true);
  assert.equal(isSameClient(FRESH, roaming), false);
});

test("an address must be reckoned with until the latest of its four times", () => {
  const times = ["expiresAt", "potentialSent", "potentialAcked", "potentialReceived"] as const;
  assert.equal(latestPossibleEnd(FRESH), NEVER);
  for (const name of times) assert.equal(latestPossibleEnd({ ...FRESH, [name]: unixSeconds(9) }), 9, name);
});

test("the end of a generation voids every promise and keeps who held it", () => {
  const held: Binding = {
    ...FRESH,
    status: "RELEASED",
    client: client(),
    expiresAt: unixSeconds(1),
    potentialSent: unixSeconds(2),
    potentialAcked: unixSeconds(3),
    potentialReceived: unixSeconds(4),
    lastTransactionAt: unixSeconds(5),
    acknowledged: false,
    endAnnounced: true,
    taken: true,
    hostname: "printer",
  };
  assert.deepEqual(withoutPromises(held, "BACKUP", unixSeconds(6)), {
    ...FRESH,
    status: "BACKUP",
    client: client(),
    lastTransactionAt: 5,
    statusSince: 6,
    sinceHold: true,
    hostname: "printer",
  });
});
