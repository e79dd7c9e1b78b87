// RFC 3004: the classes that a user gave a client.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { asReply, clientMessage, local, optionHex, twoScopes, World } from "../../dhcp/server/world.ts";

const NO_LEASE = {
  defaultSeconds: null,
  minSeconds: null,
  maxSeconds: null,
  renewSeconds: null,
  rebindSeconds: null,
};
const LAB = {
  name: "lab",
  match: `"lab" in userClasses`,
  options: [{ code: OPTION.NTP_SERVERS, hex: "0a000065" }],
  boot: { nextServer: null, serverName: null, fileName: null },
  lease: NO_LEASE,
};

/** Option 42 of the OFFER to a client of these user classes. */
function timeServers(...names: string[]): string | null {
  const world = new World(twoScopes(), {}, { clientClasses: [LAB] });
  const value = Uint8Array.from(names.flatMap((name) => [name.length, ...Buffer.from(name)]));
  const bytes = clientMessage({ type: "DISCOVER", options: [{ code: OPTION.USER_CLASS, value }] });
  return optionHex(asReply(world.send(bytes, local())).message, OPTION.NTP_SERVERS);
}

test("RFC 3004 section 4: a user class that nobody knows is ignored, beside one that is known, too", () => {
  assert.equal(timeServers("lab"), "0a000065");
  assert.equal(timeServers("accounting", "lab", "engineering"), "0a000065");
  assert.equal(timeServers("accounting", "engineering"), null);
});
