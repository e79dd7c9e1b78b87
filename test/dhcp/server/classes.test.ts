import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompiledClientClass, CompiledScope } from "../../../src/api/compiled.ts";
import { seconds } from "../../../src/base/units.ts";
import { userClasses } from "../../../src/dhcp/server/class-match.ts";
import { leaseFor } from "../../../src/dhcp/server/classes.ts";
import { OPTION } from "../../../src/dhcp/wire/option-table.ts";
import { uint32Value } from "../../../src/dhcp/wire/options.ts";
import {
  answer,
  asReply,
  type ClientMessage,
  clientMessage,
  hardwareClient,
  ip,
  local,
  MAC_2,
  optionHex,
  reservation,
  routed,
  scope,
  World,
} from "./world.ts";

const text = (value: string) => new Uint8Array(Buffer.from(value));
const NO_LEASE = {
  defaultSeconds: null,
  minSeconds: null,
  maxSeconds: null,
  renewSeconds: null,
  rebindSeconds: null,
};

function clientClass(
  name: string,
  match: string,
  rest: Partial<CompiledClientClass> = {},
): CompiledClientClass {
  const boot = { nextServer: null, serverName: null, fileName: null };
  return { name, match, options: [], boot, lease: NO_LEASE, ...rest };
}

const PHONES = clientClass("phones", `vendorClass.startsWith("Phone")`, {
  options: [{ code: OPTION.DOMAIN_NAME_SERVERS, hex: "0a000063" }],
  boot: { nextServer: ip("10.0.0.9"), serverName: null, fileName: "phone.cfg" },
  lease: { ...NO_LEASE, defaultSeconds: seconds(600), maxSeconds: seconds(900) },
});
const LAB = clientClass("lab", `"lab" in userClasses`, {
  options: [
    { code: OPTION.DOMAIN_NAME_SERVERS, hex: "0a000064" },
    { code: OPTION.NTP_SERVERS, hex: "0a000065" },
  ],
});

function world(rest: Partial<CompiledScope>, classes: readonly CompiledClientClass[] = [PHONES, LAB]): World {
  const base = {
    options: [
      { code: OPTION.DOMAIN_NAME_SERVERS, hex: "0a000002" },
      { code: OPTION.BOOT_FILE_NAME, hex: "6f6c64" },
    ],
  };
  const one = scope("first", "10.0.0.0/24", ["10.0.0.10", "10.0.0.11"], { ...base, ...rest });
  return new World([one], {}, { clientClasses: classes });
}

const PHONE = { code: OPTION.VENDOR_CLASS, value: text("Phone 7") };
const IN_LAB = { code: OPTION.USER_CLASS, value: text("lab") };
const discover = (parts: Partial<ClientMessage> = {}) => clientMessage({ type: "DISCOVER", ...parts });
const offered = (w: World, parts: Partial<ClientMessage> = {}) => asReply(w.send(discover(parts), local()));

test("a class sets options, boot fields and lease time; a client outside gets the scope's", () => {
  const w = world({});
  const inside = offered(w, { options: [PHONE] }).message;
  assert.equal(optionHex(inside, OPTION.DOMAIN_NAME_SERVERS), "0a000063");
  assert.equal(inside.nextServer, ip("10.0.0.9"));
  assert.equal(Buffer.from(inside.file).toString().replace(/\0+$/, ""), "phone.cfg");
  assert.equal(
    optionHex(inside, OPTION.BOOT_FILE_NAME),
    null,
    "the scope's option gives way to the class's field",
  );
  assert.equal(optionHex(inside, OPTION.LEASE_TIME), "00000258");
  const outside = offered(w, { mac: MAC_2 }).message;
  assert.equal(optionHex(outside, OPTION.DOMAIN_NAME_SERVERS), "0a000002");
  assert.equal(optionHex(outside, OPTION.BOOT_FILE_NAME), "6f6c64");
  assert.equal(optionHex(outside, OPTION.LEASE_TIME), "00000e10");
});

test("a wish for a longer lease is cut to the class's maximum", () => {
  const wish = { code: OPTION.LEASE_TIME, value: uint32Value(80_000) };
  assert.equal(
    optionHex(offered(world({}), { options: [PHONE, wish] }).message, OPTION.LEASE_TIME),
    "00000384",
  );
});

test("where two classes set the same, the one listed first wins; what only one sets stands", () => {
  const both = { options: [PHONE, IN_LAB] };
  const first = offered(world({}), both).message;
  assert.equal(optionHex(first, OPTION.DOMAIN_NAME_SERVERS), "0a000063");
  assert.equal(optionHex(first, OPTION.NTP_SERVERS), "0a000065");
  const turned = offered(world({}, [LAB, PHONES]), both).message;
  assert.equal(optionHex(turned, OPTION.DOMAIN_NAME_SERVERS), "0a000064");
});

test("a reservation's options go before the class's", () => {
  const options = [{ code: OPTION.DOMAIN_NAME_SERVERS, hex: "0a000042" }];
  const w = world({ reservations: [reservation("10.0.0.50", "020000000001", { options })] });
  const { message, address } = offered(w, { options: [PHONE] });
  assert.equal(address, ip("10.0.0.50"));
  assert.equal(optionHex(message, OPTION.DOMAIN_NAME_SERVERS), "0a000042");
});

