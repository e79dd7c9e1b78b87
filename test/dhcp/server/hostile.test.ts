// Everything switched on at once, and nothing but broken, forged and random datagrams: nothing throws, every table stays
// in its bounds, and a normal client is served afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SCOPE_POLICY } from "../../../src/api/compiled.ts";
import { PROBES_MAX, ProbeTable } from "../../../src/dhcp/server/probe-table.ts";
import { RelayWatch } from "../../../src/dhcp/server/relay-watch.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { answer, clientMessage, routed, scope, World } from "./world.ts";

const boot = { nextServer: null, serverName: null, fileName: null };
const lease = {
  defaultSeconds: null,
  minSeconds: null,
  maxSeconds: null,
  renewSeconds: null,
  rebindSeconds: null,
};
const MATCHES = [
  `vendorClass.substring(1, 3) == "XE"`,
  `userClasses.all(c, c.size() > 0 && c.lowerAscii().contains("i"))`,
  `int(options.text("host-name")) / options.number(93) > 0`,
  `(circuitId + remoteIdHex + subscriberId).endsWith("1") || clientIdentifier.indexOf("0") == 1`,
  `messageType in ["DISCOVER", "REQUEST"] && hardwareAddress < "80" && relayAddress != "0.0.0.0"`,
];

test("twenty thousand hostile datagrams, then a normal client", () => {
  const clientClasses = MATCHES.map((match, i) => ({ name: `c${i}`, match, options: [], boot, lease }));
  const limits = {
    perClient: { perSecond: 1, burst: 5 },
    perCircuit: { perSecond: 5, burst: 50 },
    leasesPerCircuit: 8,
  };
  const policy = { ...DEFAULT_SCOPE_POLICY, addressProbe: true, rapidCommit: true };
  const first = scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.250"], {
    policy,
    allowedClasses: ["c4"],
  });
  const w = new World([first], {}, { clientClasses, limits });
  Object.assign(w.view, {
    probes: new ProbeTable(),
    relays: { watch: new RelayWatch(), onFinding: () => {} },
  });
  let state = 99;
  const next = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * bound);
  };
  const bytes = (length: number) => Uint8Array.from({ length }, () => next(256));
  const types = ["DISCOVER", "REQUEST", "RELEASE", "DECLINE", "INFORM"] as const;
  for (let i = 0; i < 20_000; i++) {
    const message = clientMessage({
      type: types[next(types.length)]!,
      mac: `02000000${next(next(2) === 0 ? 65_536 : 8)
        .toString(16)
        .padStart(4, "0")}`,
      giaddr: next(4) === 0 ? "0.0.0.0" : "10.0.0.1",
      ciaddr: next(4) === 0 ? `10.0.0.${next(256)}` : "0.0.0.0",
      requested: `10.0.0.${next(256)}`,
      secs: next(65_536),
      hops: next(20),
      options: [OPTION.VENDOR_CLASS, OPTION.USER_CLASS, OPTION.HOST_NAME, 93].map((code) => ({
        code,
        value: bytes(1 + next(40)),
      })),
      relayInformation: `01${next(2) === 0 ? "02" : "ff"}${next(65_536).toString(16).padStart(4, "0")}0201${"31"}`,
    });
    for (let flips = next(4); flips > 0; flips--) message[next(message.length)] = next(256);
    w.send(next(10) === 0 ? message.subarray(0, next(message.length)) : message, routed("10.0.0.1"));
    if (i % 50 === 0) w.pass(1);
  }
  for (const { limit, used, max } of w.limits.use())
    assert.ok(max === null || used <= max, `${limit}: ${used}`);
  assert.ok(w.offers.size <= w.offers.offersMax && (w.view.probes?.size ?? 0) <= PROBES_MAX);
  assert.ok([...w.counters.outcomes.keys()].length < 60, "labels are a closed set");
  assert.ok(
    (w.counters.outcomes.get("dropped:client-rate") ?? 0) +
      (w.counters.outcomes.get("dropped:circuit-rate") ?? 0) >
      0,
  );
  w.pass(120);
  const good = clientMessage({ type: "DISCOVER", mac: "020000abcdef", giaddr: "10.0.0.1" });
  const outcome = w.send(good, routed("10.0.0.1"));
  assert.equal(answer(outcome), "probe", "its address is looked for as any other");
  assert.ok(outcome.kind === "probe");
  const pending = { ...outcome, bytes: good, arrival: routed("10.0.0.1"), since: w.now.boot, tries: 0 };
  w.view.probes?.markSilent(pending, w.now.boot);
  assert.equal(answer(w.send(good, routed("10.0.0.1"))), "OFFER");
});
