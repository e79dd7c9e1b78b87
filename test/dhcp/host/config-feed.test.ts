import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { CompiledMember, CompiledRelationship } from "../../../src/api/compiled.ts";
import { FaultError } from "../../../src/base/fault.ts";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import type { LogEntry } from "../../../src/dhcp/engine/event.ts";
import { faultOfConfiguration } from "../../../src/dhcp/host/config-check.ts";
import { ConfigFeed, type FeedOptions } from "../../../src/dhcp/host/config-feed.ts";
import type { FromConfigThread } from "../../../src/dhcp/host/config-message.ts";
import { compiledCampus } from "./campus.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-feed-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

const CAMPUS = compiledCampus();

/** The configuration with changes to member a, under a revision of its own. */
function changed(member: Partial<CompiledMember>, revision: string): CompiledRelationship {
  const [a, b] = CAMPUS.members;
  return { ...CAMPUS, revision, members: [{ ...a, ...member }, b] };
}

function configured(config: CompiledRelationship): FromConfigThread {
  return { kind: "configured", config, problems: [] };
}

interface Fixture {
  readonly feed: ConfigFeed;
  readonly handed: FromConfigThread[];
  readonly entries: LogEntry[];
  /** Resolves with the next message that is handed on. */
  next(): Promise<FromConfigThread>;
}

/** A feed whose engine runs on CAMPUS. */
async function runningFeed(options: Partial<FeedOptions> = {}): Promise<Fixture> {
  const entries: LogEntry[] = [];
  const handed: FromConfigThread[] = [];
  let onNext: (message: FromConfigThread) => void = () => {};
  const feed = new ConfigFeed({
    namespace: "default",
    relationship: "campus",
    member: "a",
    dataDirectory: directory,
    isManifests: true,
    log: (entry) => entries.push(entry),
    ...options,
  });
  const initial = feed.initial();
  feed.take(configured(CAMPUS));
  await initial;
  feed.attach((message) => {
    handed.push(message);
    onNext(message);
  });
  handed.length = 0;
  return { feed, handed, entries, next: () => new Promise((resolve) => (onNext = resolve)) };
}

function events(entries: readonly LogEntry[]): readonly string[] {
  return entries.map(({ event }) => event);
}

describe("a running engine's configuration", () => {
  test("is handed on when this machine can run it", async () => {
    const { feed, handed, entries } = await runningFeed();
    const next = configured(changed({ metricsPort: 1 }, "next"));
    feed.take(next);
    assert.deepEqual(handed, [next]);
    assert.deepEqual(entries, []);
  });

  test("is held back while it names an interface that is not there, and told once", async () => {
    const { feed, handed, entries } = await runningFeed();
    feed.take(configured(changed({ interfaces: ["nix0"] }, "next")));
    feed.take(configured(changed({ interfaces: ["nix0"] }, "after")));
    assert.deepEqual(handed, []);
    assert.deepEqual(events(entries), ["configuration-rejected"]);
    assert.match(
      entries[0]?.message ?? "",
      /interface nix0 does not exist.*Until that is right, the configuration before stays in force/,
    );
    assert.deepEqual(entries[0]?.fields, { code: "INTERFACE_MISSING" });
  });

  test("gives way to a corrected one, which is told", async () => {
    const { feed, handed, entries } = await runningFeed();
    feed.take(configured(changed({ interfaces: ["nix0"] }, "next")));
    const corrected = configured(CAMPUS);
    feed.take(corrected);
    assert.deepEqual(handed, [corrected]);
    assert.deepEqual(events(entries), ["configuration-rejected", "configuration-accepted"]);
  });

  test("is handed on by itself once this machine can run it", { timeout: 10_000 }, async () => {
    let isThere = true;
    const missing = new FaultError("INTERFACE_MISSING", "interface lan0 does not exist.");
    const { feed, handed, next } = await runningFeed({
      faultOf: () => (isThere ? null : missing),
      retryMs: 1,
    });
    isThere = false;
    const wanted = configured(changed({ interfaces: ["lan0"] }, "next"));
    feed.take(wanted);
    assert.deepEqual(handed, []);
    const message = next();
    isThere = true;
    // The feed's own timer holds no process open; this one does.
    const open = setTimeout(() => {}, 9_000);
    assert.equal(await message, wanted);
    clearTimeout(open);
  });

  test("that is wrong is told mistake by mistake, and that it is right again is told", async () => {
    const { feed, entries } = await runningFeed();
    const problems = [{ where: "campus.yaml:3", reason: "Invalid", message: "unknown field" }];
    feed.take({ kind: "rejected", problems });
    feed.take(configured(CAMPUS));
    feed.take(configured(CAMPUS));
    assert.deepEqual(
      entries.map(({ level, event }) => [level, event]),
      [
        ["error", "configuration-rejected"],
        ["info", "configuration-accepted"],
      ],
    );
  });
});

describe("what this machine can run", () => {
  const cases: readonly {
    readonly what: string;
    readonly config: CompiledRelationship;
    readonly code: string | null;
  }[] = [
    { what: "its own addresses", config: CAMPUS, code: null },
    { what: "an interface that is there", config: changed({ interfaces: ["lo"] }, "x"), code: null },
    {
      what: "an address of another machine",
      config: changed({ address: parseIpv4("198.51.100.7")! }, "x"),
      code: "ADDRESS_NOT_HERE",
    },
    {
      what: "a link address of another machine",
      config: changed({ linkAddress: parseIpv4("198.51.100.7")! }, "x"),
      code: "ADDRESS_NOT_HERE",
    },
    { what: "no such interface", config: changed({ interfaces: ["nix0"] }, "x"), code: "INTERFACE_MISSING" },
    { what: "no such member", config: changed({ name: "c" }, "x"), code: "MEMBER_UNKNOWN" },
  ];
  for (const { what, config, code } of cases) {
    test(what, () => assert.equal(faultOfConfiguration(config, "a")?.code ?? null, code));
  }
});
