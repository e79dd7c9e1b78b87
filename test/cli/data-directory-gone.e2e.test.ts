// A data directory that is taken away under a running engine: nothing more is promised, and whoever looks is told what to do.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { startCli } from "./run-cli.ts";

const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const addresses = [`${NETWORK}.65`, `${NETWORK}.66`] as const;

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-gone-"));
  mkdirSync(join(directory, "manifests"));
  const yaml = campusYaml({ addresses, metricsPort: 29_647, linkPort: 26_470, leaseSeconds: 600 });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
});
after(() => rmSync(directory, { recursive: true, force: true }));

const data = () => join(directory, "a");

for (const [what, act, named] of [
  ["deleted", () => rmSync(data(), { recursive: true }), "lock"],
  ["emptied of its leases", () => rmSync(join(data(), "leases"), { recursive: true }), "leases/segment-"],
] as const) {
  test(`an engine whose data directory is ${what} ends within seconds and names it`, async () => {
    const args = [
      "--relationship",
      "default/campus",
      "--member",
      "a",
      "--dhcp-port",
      "20067",
      "--clear-link",
    ];
    const paths = ["--manifests", join(directory, "manifests"), "--data-dir", data()];
    const engine = startCli(["engine", ...args, ...paths]);
    try {
      await engine.until(/"event":"started"/);
      // Several looks find everything in place.
      await new Promise((resolve) => setTimeout(resolve, 4_500));
      assert.doesNotMatch(engine.output(), /"event":"engine-failed"/);
      act();
      assert.equal(await engine.ended(), 1);
      assert.match(engine.output(), /"event":"engine-failed","code":"DATA_DIRECTORY_GONE"/);
      assert.match(engine.errors(), new RegExp(`${data()}/${named}.*Put it back where it was`));
    } finally {
      engine.child.kill("SIGKILL");
      await engine.ended();
      rmSync(data(), { recursive: true, force: true });
    }
  });
}
