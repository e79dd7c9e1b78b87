import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import type { CompiledMember, CompiledRelationship } from "../../../src/api/compiled.ts";
import { FaultError } from "../../../src/base/fault.ts";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import type { LogEntry } from "../../../src/dhcp/engine/event.ts";
import { faultOfConfiguration } from "../../../src/dhcp/host/config-check.ts";
import { ConfigHold, type HoldOptions } from "../../../src/dhcp/host/config-hold.ts";
import type { ConfigProblem, FromConfigSource } from "../../../src/dhcp/host/config-message.ts";
import { compiledCampus } from "./campus.ts";

type Configured = Extract<FromConfigSource, { kind: "configured" }>;

const CAMPUS = compiledCampus();

/** The configuration with changes to member a, under a revision of its own. */
function changed(member: Partial<CompiledMember>, revision: string): CompiledRelationship {
  const [a, b] = CAMPUS.members;
  return { ...CAMPUS, revision, members: [{ ...a, ...member }, b] };
}

function configured(config: CompiledRelationship): Configured {
  return { kind: "configured", config, problems: [] };
}

let hold: ConfigHold;
let passed: Configured[] = [];
let entries: LogEntry[] = [];
let problems: (ConfigProblem | null)[] = [];
let onPass: () => void = () => {};

afterEach(() => hold.stop());

function create(options: Partial<HoldOptions> = {}): void {
  passed = [];
  entries = [];
  problems = [];
  hold = new ConfigHold({
    member: "a",
    pass: (message) => {
      passed.push(message);
      onPass();
    },
    onProblem: (problem) => problems.push(problem),
    log: (entry) => entries.push(entry),
    ...options,
  });
}

function events(): readonly string[] {
  return entries.map(({ event }) => event);
}

describe("a configuration on its way to the engine", () => {
  const wrong = configured(changed({ interfaces: ["nix0"] }, "next"));

  test("passes when this machine can run it", () => {
    create();
    hold.engineRuns();
    const next = configured(changed({ metricsPort: 1 }, "next"));
    hold.take(next);
    assert.deepEqual(passed, [next]);
    assert.deepEqual([entries, problems], [[], []]);
  });

  test("passes as it is before the engine runs, so that a mistake ends the start", () => {
    create();
    hold.take(wrong);
    assert.deepEqual(passed, [wrong]);
  });

  test("is held while it names an interface that is not there, and told once", () => {
    create();
    hold.engineRuns();
    hold.take(wrong);
    hold.take(configured(changed({ interfaces: ["nix0"] }, "after")));
    assert.deepEqual(passed, []);
    assert.deepEqual(events(), ["configuration-rejected"]);
    assert.match(entries[0]?.message ?? "", /interface nix0 does not exist.*the configuration before stays/);
    assert.deepEqual(entries[0]?.fields, { code: "INTERFACE_MISSING" });
    assert.deepEqual(
      problems.map((problem) => problem?.reason),
      ["InterfaceMissing"],
    );
  });

  test("gives way to a corrected one, which is told", () => {
    create();
    hold.engineRuns();
    hold.take(wrong);
    const corrected = configured(CAMPUS);
    hold.take(corrected);
    assert.deepEqual(passed, [corrected]);
    assert.deepEqual(events(), ["configuration-rejected", "configuration-accepted"]);
    assert.equal(problems.at(-1), null);
  });

  test("passes by itself once this machine can run it", { timeout: 10_000 }, async () => {
    let isThere = false;
    const missing = new FaultError("INTERFACE_MISSING", "interface lan0 does not exist.");
    create({ faultOf: () => (isThere ? null : missing), retryMs: 1 });
    hold.engineRuns();
    hold.take(wrong);
    assert.deepEqual(passed, []);
    const passing = new Promise<void>((resolve) => (onPass = resolve));
    isThere = true;
    await passing;
    assert.deepEqual(passed, [wrong]);
    assert.deepEqual(events(), ["configuration-rejected", "configuration-accepted"]);
  });
});

describe("what this machine can run", () => {
  const elsewhere = parseIpv4("198.51.100.7")!;
  const cases: readonly (readonly [string, CompiledRelationship, string | null])[] = [
    ["its own addresses", CAMPUS, null],
    ["an interface that is there", changed({ interfaces: ["lo"] }, "x"), null],
    ["an address of another machine", changed({ address: elsewhere }, "x"), "ADDRESS_NOT_HERE"],
    ["a link address of another machine", changed({ linkAddress: elsewhere }, "x"), "ADDRESS_NOT_HERE"],
    ["no such interface", changed({ interfaces: ["nix0"] }, "x"), "INTERFACE_MISSING"],
    ["no such member", changed({ name: "c" }, "x"), "MEMBER_UNKNOWN"],
  ];
  for (const [what, config, code] of cases) {
    test(what, () => assert.equal(faultOfConfiguration(config, "a")?.code ?? null, code));
  }
});
