// The link's Secrets in the API's objects: made, renewed, rolled over and revoked, with the real certificates inside.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import type { KubeObject } from "../../src/kube/resource.ts";
import { SECRET } from "../../src/kube/resource.ts";
import { isReady, until } from "./life.ts";
import { PairWorld, TestController } from "./pair-world.ts";

const DAY_MS = 86_400_000;

function secretsOf(world: PairWorld) {
  const read = (name: string, key: string) => {
    const data = world.secret(name)?.["data"] as Record<string, string> | undefined;
    return data?.[key] === undefined ? null : Buffer.from(data[key], "base64").toString();
  };
  const leaf = (member: string) => new X509Certificate(read(`campus-${member}-link`, "tls.crt") ?? "");
  const trusted = (member: string) =>
    (read(`campus-${member}-link`, "ca.crt") ?? "")
      .split(/(?<=-----END CERTIFICATE-----)\n/)
      .filter((pem) => pem.includes("BEGIN"))
      .map((pem) => new X509Certificate(pem));
  return { read, leaf, trusted };
}

/** What TLS asks of the two: each one's certificate is signed by something that the other trusts. */
function trustEachOther(world: PairWorld): boolean {
  const { leaf, trusted } = secretsOf(world);
  const trusts = (one: string, other: string) =>
    trusted(one).some((authority) => leaf(other).verify(authority.publicKey));
  return trusts("a", "b") && trusts("b", "a");
}

async function running() {
  const world = new PairWorld();
  const controller = new TestController(world);
  await until(
    world,
    [controller],
    "both NORMAL",
    () => isReady(world) && world.secret("campus-b-link") !== null,
  );
  for (let look = 0; look < 3; look++) await controller.look();
  return { world, controller };
}

/** Looks a few times at a later moment, as the resync does; checks the trust after each write. */
async function looksAt(world: PairWorld, controller: TestController, laterMs: number): Promise<number> {
  world.nowMs += laterMs;
  let writes = 0;
  for (let look = 0; look < 6; look++) {
    writes += await controller.look();
    assert.ok(trustEachOther(world));
  }
  return writes;
}

test("each member gets a certificate for itself, in a Secret that goes with the relationship", async () => {
  const { world } = await running();
  const { leaf, read } = secretsOf(world);
  for (const member of ["a", "b"]) {
    const certificate = leaf(member);
    assert.equal(certificate.subjectAltName, `URI:leasepair://default/campus/${member}`);
    const days = (Date.parse(certificate.validTo) - world.nowMs) / DAY_MS;
    assert.ok(days > 89 && days < 91, `${days} days`);
    assert.equal(
      read(`campus-${member}-link`, "ca.key"),
      null,
      "the authority's key is in its own Secret alone",
    );
  }
  assert.ok(trustEachOther(world));
  const owner = world.secret("campus-a-link")?.metadata.ownerReferences?.[0];
  assert.equal(owner?.uid, world.get("FailoverRelationship", "campus").metadata.uid);
  const text = JSON.stringify(world.status("FailoverRelationship", "campus"));
  assert.doesNotMatch(text, /PRIVATE KEY/);
});

test("both members' certificates are made in one look, and the pods in the same", async () => {
  const world = new PairWorld();
  const controller = new TestController(world);
  while (world.secret("campus-a-link") === null) await controller.look();
  assert.notEqual(world.secret("campus-b-link"), null);
  assert.equal(world.names("StatefulSet").length, 2);
});

test("a certificate is renewed at 60 days, and nothing is written before", async () => {
  const { world, controller } = await running();
  const serial = () => secretsOf(world).leaf("a").serialNumber;
  const first = serial();
  assert.equal(await looksAt(world, controller, 59 * DAY_MS), 0);
  assert.equal(serial(), first);
  assert.ok((await looksAt(world, controller, 1.1 * DAY_MS)) >= 2);
  assert.notEqual(serial(), first);
});

test("over five years one authority follows another, and the two trust each other after every single write", async () => {
  const { world, controller } = await running();
  const authorities = new Set<string>();
  for (let days = 0; days < 5.5 * 365; days += 80) {
    await looksAt(world, controller, 80 * DAY_MS);
    // The minutes after a step count too.
    for (let step = 0; step < 3; step++) await looksAt(world, controller, 1_000_000);
    const { read } = secretsOf(world);
    authorities.add(new X509Certificate(read("campus-link-authority", "ca.crt") ?? "").fingerprint256);
    assert.ok(Date.parse(secretsOf(world).leaf("a").validTo) > world.nowMs);
  }
  assert.equal(authorities.size, 2);
  assert.equal(secretsOf(world).trusted("a").length, 1, "the old one is forgotten");
});

