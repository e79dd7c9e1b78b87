// Two engines that know each other as external members only, each from manifests of its own: as between two clusters.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { campusYaml } from "../dhcp/host/campus.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.52.${process.pid % 250}`;
const ADDRESS = { a: `${NETWORK}.81`, b: `${NETWORK}.82` } as const;
const PORTS = { metricsPort: 29_663, linkPort: 26_473 };
/** What both call their relationship on the link. */
const SHARED = "shared/campus";

test("two relationships of different names meet under the name that both were told, over TLS", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-external-"));
  const engines: RunningCli[] = [];
  try {
    const link = join(directory, "link");
    const made = await runCli(["certs", "--relationship", SHARED, "--member", "a", "b", "--out", link]);
    assert.equal(made.code, 0, made.stderr);
    const start = (member: "a" | "b", namespace: string) => {
      const partner = member === "a" ? "b" : "a";
      const external = `{ name: ${partner}, external: { dialect: Leasepair, address: ${ADDRESS[partner]}, relationshipName: ${SHARED} } }`;
      const yaml = campusYaml({ addresses: [ADDRESS.a, ADDRESS.b], ...PORTS })
        .replace(new RegExp(`\\{ name: ${partner}, nodeName.*\\}`), external)
        .replaceAll("namespace: default", `namespace: ${namespace}`);
      mkdirSync(join(directory, member));
      writeFileSync(join(directory, member, "campus.yaml"), yaml);
      return engine(member, namespace, link);
    };
    const engine = (member: "a" | "b", namespace: string, certificates: string) => {
      const own = ["--relationship", `${namespace}/campus`, "--member", member, "--dhcp-port", "20071"];
      const from = ["--manifests", join(directory, member), "--data-dir", join(directory, `data-${member}`)];
      const secured = ["--link-certificates", join(certificates, member)];
      const started = startCli(["engine", ...own, ...from, ...secured]);
      engines.push(started);
      return started;
    };
    const [a, b] = [start("a", "here"), start("b", "there")];
    await Promise.all([a.until(/"to":"NORMAL"/), b.until(/"to":"NORMAL"/)]);
    assert.doesNotMatch(a.output() + b.output(), /link-in-clear/);

    // b's certificates come from another authority now; it trusts a's still, but a was not told of the new one. Both say so.
    const other = join(directory, "other");
    assert.equal(
      (await runCli(["certs", "--relationship", SHARED, "--member", "a", "b", "--out", other])).code,
      0,
    );
    const trusted = [other, link].map((from) => readFileSync(join(from, "b", "ca.crt"), "utf8"));
    writeFileSync(join(other, "b", "ca.crt"), trusted.join(""));
    b.child.kill("SIGKILL");
    await b.ended();
    const renewed = engine("b", "there", other);
    await Promise.all([a.until(/link-distrusted.*CertificateRevoked/), renewed.until(/link-refused/)]);
    const status = (member: string) =>
      runCli(["status", "--local", "--data-dir", join(directory, `data-${member}`)]);
    assert.match(
      (await status("a")).stdout,
      /Link: +down, its partner is refused: its certificate is signed by/,
    );
    const told = /Link: +down, its partner refuses it: CertificateRevoked: its certificate is signed by/;
    assert.match((await status("b")).stdout, told);

    const refused = await runCli([
      ...["engine", "--relationship", "here/campus", "--member", "b", "--dhcp-port", "20072"],
      ...["--manifests", join(directory, "a"), "--data-dir", join(directory, "data-c")],
      ...["--link-certificates", join(link, "b")],
    ]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /member b of relationship here\/campus is external: it runs elsewhere/);
  } finally {
    for (const engine of engines) engine.child.kill("SIGKILL");
    await Promise.all(engines.map((engine) => engine.ended()));
    rmSync(directory, { recursive: true, force: true });
  }
});