test("a scope limited to classes serves their members and reserved clients, nobody else", () => {
  const w = world({ allowedClasses: ["phones"], reservations: [reservation("10.0.0.50", MAC_2)] });
  assert.equal(answer(w.send(discover(), local())), "class-not-allowed");
  assert.equal(answer(w.send(discover({ options: [PHONE] }), local())), "OFFER");
  assert.equal(offered(w, { mac: MAC_2 }).address, ip("10.0.0.50"));
});

test("a client that is in no allowed class any more goes on renewing the lease it has", () => {
  const w = world({ allowedClasses: ["phones"] });
  w.record("10.0.0.10", "ACTIVE", hardwareClient());
  const renewal = clientMessage({ type: "REQUEST", ciaddr: "10.0.0.10" });
  assert.equal(answer(w.send(renewal, routed("10.0.0.10"))), "ACK");
});

test("a client of a class behind a relay stays in it when it renews past the relay", () => {
  const circuit = clientClass("floor", `circuitId == "eth1"`, {
    options: [{ code: OPTION.NTP_SERVERS, hex: "0a000065" }],
  });
  const w = world({}, [circuit]);
  w.record("10.0.0.10", "ACTIVE", hardwareClient(), {
    relayInformation: Uint8Array.of(1, 4, ...text("eth1")),
  });
  const renewal = clientMessage({ type: "REQUEST", ciaddr: "10.0.0.10" });
  const { message } = asReply(w.send(renewal, routed("10.0.0.10")));
  assert.equal(optionHex(message, OPTION.NTP_SERVERS), "0a000065");
});

test("a range limited to classes is given to their members first, and to nobody else", () => {
  const classPools = [{ classes: ["phones"], ranges: [{ start: ip("10.0.0.100"), end: ip("10.0.0.100") }] }];
  const w = world({ classPools });
  assert.equal(offered(w, { options: [PHONE] }).address, ip("10.0.0.100"));
  // The range has no more: members go on with the addresses for all.
  assert.equal(offered(w, { mac: MAC_2, options: [PHONE] }).address, ip("10.0.0.10"));
  const others = ["020000000003", "020000000004"].map((mac) => answer(w.send(discover({ mac }), local())));
  assert.deepEqual(others, ["OFFER", "no-free-address"]);
  const wish = { mac: "020000000005", requested: "10.0.0.100" };
  assert.equal(answer(world({ classPools }).send(discover(wish), local())), "OFFER");
  assert.notEqual(offered(world({ classPools }), wish).address, ip("10.0.0.100"), "not even when asked for");
});

test("an INFORM is answered with the class's options", () => {
  const inform = clientMessage({ type: "INFORM", ciaddr: "10.0.0.77", options: [PHONE] });
  const { message } = asReply(world({}).send(inform, local("10.0.0.77")));
  assert.equal(optionHex(message, OPTION.DOMAIN_NAME_SERVERS), "0a000063");
});

test("an expression without a value matches nobody and is counted by its class", () => {
  const w = world({}, [clientClass("odd", "1 / options.number(200) == 1")]);
  assert.equal(optionHex(offered(w).message, OPTION.DOMAIN_NAME_SERVERS), "0a000002");
  assert.deepEqual([...w.counters.classErrors], [["odd", 1]]);
});

test("user classes come with their lengths in front, or as one bare text", () => {
  const table: readonly (readonly [number[], string[]])[] = [
    [[], []],
    [
      [1, 97, 2, 98, 99],
      ["a", "bc"],
    ],
    [[...text("iPXE")], ["iPXE"]],
    [[0], [""]],
    [[2, 97], ["\u0002a"]],
  ];
  for (const [bytes, expected] of table)
    assert.deepEqual(userClasses(Uint8Array.from(bytes)), expected, `${bytes}`);
});

test("lease times of a class and a scope together keep their order", () => {
  const own = [null, 60, 5_000, 100_000];
  const lease = {
    defaultSeconds: seconds(3_600),
    minSeconds: seconds(600),
    maxSeconds: seconds(86_400),
    renewSeconds: seconds(1_000),
    rebindSeconds: seconds(2_000),
  };
  for (const d of own) {
    for (const lo of own) {
      for (const hi of own) {
        if ((lo ?? 0) > (d ?? 1e9) || (d ?? 0) > (hi ?? 1e9) || (lo ?? 0) > (hi ?? 1e9)) continue;
        const set = { defaultSeconds: d, minSeconds: lo, maxSeconds: hi } as Partial<
          CompiledClientClass["lease"]
        >;
        const merged = leaseFor(lease, [{ config: { lease: { ...NO_LEASE, ...set } } }]);
        const told = JSON.stringify({ set, merged });
        assert.ok(merged.minSeconds <= merged.defaultSeconds, told);
        assert.ok(merged.defaultSeconds <= merged.maxSeconds, told);
        if (d !== null) assert.equal(merged.defaultSeconds, d, told);
        if (hi !== null) assert.equal(merged.maxSeconds, hi, told);
      }
    }
  }
});