test("deleting the authority revokes all that it signed", async () => {
  const { world, controller } = await running();
  const before = secretsOf(world).trusted("a")[0]!;
  world.deleteSecret("campus-link-authority");
  // Secrets are not watched: the next reading is minutes away.
  world.nowMs += 300_000;
  for (let look = 0; look < 6; look++) await controller.look();
  assert.ok(trustEachOther(world));
  assert.equal(secretsOf(world).leaf("a").verify(before.publicKey), false);
  assert.equal(secretsOf(world).trusted("a").length, 1);
});

test("somebody else's Secret of that name is neither used nor overwritten, and is named", async () => {
  const world = new PairWorld();
  const theirs: KubeObject = { metadata: { name: "campus-a-link", namespace: "default" }, data: {} };
  const { metadata } = await world.client().create(SECRET, theirs);
  const controller = new TestController(world);
  for (let look = 0; look < 6; look++) {
    await controller.look();
    world.turn();
  }
  assert.equal(world.secret("campus-a-link")?.metadata.resourceVersion, metadata.resourceVersion);
  assert.match(
    String(world.condition("LinkSecure")["message"]),
    /Secret campus-a-link exists and does not belong/,
  );
});

test("once a predecessor's Secret has gone, the link's own are made within seconds", async () => {
  const world = new PairWorld();
  const theirs: KubeObject = {
    metadata: { name: "campus-link-authority", namespace: "default" },
    data: {},
  };
  await world.client().create(SECRET, theirs);
  const controller = new TestController(world);
  for (let look = 0; look < 6; look++) await controller.look();
  assert.match(String(world.condition("LinkSecure")["message"]), /campus-link-authority exists/);
  world.deleteSecret("campus-link-authority");
  world.nowMs += 10_000;
  for (let look = 0; look < 6; look++) await controller.look();
  assert.notEqual(world.secret("campus-a-link"), null);
  assert.ok(trustEachOther(world));
});

/** PEM as the schema wants it, with something else inside. */
const NO_CERTIFICATE = `-----BEGIN CERTIFICATE-----\n${btoa("this is no certificate")}\n-----END CERTIFICATE-----\n`;

test("a trusted authority that is no certificate is refused by its field, and no Secret is written for it", async () => {
  const { world, controller } = await running();
  const { leaf, read } = secretsOf(world);
  const good = read("campus-link-authority", "ca.crt") ?? "";
  const [before, trusts] = [leaf("a").fingerprint256, read("campus-a-link", "ca.crt")];
  const trust = (trustedAuthorities: readonly string[]) =>
    world.patch("FailoverRelationship", "campus", { spec: { link: { tls: { trustedAuthorities } } } });
  trust([good, NO_CERTIFICATE]);
  for (let look = 0; look < 3; look++) await controller.look();
  const { status, reason, message } = world.condition("Accepted");
  assert.deepEqual([status, reason], ["False", "Invalid"]);
  assert.match(String(message), /spec\.link\.tls\.trustedAuthorities\[1\].*campus-link-authority/);
  assert.deepEqual([leaf("a").fingerprint256, read("campus-a-link", "ca.crt")], [before, trusts]);
  assert.equal(await looksAt(world, controller, 61 * DAY_MS), 0, "at rest, also when the renewal is due");
  trust([good]);
  for (let look = 0; look < 3; look++) await controller.look();
  assert.equal(world.condition("Accepted")["status"], "True");
  assert.notEqual(leaf("a").fingerprint256, before);
});

test("one that came after the look is left out of what is written", async () => {
  const { world } = await running();
  const before = world.objects.store.revision;
  // Its cache is from before the entry came; the deleted certificate is made in any case.
  const behind = new TestController(world, { revision: () => before });
  world.patch("FailoverRelationship", "campus", {
    spec: { link: { tls: { trustedAuthorities: [NO_CERTIFICATE] } } },
  });
  world.deleteSecret("campus-a-link");
  await behind.look();
  const { read } = secretsOf(world);
  assert.ok(read("campus-a-link", "tls.crt"));
  assert.equal(read("campus-a-link", "ca.crt")?.split("BEGIN CERTIFICATE").length, 2);
});
