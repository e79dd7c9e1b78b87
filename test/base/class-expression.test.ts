import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CLASS_OPTION_CODES,
  type ClassSubject,
  compileClassExpression,
} from "../../src/base/class-expression.ts";
import { OPTION_TABLE } from "../../src/dhcp/wire/option-table.ts";

const SUBJECT: ClassSubject = {
  messageType: "DISCOVER",
  hardwareType: 1,
  hardwareAddress: "02:00:00:00:00:01",
  clientIdentifier: "01020000000001",
  relayAddress: "10.0.0.1",
  vendorClass: "PXEClient:Arch:00007",
  userClasses: ["iPXE", "lab"],
  circuitId: new TextEncoder().encode("eth1/2"),
  remoteId: Uint8Array.of(0xff, 0x00),
  subscriberId: null,
  options: new Map([
    [12, new TextEncoder().encode("host\0")],
    [93, Uint8Array.of(0, 7)],
    [97, new Uint8Array(17)],
  ]),
};

/** The value for SUBJECT, or what is said against the expression. */
function outcome(text: string): boolean | string {
  const compiled = compileClassExpression(text);
  return compiled.kind === "ok"
    ? compiled.expression.evaluate(SUBJECT)
    : `${compiled.position}: ${compiled.message}`;
}

const VALUES: readonly (readonly [expression: string, value: boolean | "error"])[] = [
  [`vendorClass.startsWith("PXEClient")`, true],
  [`vendorClass == "MSFT 5.0"`, false],
  [`messageType == "DISCOVER" && hardwareType == 1`, true],
  [`hardwareAddress.startsWith("02:00:")`, true],
  [`hardwareAddress in ["02:00:00:00:00:01", "02:00:00:00:00:02"]`, true],
  [`clientIdentifier == "01020000000001" && relayAddress == "10.0.0.1"`, true],
  [`"iPXE" in userClasses`, true],
  [`userClasses.exists(c, c.startsWith("l"))`, true],
  [`userClasses.all(c, c == "lab")`, false],
  [`["eth1/", "eth2/"].exists(p, circuitId.startsWith(p))`, true],
  [`circuitIdHex == "657468312f32" && remoteIdHex == "ff00"`, true],
  [`subscriberId == "" && subscriberIdHex == ""`, true],
  [`options.has(93) && !options.has("rapid-commit")`, true],
  [`options.number("client-architecture") in [7, 9]`, true],
  [`options.number(97) == 0`, true],
  [`options.text("host-name") == "host"`, true],
  [`options.hex(93) == "0007" && options.hex(1) == "" && options.text(1) == ""`, true],
  [`vendorClass.contains("Arch") ? true : false`, true],
  [`1 / 0 == 1`, "error"],
  [`int(vendorClass) == 1`, "error"],
  [`int(vendorClass) == 1 || true`, true],
];

test("an expression gives true, false, or nothing for a client", () => {
  for (const [expression, value] of VALUES) assert.equal(outcome(expression), value, expression);
});

const REFUSED: readonly (readonly [expression: string, complaint: RegExp])[] = [
  ["", /^1: Unexpected token/],
  [`vendorClass == "a" +`, /^21: Unexpected token/],
  [`hardwareType > 0 && vendorClas == "a"`, /^21: Unknown variable: vendorClas/],
  [`hardwareType + "a" == "a"`, /^1: no such overload/],
  ["vendorClass", /^null: must be true or false, but the expression gives string/],
  [`vendorClass.matches("(a+)+$")`, /^1: matches is not available/],
  [`vendorClass.split("").size() > 1`, /^1: split is not available/],
  [`cel.bind(a, vendorClass, a + a) == ""`, /^1: bind is not available/],
  ["options.has(0)", /^13: an option is written as its code, 1 to 254/],
  ["options.has(255)", /^13: an option is written as its code/],
  [`options.text("vendro") == ""`, /^14: an option is written as its code/],
  ["options.has(hardwareType)", /^13: an option is written as its code/],
  ["[1, 2].exists(a, [1, 2].exists(b, a == b))", /^18: exists cannot stand inside another/],
  [`"abc".lowerAscii().size() == 3 && [vendorClass].map(a, a).size() > 0`, /map is not available/],
  ["constructor == 1", /Unknown variable/],
  [`vendorClass.constructor == ""`, /^13: /],
];

test("an expression that is wrong, or whose cost has no bound, is refused with its position", () => {
  for (const [expression, complaint] of REFUSED)
    assert.match(String(outcome(expression)), complaint, expression);
});

test("length and steps are bounded", () => {
  assert.match(String(outcome(`vendorClass == "${"x".repeat(1024)}"`)), /at most 1024 characters/);
  const long = `[${"1, ".repeat(99)}1].exists(a, a == 2 || a == 3 || a == 4 || a == 5 || a == 6 || a == 7)`;
  assert.match(String(outcome(long)), /takes more than 2000 steps/);
  assert.match(String(outcome(`${"(".repeat(200)}true${")".repeat(200)}`)), /^\d+: |^null: /);
});

test("expressions of random tokens never throw, neither when compiled nor when evaluated", () => {
  const tokens = [
    ..."vendorClass options . has ( ) [ ] 93 \"a\" + - == && || ! ? : in exists userClasses , { } 1u b'x' 1e9 null % /".split(
      " ",
    ),
    "dyn",
    "type",
    "timestamp",
    "duration",
    "\u0000",
    "'",
  ];
  let state = 12345;
  const next = (bound: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % bound;
  };
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: 1 + next(12) }, () => tokens[next(tokens.length)]).join(" ");
    const compiled = compileClassExpression(text);
    if (compiled.kind === "ok") compiled.expression.evaluate(SUBJECT);
  }
});

test("every option name is one that the option table has", () => {
  for (const [name, code] of CLASS_OPTION_CODES) {
    assert.ok(
      OPTION_TABLE.some((option) => option.code === code),
      name,
    );
  }
});
