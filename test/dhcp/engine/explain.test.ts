import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bootMs, unixSeconds } from "../../../src/base/units.ts";
import { explanationText } from "../../../src/cli/explain.ts";
import { hashBucketAssignment } from "../../../src/dhcp/failover/load-balance.ts";
import { explain } from "../../../src/dhcp/host/explain-request.ts";
import { ip } from "../server/world.ts";
import { FencedPair } from "./fenced-pair.ts";
import { START } from "./pair.ts";
import { ScriptedPartner } from "./scripted-partner.ts";

const MAC = "020000000001";
const CLIENT = { clientIdentifier: null, hardwareType: 1, hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 1) };

function fact(script: ScriptedPartner, address: string, about: string): string {
  const [explanation] = explain(script.engine, address, script.now) ?? [];
  return explanation?.facts.find((one) => one.about === about)?.text ?? "";
}

function reuse(script: ScriptedPartner, address: string): string {
  return fact(script, address, "a may give it to another client");
}

function about(pair: FencedPair, node: FencedPair["a"], what: string): string {
  const explanations = explain(node.engine, what, pair.now);
  assert.ok(explanations !== null);
  return explanationText(explanations);
}

describe("leasepair explain", () => {
  test("a running lease: holder, bucket, the four times, the lease now and its reason, and both sides' waits", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    const lease = pair.lease(MAC, [pair.a], 4)!;
    pair.pass(2_000);
    const text = about(pair, pair.a, lease.address);
    assert.match(text, /^10\.0\.0\.\d+, as a sees it in NORMAL\n/);
    for (const line of [
      /owner: +ACTIVE: leased to 02:00:00:00:00:01 since 2027-.*\[S6, S7\]/,
      /answered by: +bucket 133 of 256: b answers it \(the primary has 50 %\) \[RFC 3074\]/,
      /told to the client: +E = 2027-/,
      /latest possible end: +W = 2027-.*\[S4\]/,
      /a lease now: +3600 s of 3600 s: what the scope wants; latest proof \d s ago \[W3\]/,
      /a may give it to another client: +when it has ended, not before .* and b agrees \[W15, S6\]/,
      /b may give it to another client: +when a agrees that the lease is over; alone only after a grant/,
    ]) {
      assert.match(text, line);
    }
    assert.equal(about(pair, pair.a, "02:00:00:00:00:01"), text, "asked by client");
  });

  test("cut off: why the lease is so short", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.reaching.clear();
    pair.apart();
    pair.pass(300_000);
    assert.match(
      about(pair, pair.a, "10.0.0.10"),
      /a lease now: +\d+ s of 3600 s: ends at max\(proof\) \+ MCLT \(600 s\) less a margin at the latest; latest proof 30\d s ago/,
    );
  });

  test("in PARTNER-DOWN and under hold: from when on", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    pair.declareDown(pair.b);
    const backup = [...pair.a.engine.leases.candidates(0, "BACKUP")][0]!;
    const dotted = `10.0.0.${backup.address & 255}`;
    assert.match(
      about(pair, pair.a, dotted),
      /a may give it .*: +after 2027-.* = max\(W, entry\) \+ M\* \+ eps \[W6\]/,
    );
    const held = new FencedPair().startBoth().bothNormal().apart();
    held.record.epoch = 1;
    held.pass(2_000);
    assert.match(
      about(held, held.a, "10.0.0.10"),
      /after 2027-.* = max\(W, hold\) \+ M\* \+ eps: b may have given/,
    );
  });

  test("what rests though it is free and its own, and what is not taken while the partner recovers", () => {
    const address = ip("10.0.0.10");
    const rest = new ScriptedPartner({
      member: "a",
      saved: "COMMUNICATIONS-INTERRUPTED",
      bindings: [{ address, status: "FREE", taken: true, acknowledged: false, client: CLIENT }],
    });
    rest.pass(6_000, { isSilent: true });
    assert.equal(rest.engine.endpoint.state, "COMMUNICATIONS-INTERRUPTED");
    assert.match(reuse(rest, "10.0.0.10"), /^once b has acknowledged it: it was taken from b's part/);
    const entry = { wall: unixSeconds(START - 5_000), boot: bootMs(0), bootId: "boot-1" };
    const down = new ScriptedPartner({
      member: "a",
      saved: "PARTNER-DOWN",
      remembers: { entry, entered: 1 },
      bindings: [{ address, status: "BACKUP" }],
    });
    down.pass(6_000, { isSilent: true });
    assert.match(reuse(down, "10.0.0.10"), /^after 2027-.* = max\(W, entry\)/);
    down.meet();
    down.announce("RECOVER");
    assert.match(reuse(down, "10.0.0.10"), /^not while b recovers/);
  });

  test("whose client it is, where a dhcpd's CONNECT has said so", () => {
    const dhcpd = new ScriptedPartner({
      dialect: "ISC",
      bindings: [{ address: ip("10.0.0.11"), status: "FREE", client: CLIENT }],
    });
    dhcpd.meet({ hashBuckets: hashBucketAssignment(100) });
    dhcpd.announce("NORMAL");
    assert.match(
      fact(dhcpd, "10.0.0.11", "answered by"),
      /^bucket \d+ of 256: a answers it \(as the primary's CONNECT assigns them\)$/,
    );
  });

  test("what it does not know, and what makes no sense", () => {
    const pair = new FencedPair().startBoth().bothNormal();
    assert.match(about(pair, pair.a, "192.0.2.77"), /is in no scope of this relationship/);
    assert.match(
      about(pair, pair.a, "id:00616263"),
      /^No address, as a sees it.*is not known here.*bucket \d+ of 256/s,
    );
    for (const nonsense of ["", "10.0.0", "id:", "id:0", "printer", "02:00:00:00:00"]) {
      assert.equal(explain(pair.a.engine, nonsense, pair.now), null, nonsense);
    }
  });
});
