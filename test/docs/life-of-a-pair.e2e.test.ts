// The tables of docs/guides/life-of-a-pair.md against the definitions and a running pair: every field of both kinds has a row,
// and what a row says of its fields is what a change of each does: refused, at once, when both members hold it, by restarts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { StatusError } from "../../dev/embedded-api/status-error.ts";
import { linkIdentity } from "../../src/base/link-identity.ts";
import { ANNOTATION_TEMPLATE_HASH } from "../../src/controller/desired/names.ts";
import { issueLinkCertificate, makeLinkAuthority } from "../../src/kube/link-certificates.ts";
import { SECRET } from "../../src/kube/resource.ts";
import { isReady, until } from "../controller/life.ts";
import { PairWorld, TestController } from "../controller/pair-world.ts";

type Json = Record<string, unknown>;
type Kind = "FailoverRelationship" | "DHCPScope";

const ROOT = join(import.meta.dirname, "..", "..");
const NAMES = { FailoverRelationship: "campus", DHCPScope: "campus-users" } as const;
const PLURALS = { FailoverRelationship: "failoverrelationships", DHCPScope: "dhcpscopes" } as const;
const OUTCOMES = ["refused", "at once", "when both hold it", "by restarts", "at creation"] as const;
type Outcome = (typeof OUTCOMES)[number];

interface Row {
  readonly fields: readonly string[];
  readonly outcome: Outcome;
}

/** The rows of the table under `heading`: fields in backticks, and the bold word. */
function rowsUnder(heading: string): readonly Row[] {
  const guide = readFileSync(join(ROOT, "docs", "guides", "life-of-a-pair.md"), "utf8");
  const section = guide.slice(guide.indexOf(heading)).split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [, names = "", when = ""] = line.split(" | ".trim());
    const outcome = OUTCOMES.find((word) => when.includes(`**${word}**`));
    assert.ok(outcome, `${line}: says in bold one of ${OUTCOMES.join(", ")}`);
    return { fields: [...names.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name), outcome };
  });
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** Every field of a kind's spec that holds a value, such as `members[].address`. */
function fieldsOf(kind: Kind): readonly string[] {
  const file = join(ROOT, "crds", `leasepair.io_${PLURALS[kind]}.yaml`);
  const [version] = parse(readFileSync(file, "utf8")).spec.versions;
  const walk = ({ properties, items }: Schema, path: string): readonly string[] => {
    if (items !== undefined) return walk(items, `${path}[]`);
    if (properties === undefined) return [path];
    const below = path === "" ? "" : `${path}.`;
    return Object.entries(properties).flatMap(([name, child]) => walk(child, below + name));
  };
  return walk(version.schema.openAPIV3Schema.properties.spec, "");
}

