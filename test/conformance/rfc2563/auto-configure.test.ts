// RFC 2563: telling a client without an address not to make itself one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import {
  asDropped,
  asReply,
  clientMessage,
  hardwareClient,
  local,
  MAC_2,
  optionHex,
  scope,
  World,
} from "../../dhcp/server/world.ts";

const ASKING = clientMessage({
  type: "DISCOVER",
  options: [{ code: OPTION.AUTO_CONFIGURE, value: Uint8Array.of(1) }],
});

/** One scope of one address. */
function world(autoConfiguration: boolean, isFull = true): World {
  const policy = { ...DEFAULT_SCOPE_POLICY, autoConfiguration };
  const small = new World([scope("small", "10.0.0.0/24", ["10.0.0.10", "10.0.0.10"], { policy })]);
  if (isFull) small.record("10.0.0.10", "ACTIVE", hardwareClient(MAC_2));
  return small;
}

test("RFC 2563 section 2.3: where it is prohibited, a client without an address is offered 0.0.0.0 and DoNotAutoConfigure", () => {
  const full = world(false);
  const { messageType, message, route } = asReply(full.send(ASKING, local()));
  assert.equal(messageType, "OFFER");
  assert.equal(message.yourAddress, 0);
  assert.equal(optionHex(message, OPTION.AUTO_CONFIGURE), "00");
  assert.equal(route.kind, "broadcast");
  assert.equal(full.offers.size, 0);
});

test("RFC 2563 section 2.3: where it is allowed, or the client does not ask, there is no answer", () => {
  assert.equal(asDropped(world(true).send(ASKING, local())), "no-free-address");
  assert.equal(asDropped(world(false).send(clientMessage({ type: "DISCOVER" }), local())), "no-free-address");
});

test("RFC 2563 section 2.3: a client that gets an address is offered it, without the option", () => {
  const { message } = asReply(world(false, false).send(ASKING, local()));
  assert.notEqual(message.yourAddress, 0);
  assert.equal(optionHex(message, OPTION.AUTO_CONFIGURE), null);
});
