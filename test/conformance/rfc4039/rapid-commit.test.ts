// RFC 4039: the two-message exchange, where a scope allows it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { seconds } from "../../../src/base/units.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { Pair, relationship } from "../../dhcp/engine/pair.ts";
import {
  asReply,
  clientMessage,
  ip,
  local,
  optionHex,
  scope,
  twoScopes,
  World,
} from "../../dhcp/server/world.ts";

const RAPID = [{ code: OPTION.RAPID_COMMIT, value: new Uint8Array(0) }];
const POLICY = { ...DEFAULT_SCOPE_POLICY, rapidCommit: true };
const DISCOVER = clientMessage({ type: "DISCOVER", options: RAPID });

test("RFC 4039 section 3.1: a DISCOVER with rapid commit is answered by an ACK with the option, the binding with it", () => {
  const world = new World(twoScopes({ policy: POLICY }));
  const { messageType, message, binding } = asReply(world.send(DISCOVER, local()));
  assert.equal(messageType, "ACK");
  assert.equal(optionHex(message, OPTION.RAPID_COMMIT), "");
  assert.equal(message.yourAddress, ip("10.0.0.10"));
  assert.ok(binding !== null && binding.next.status === "ACTIVE");
  assert.equal(world.offers.size, 0);
});

test("RFC 4039 section 3.1: without the client's option, or where the scope does not allow it, there is an OFFER", () => {
  const allowed = new World(twoScopes({ policy: POLICY }));
  const plain = asReply(allowed.send(clientMessage({ type: "DISCOVER" }), local()));
  assert.deepEqual([plain.messageType, optionHex(plain.message, 80)], ["OFFER", null]);
  const refused = asReply(new World().send(DISCOVER, local()));
  assert.deepEqual([refused.messageType, optionHex(refused.message, 80)], ["OFFER", null]);
});

test("RFC 4039 section 3.1: an ACK of a REQUEST carries no rapid commit option", () => {
  const world = new World(twoScopes({ policy: POLICY }));
  const request = { type: "REQUEST", requested: "10.0.0.12", server: "192.0.2.1", options: RAPID } as const;
  const ack = asReply(world.send(clientMessage(request), local()));
  assert.deepEqual([ack.messageType, optionHex(ack.message, 80)], ["ACK", null]);
});

test("RFC 4039 section 3.2: a server that cannot tell whether its partner answers, too, commits its own clients only", () => {
  const world = new World(twoScopes({ policy: POLICY }));
  world.authority.own = false;
  assert.equal(asReply(world.send(DISCOVER, local())).messageType, "OFFER");
});

const rapidPair = () =>
  new Pair(
    relationship({ mcltSeconds: seconds(600) }, [
      scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.29"], { policy: POLICY }),
    ]),
  )
    .startBoth()
    .untilNormal();

const MACS = ["020000000001", "020000000003", "020000000005", "020000000007", "020000000009"];

test("RFC 4039 section 3.1, both NORMAL: one member commits, MCLT long, and its partner knows the lease", () => {
  const pair = rapidPair();
  for (const mac of MACS) {
    const replies = pair.ask({ type: "DISCOVER", mac, options: RAPID });
    assert.equal(replies.length, 1);
    const { from, message } = replies[0]!;
    assert.equal(message.messageType, "ACK");
    assert.equal(Number.parseInt(optionHex(message, OPTION.LEASE_TIME)!, 16), 600);
    pair.until("settled", () => pair.a.report.unackedUpdates + pair.b.report.unackedUpdates === 0);
    const other = from === "a" ? pair.b : pair.a;
    assert.equal(other.engine.leases.get(message.yourAddress)?.status, "ACTIVE");
  }
});

test("RFC 4039 section 3.1, COMMUNICATIONS-INTERRUPTED: never two members commit for one client", () => {
  const pair = rapidPair();
  pair.cut();
  pair.until("both interrupted", () =>
    [pair.a, pair.b].every((node) => node.state === "COMMUNICATIONS-INTERRUPTED"),
  );
  for (const mac of MACS) {
    const kinds = pair
      .ask({ type: "DISCOVER", mac, options: RAPID })
      .map((reply) => reply.message.messageType);
    assert.deepEqual(kinds.toSorted(), ["ACK", "OFFER"]);
  }
});
