// A partner that is to move: the configuration names its new place while it still runs in the old one, and the link that stands
// is not given up for that. Otherwise the two would be apart, and whoever moves members from NORMAL only would wait for ever.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.53.${process.pid % 250}`;
const PORTS = { metricsPort: 29_665, linkPort: 26_475 };
const A = `${NETWORK}.91`;
const OLD = `${NETWORK}.92`;
const NEW = `${NETWORK}.93`;

test("a partner with another address in the configuration is kept where it is until it goes, and met where it comes back", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-moves-"));
  const engines: RunningCli[] = [];
  try {
    const link = join(directory, "link");
    const made = await runCli([
      "certs",
      "--relationship",
      "default/campus",
      "--member",
      "a",
      "b",
      "--out",
      link,
    ]);
    assert.equal(made.code, 0, made.stderr);
    const write = (member: string, addressOfB: string) => {
      mkdirSync(join(directory, member), { recursive: true });
      const file = join(directory, member, "campus.yaml");
      writeFileSync(`${file}.new`, campusYaml({ addresses: [A, addressOfB], ...PORTS }));
      renameSync(`${file}.new`, file);
    };
    const start = (member: string) => {
      const own = ["--relationship", "default/campus", "--member", member, "--dhcp-port", "20073"];
      const from = ["--manifests", join(directory, member), "--data-dir", join(directory, `data-${member}`)];
      const engine = startCli(["engine", ...own, ...from, "--link-certificates", join(link, member)]);
      engines.push(engine);
      return engine;
    };
    for (const member of ["a", "b"]) write(member, OLD);
    const [a, b] = [start("a"), start("b")];
    await Promise.all([a.until(/"to":"NORMAL"/), b.until(/"to":"NORMAL"/)]);

    write("a", NEW);
    await a.until(/"event":"configuration-activated"/);
    assert.doesNotMatch(a.output(), /link-down/);
    b.child.kill("SIGTERM");
    await b.ended();
    await a.until(/"event":"link-down"/);
    write("b", NEW);
    await start("b").until(/"to":"NORMAL"/);
  } finally {
    for (const engine of engines) engine.child.kill("SIGKILL");
    await Promise.all(engines.map((engine) => engine.ended()));
    rmSync(directory, { recursive: true, force: true });
  }
});
