import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { LogEntry } from "../../../src/dhcp/engine/event.ts";
import { ConfigFeed } from "../../../src/dhcp/host/config-feed.ts";
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
