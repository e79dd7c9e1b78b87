import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { CompiledRelationship } from "../../../src/api/compiled.ts";
import type { LogEntry } from "../../../src/dhcp/engine/event.ts";
import { ConfigFeed } from "../../../src/dhcp/host/config-feed.ts";
import { writeSnapshot } from "../../../src/dhcp/host/snapshot.ts";
import { compiledCampus } from "./campus.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-feed-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

test("what is wrong is told mistake by mistake, and that it is right again is told once", () => {
  const entries: LogEntry[] = [];
  const feed = new ConfigFeed({
    namespace: "default",
    relationship: "campus",
    member: "a",
    dataDirectory: directory,
    isManifests: true,
    log: (entry) => entries.push(entry),
  });
  const config = compiledCampus();
  const problem = { where: "campus.yaml:3", reason: "Invalid", message: "unknown field" };
  feed.take({ kind: "configured", config, problems: [] });
  feed.take({ kind: "rejected", problems: [problem, problem] });
  feed.take({ kind: "configured", config, problems: [problem] });
  feed.take({ kind: "configured", config, problems: [] });
  feed.take({ kind: "configured", config, problems: [] });
  assert.deepEqual(
    entries.map(({ level, event }) => `${level} ${event}`),
    [
      "error configuration-rejected",
      "error configuration-rejected",
      "warn configuration-rejected",
      "info configuration-accepted",
    ],
  );
});

/** A member that reads from an API, with this configuration in its data directory. */
function restarted(stored: CompiledRelationship) {
  const events: string[] = [];
  writeSnapshot(directory, stored);
  const feed = new ConfigFeed({
    namespace: "default",
    relationship: "campus",
    member: "a",
    dataDirectory: directory,
    isManifests: false,
    log: ({ event }) => events.push(event),
  });
  return { feed, events };
}

const HERE = compiledCampus();
/** No machine has this address: it is of a network for documentation. */
const ELSEWHERE = compiledCampus({ addresses: ["192.0.2.1", "127.0.0.32"] });

test("a restarted member begins with the stored configuration, without asking the API", async () => {
  const { feed, events } = restarted(HERE);
  assert.deepEqual((await feed.initial()).members, HERE.members);
  assert.deepEqual(events, ["snapshot-used"]);
});

test("a member that came to another machine with its store takes its new address from the API", async () => {
  const { feed, events } = restarted(ELSEWHERE);
  const initial = feed.initial();
  feed.take({ kind: "rejected", problems: [] });
  await turn();
  feed.take({ kind: "configured", config: HERE, problems: [] });
  assert.equal(await initial, HERE);
  assert.equal(events[0], "snapshot-elsewhere");
  assert.equal(events.includes("snapshot-used"), false);
});

test("when the API says nothing, it goes on with what is stored, and so tells which address is missing", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { feed, events } = restarted(ELSEWHERE);
  const initial = feed.initial();
  while (!events.includes("configuration-awaited")) await turn();
  t.mock.timers.tick(10_000);
  assert.deepEqual((await initial).members, ELSEWHERE.members);
  assert.deepEqual(events, ["snapshot-elsewhere", "configuration-awaited", "snapshot-used"]);
});
