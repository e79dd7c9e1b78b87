// RFC 8925: clients that can do without IPv4 on networks that are marked so.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { runRules } from "../../../src/api/rule.ts";
import { optionsRules } from "../../../src/api/rules-common.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import {
  asReply,
  clientMessage,
  hardwareClient,
  local,
  optionHex,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const WAIT = { code: OPTION.IPV6_ONLY_PREFERRED, hex: "00000708" };
const listing = (...codes: number[]) => ({
  code: OPTION.PARAMETER_REQUEST_LIST,
  value: Uint8Array.from(codes),
});
const DISCOVER = { type: "DISCOVER", options: [listing(1, 3, 108)] } as const;

test("RFC 8925 section 3.3: a client that asks for the option on an IPv6-mostly network is offered it and 0.0.0.0", () => {
  const world = new World(twoScopes({ options: [WAIT] }));
  const { messageType, message } = asReply(world.send(clientMessage(DISCOVER), local()));
  assert.equal(messageType, "OFFER");
  assert.equal(message.yourAddress, 0);
  assert.equal(optionHex(message, 108), "00000708");
  assert.equal(world.offers.size, 0);
});

test("RFC 8925 section 3.3: a client that does not ask, or a network that is not marked, has an ordinary OFFER without it", () => {
  const marked = new World(twoScopes({ options: [WAIT] }));
  const silent = clientMessage({ type: "DISCOVER", options: [listing(1, 3)] });
  const unmarked = [
    asReply(marked.send(silent, local())),
    asReply(marked.send(clientMessage({ type: "DISCOVER" }), local())),
    asReply(new World().send(clientMessage(DISCOVER), local())),
  ];
  for (const { message } of unmarked) {
    assert.notEqual(message.yourAddress, 0);
    assert.equal(optionHex(message, 108), null);
  }
});

test("RFC 8925 section 3.3: the option goes before rapid commit", () => {
  const policy = { ...DEFAULT_SCOPE_POLICY, rapidCommit: true };
  const world = new World(twoScopes({ options: [WAIT], policy }));
  const rapid = { code: OPTION.RAPID_COMMIT, value: new Uint8Array(0) };
  const message = clientMessage({ type: "DISCOVER", options: [listing(108), rapid] });
  assert.equal(asReply(world.send(message, local())).messageType, "OFFER");
});

test("RFC 8925 section 3.3.1: DoNotAutoConfigure comes with it for a client that asks, too", () => {
  const policy = { ...DEFAULT_SCOPE_POLICY, autoConfiguration: false };
  const world = new World(twoScopes({ options: [WAIT], policy }));
  const auto = { code: OPTION.AUTO_CONFIGURE, value: Uint8Array.of(1) };
  const { message } = asReply(
    world.send(clientMessage({ type: "DISCOVER", options: [listing(108), auto] }), local()),
  );
  assert.deepEqual([optionHex(message, 108), optionHex(message, 116)], ["00000708", "00"]);
});

test("RFC 8925 section 3.3: a REQUEST for a running lease is answered as ever, with the option", () => {
  const world = new World(twoScopes({ options: [WAIT] }));
  world.record("10.0.0.12", "ACTIVE", hardwareClient());
  const request = clientMessage({ type: "REQUEST", requested: "10.0.0.12", options: [listing(108)] });
  const { messageType, message } = asReply(world.send(request, local()));
  assert.equal(messageType, "ACK");
  assert.equal(optionHex(message, 108), "00000708");
});

test("RFC 8925 section 3.4: a wait of less than 300 seconds is refused, 0 (the least) and 300 are not", () => {
  const verdict = (wait: number) =>
    runRules(optionsRules("spec.options"), { spec: { options: { ipv6OnlyWaitSeconds: wait } } }, undefined);
  assert.deepEqual(
    [0, 300, 1800].flatMap((wait) => verdict(wait)),
    [],
  );
  assert.deepEqual(
    [1, 299].flatMap((wait) => verdict(wait).map(({ field }) => field)),
    ["spec.options.ipv6OnlyWaitSeconds", "spec.options.ipv6OnlyWaitSeconds"],
  );
});
