import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.50.${process.pid % 250}`;
const LINK_PORT = 26_471;

let directory = "";
const engines: RunningCli[] = [];
before(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-certs-"));
  mkdirSync(join(directory, "manifests"));
  const addresses = [`${NETWORK}.61`, `${NETWORK}.62`] as const;
  const yaml = campusYaml({ addresses, metricsPort: 29_661, linkPort: LINK_PORT });
  writeFileSync(join(directory, "manifests", "campus.yaml"), yaml);
});
after(async () => {
  for (const engine of engines) engine.child.kill("SIGKILL");
  await Promise.all(engines.map((engine) => engine.ended()));
  rmSync(directory, { recursive: true, force: true });
});

function makeCertificates(relationship: string, out: string, ...more: readonly string[]) {
  const args = ["--relationship", relationship, "--member", "a", "b", "--out", join(directory, out)];
  return runCli(["certs", ...args, ...more]);
}

function startEngine(member: string, security: readonly string[]): RunningCli {
  const engine = startCli([
    "engine",
    ...["--relationship", "default/campus", "--member", member, "--dhcp-port", "20069"],
    ...["--manifests", join(directory, "manifests"), "--data-dir", join(directory, `data-${member}`)],
    ...security,
  ]);
  engines.push(engine);
  return engine;
}

describe("the certificates of a pair without an API", () => {
  test("are made, carry the link, and are renewed without losing it", async () => {
    const made = await makeCertificates("default/campus", "link");
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /\/link\/b: leasepair:\/\/default\/campus\/b/);
    assert.deepEqual(readdirSync(join(directory, "link", "a")).sort(), ["ca.crt", "tls.crt", "tls.key"]);
    assert.equal(statSync(join(directory, "link", "a", "tls.key")).mode & 0o077, 0);
    const authority = readFileSync(join(directory, "link", "authority", "ca.crt"), "utf8");

    const [a, b] = ["a", "b"].map((member) =>
      startEngine(member, ["--link-certificates", join(directory, "link", member)]),
    ) as [RunningCli, RunningCli];
    await Promise.all([a.until(/"to":"NORMAL"/), b.until(/"to":"NORMAL"/)]);
    assert.doesNotMatch(a.output(), /link-in-clear/);

    assert.equal((await makeCertificates("default/campus", "link", "--days", "10")).code, 0);
    assert.equal(readFileSync(join(directory, "link", "authority", "ca.crt"), "utf8"), authority);
    await Promise.all([a, b].map((engine) => engine.until(/link-certificates-renewed/)));
    await a.until(/link-certificate-expires/);
    assert.doesNotMatch(a.output() + b.output(), /link-down/);

    // Once more over a new connection, with what was renewed.
    b.child.kill("SIGKILL");
    await b.ended();
    const again = startEngine("b", ["--link-certificates", join(directory, "link", "b")]);
    await again.until(/"to":"NORMAL"/);

    // Whoever holds no certificate of this pair stays outside, and both ends say so.
    again.child.kill("SIGKILL");
    await again.ended();
    assert.equal((await makeCertificates("default/branch", "branch")).code, 0);
    const clear = startEngine("b", ["--clear-link"]);
    await Promise.all([a.until(/link-distrusted/), clear.until(/link-in-clear/)]);
    assert.doesNotMatch(clear.output(), /link-up/);
    const told = await runCli(["status", "--local", "--data-dir", join(directory, "data-a")]);
    assert.match(told.stdout, /Link: .*down, its partner is refused: .*(in clear|TLS handshake)/);
    clear.child.kill("SIGKILL");
    await clear.ended();
    const foreign = startEngine("b", ["--link-certificates", join(directory, "branch", "b")]);
    assert.equal(await foreign.ended(), 1);
    assert.match(
      foreign.errors(),
      /branch\/b\/tls\.crt: speaks for URI:leasepair:\/\/default\/branch\/b, not for/,
    );
  });

  test("are not made from half an authority", async () => {
    assert.equal((await makeCertificates("default/campus", "half")).code, 0);
    rmSync(join(directory, "half", "authority", "ca.key"));
    const run = await makeCertificates("default/campus", "half");
    assert.equal(run.code, 1);
    assert.match(run.stderr, /half\/authority\/ca\.key: is missing; put it back, or move .*ca\.crt away/);
  });
});