const isWithin = (path: string, field: string) =>
  path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[]`);

/** A change of one field: `spec` merged into the example's, after `before` was. */
interface Sample {
  readonly field: string;
  readonly spec: Json;
  readonly before?: Json;
}

const [A, B] = [
  { name: "a", nodeName: "node-1", address: "10.20.0.11", interfaces: ["lan0"] },
  { name: "b", nodeName: "node-2", address: "10.20.0.12", interfaces: ["lan0"] },
] as const;
const b = (change: Json): Json => ({ members: [A, { ...B, ...change }] });
const sample = (field: string, spec: Json, before: Json = {}): Sample => ({ field, spec, before });
const claims = (persistentVolumeClaim: Json): Json => ({
  storage: { type: "PersistentVolumeClaim", persistentVolumeClaim },
});
const authority = await makeLinkAuthority("theirs", { now: new Date(), days: 9000 });
const { certificate } = authority;

/** The certificates that somebody else brings. */
async function bringCertificates(world: PairWorld): Promise<void> {
  const now = new Date(world.nowMs);
  for (const name of ["a", "b"]) {
    const identity = linkIdentity("default/campus", name);
    const leaf = await issueLinkCertificate(authority, identity, { now, days: 90 });
    const files = { "tls.crt": leaf.certificate, "tls.key": leaf.key, "ca.crt": certificate };
    const data = Object.fromEntries(
      Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString("base64")]),
    );
    await world.client().create(SECRET, { metadata: { name: `theirs-${name}`, namespace: "default" }, data });
  }
}

const SAMPLES: Readonly<Record<Kind, readonly Sample[]>> = {
  FailoverRelationship: [
    sample("scopeDefaults", { scopeDefaults: { options: { ntpServers: ["192.0.2.7"] } } }),
    sample("limits", { limits: { client: { requestsPerSecond: 5, burst: 5 } } }),
    sample("clientClasses", { clientClasses: [{ name: "phones", match: "true" }] }),
    sample("leasequery", { leasequery: { allowFrom: ["192.0.2.0/24"] } }),
    sample("maxSeconds", { maxSeconds: 9 }),
    sample("mode", { mode: "HotStandby" }),
    sample("primary", { primary: "b" }),
    sample("loadBalance", { loadBalance: { primaryPercent: 70 } }),
    sample("hotStandby", { hotStandby: { reservePercent: 20 } }, { mode: "HotStandby" }),
    sample("maxClientLeadTimeSeconds", { maxClientLeadTimeSeconds: 1801 }),
    sample("partnerDown.fencing", { partnerDown: { fencing: "None" } }),
    sample(
      "partnerDown.fencing",
      { partnerDown: { fencing: "Witness" } },
      { partnerDown: { fencing: "None" } },
    ),
    sample("partnerDown.automatic", { partnerDown: { automatic: "Disabled" } }),
    sample("partnerDown.afterSeconds", { partnerDown: { afterSeconds: 77 } }),
    sample("members[].address", b({ address: "10.20.0.13" })),
    sample("members[].linkAddress", b({ linkAddress: "10.30.0.12" })),
    sample("members[].interfaces", b({ interfaces: ["lan0", "lan1"] })),
    sample("members[].interfaces, none before or after", b({ interfaces: [] })),
    sample("members[].metricsPort", b({ metricsPort: 9700 })),
    sample("members[].nodeName", b({ nodeName: "node-3" })),
    sample("members[].name", b({ name: "c" })),
    sample(
      "members[].external",
      { members: [A, { name: "b", external: { dialect: "ISC", address: "192.0.2.9" } }] },
      { partnerDown: { fencing: "None" } },
    ),
    sample("link.port", { link: { port: 1647 } }),
    sample("link.tls.secretRef", { link: { tls: { secretRef: { name: "theirs" } } } }),
    sample("link.tls.trustedAuthorities", { link: { tls: { trustedAuthorities: [certificate] } } }),
    sample("storage.type", { storage: { type: "PersistentVolumeClaim", persistentVolumeClaim: {} } }),
    sample("storage.persistentVolumeClaim.size", claims({ size: "2Gi" }), claims({ size: "1Gi" })),
    sample("storage.persistentVolumeClaim.storageClassName", claims({ storageClassName: "x" }), claims({})),
    sample(
      "storage.persistentVolumeClaim.accessMode",
      claims({ accessMode: "ReadWriteOnce" }),
      claims({ accessMode: "ReadWriteOncePod" }),
    ),
    sample("storage.retain", { storage: { retain: false } }),
    sample("storage.adoptFrom", { storage: { adoptFrom: "0b5d1c9a-6f0e-4c39-8a53-5f2d9b7c1e42" } }),
  ],
  DHCPScope: [
    sample("subnet", { subnet: "10.21.0.0/24" }),
    sample("relationshipRef", { relationshipRef: { name: "other" } }),
    sample("ranges", { ranges: [{ start: "10.20.0.100", end: "10.20.0.198" }] }),
    sample("ranges", { ranges: [{ start: "10.20.0.100", end: "10.20.0.199", allowedClasses: ["phones"] }] }),
    sample("exclusions", { exclusions: [{ start: "10.20.0.151", end: "10.20.0.151" }] }),
    sample("sharedNetwork", { sharedNetwork: "lan" }),
    sample("allowedClasses", { allowedClasses: ["phones"] }),
    sample("relayAddresses", { relayAddresses: ["10.20.0.1"] }),
    sample("leaseTime", { leaseTime: { defaultSeconds: 1200 } }),
    sample("options", { options: { domainName: "other.example.org" } }),
    sample("boot", { boot: { nextServer: "10.20.0.5" } }),
    sample("reservations", {
      reservations: [{ address: "10.20.0.51", hardwareAddress: "02:00:00:00:20:51" }],
    }),
    sample("authoritative", { authoritative: false }),
    sample("rapidCommit", { rapidCommit: "Enabled" }),
    sample("addressProbe", { addressProbe: "Enabled" }),
    sample("subnetSelection", { subnetSelection: "Enabled" }),
    sample("autoConfiguration", { autoConfiguration: "Prohibited" }),
    sample("declinedHoldSeconds", { declinedHoldSeconds: 7777 }),
    sample("state", { state: "Disabled" }),
  ],
};

/** What a running pair is made of. */
function footprint(world: PairWorld) {
  const { shape, revision } = world.status("FailoverRelationship", "campus")["effective"] as Json;
  const sets = world.names("StatefulSet").map((name) => {
    const { annotations } = world.get("StatefulSet", name).metadata;
    return [name, annotations?.[ANNOTATION_TEMPLATE_HASH]];
  });
  const secrets = ["campus-a-link", "campus-store"].map((name) => world.secret(name)?.["data"]);
  const claimed = world
    .names("PersistentVolumeClaim")
    .map((name) => world.get("PersistentVolumeClaim", name)["spec"]);
  return { shape, templates: JSON.stringify(sets), rest: JSON.stringify([revision, secrets, claimed]) };
}

/** What the change does to a pair that is NORMAL. */
async function outcomeOf(kind: Kind, { before, field, spec }: Sample): Promise<Outcome> {
  const world = new PairWorld();
  world.create("Node", null, { metadata: { name: "node-3" } });
  if (field === "link.tls.secretRef") await bringCertificates(world);
  const controller = new TestController(world);
  world.patch(kind, NAMES[kind], { spec: before });
  await until(world, [controller], "both NORMAL", () => isReady(world));
  for (let look = 0; look < 4; look++) await controller.look();
  const was = footprint(world);
  try {
    world.patch(kind, NAMES[kind], { spec });
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.ok(error.message.includes(field.split("[")[0]!), error.message);
    return "refused";
  }
  // Secrets are looked at every few minutes.
  world.nowMs += 300_000;
  for (let look = 0; look < 4; look++) await controller.look();
  assert.equal(world.condition("Accepted")["status"], "True", `${world.condition("Accepted")["message"]}`);
  const is = footprint(world);
  if (is.templates !== was.templates) return "by restarts";
  if (is.shape !== was.shape) return "when both hold it";
  return is.rest === was.rest ? "at creation" : "at once";
}

const HEADINGS = {
  FailoverRelationship: "## Fields of a FailoverRelationship",
  DHCPScope: "## Fields of a DHCPScope",
} as const;

for (const kind of ["FailoverRelationship", "DHCPScope"] as const) {
  const rows = rowsUnder(HEADINGS[kind]);
  const named = rows.flatMap(({ fields }) => fields);

  test(`every field of a ${kind} has a row in the guide, and no row is of a field that there is not`, () => {
    const fields = fieldsOf(kind);
    const plain = (name: string) => name.split(",")[0]!;
    assert.deepEqual(
      fields.filter((path) => !named.some((name) => isWithin(path, plain(name)))),
      [],
    );
    assert.deepEqual(
      named.filter((name) => !fields.some((path) => isWithin(path, plain(name)))),
      [],
    );
    assert.deepEqual(
      named.filter((name) => !SAMPLES[kind].some(({ field }) => field === name)),
      [],
      "each is changed below",
    );
  });

  for (const one of SAMPLES[kind]) {
    test(`${kind} ${one.field}: counts when the guide says`, async () => {
      const row = rows.find(({ fields }) => fields.includes(one.field));
      assert.ok(row, "it has a row");
      assert.equal(await outcomeOf(kind, one), row.outcome);
    });
  }
}
