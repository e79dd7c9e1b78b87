import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { FromConfigSource } from "../../../src/dhcp/host/config-message.ts";
import { ManifestSource } from "../../../src/dhcp/host/manifest-source.ts";
import { campusYaml } from "./campus.ts";

let directory = "";
let source: ManifestSource | null = null;
let messages: FromConfigSource[] = [];
let wake = () => {};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-manifests-"));
  messages = [];
});
afterEach(async () => {
  await source?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function start(path = directory): void {
  void source?.stop();
  source = new ManifestSource({
    namespace: "default",
    relationship: "campus",
    member: "a",
    directory: path,
    lastGood: () => ofKind("configured").at(-1)?.config ?? null,
    post: (message) => {
      messages.push(message);
      wake();
    },
  });
  source.start();
}

function ofKind<Kind extends FromConfigSource["kind"]>(kind: Kind) {
  return messages.filter((m): m is Extract<FromConfigSource, { kind: Kind }> => m.kind === kind);
}

async function until(isTrue: () => boolean): Promise<void> {
  const timeout = AbortSignal.timeout(60_000);
  while (!isTrue()) {
    timeout.throwIfAborted();
    await Promise.race([new Promise<void>((resolve) => (wake = resolve)), once(timeout, "abort")]);
  }
}

function operation(fields: Record<string, string>, survivor = "a"): string {
  const extra = Object.entries(fields).map(([name, value]) => `  ${name}: ${value}\n`);
  return `---
apiVersion: leasepair.io/v1alpha1
kind: FailoverOperation
metadata: { name: alone, namespace: default }
spec:
  relationshipRef: { name: campus }
  type: DeclarePartnerDown
  declarePartnerDown: { survivor: ${survivor} }
  reason: one server only
${extra.join("")}`;
}

describe("configuration from manifests", () => {
  test("good files give a configuration at once", () => {
    writeFileSync(join(directory, "campus.yaml"), campusYaml());
    writeFileSync(join(directory, ".campus.yaml.swp"), "not: [yaml");
    start();
    const [configured] = ofKind("configured");
    assert.equal(configured?.config.name, "campus");
    assert.deepEqual(configured?.problems, []);
    assert.deepEqual(ofKind("source"), [{ kind: "source", reachable: true }]);
  });

  const mistakes = [
    {
      name: "an unknown field",
      yaml: campusYaml().replace("  subnet:", "  subnett: x\n  subnet:"),
      where: /campus\.yaml:18$/,
      message: /subnett/,
    },
    {
      name: "broken YAML",
      yaml: campusYaml().replace("relayAddresses: [", "relayAddresses: [["),
      where: /campus\.yaml:\d+$/,
      message: /not valid YAML/,
    },
    {
      name: "a range outside the subnet",
      yaml: campusYaml().replace("end: 10.20.0.199", "end: 10.21.0.199"),
      where: /campus\.yaml:2\d$/,
      message: /10\.21\.0\.199/,
    },
  ];
  for (const { name, yaml, where, message } of mistakes) {
    test(`${name} is named with file and line, and nothing of the files is taken`, () => {
      writeFileSync(join(directory, "campus.yaml"), yaml);
      start();
      assert.deepEqual(ofKind("configured"), []);
      const [problem] = ofKind("rejected")[0]?.problems ?? [];
      assert.match(problem?.where ?? "", where);
      assert.match(problem?.message ?? "", message);
    });
  }

  test("an empty directory and one that is not there are problems, not crashes", () => {
    start();
    assert.match(ofKind("rejected")[0]?.problems[0]?.message ?? "", /no \*\.yaml/);
    rmSync(directory, { recursive: true });
    start();
    assert.match(ofKind("rejected")[1]?.problems[0]?.message ?? "", /cannot be read: ENOENT/);
  });

  const misfits = [
    {
      name: "a scope of a relationship that is not there",
      yaml: campusYaml()
        .split("---\n")[1]!
        .replaceAll("campus", "cumpus")
        .replace("name: users", "name: lost"),
      reason: "RelationshipNotFound",
      message: /^DHCPScope default\/lost: spec\.relationshipRef\.name: "cumpus": there is no such/,
    },
    {
      name: "an order to go alone for a member that is not there",
      yaml: operation({}, "c").replace("---\n", ""),
      reason: "MemberUnknown",
      message:
        /^FailoverOperation default\/alone: spec\.declarePartnerDown\.survivor: "c": must be a member: a or b$/,
    },
  ];
  for (const { name, yaml, reason, message } of misfits) {
    test(`${name} is named with file and line, and the rest is taken`, () => {
      writeFileSync(join(directory, "campus.yaml"), campusYaml());
      writeFileSync(join(directory, "more.yaml"), yaml);
      start();
      const [configured] = ofKind("configured");
      assert.equal(configured?.problems.length, 1);
      const [problem] = configured?.problems ?? [];
      assert.match(problem?.where ?? "", /more\.yaml:1$/);
      assert.equal(problem?.reason, reason);
      assert.match(problem?.message ?? "", message);
    });
  }

  test("a relationship that no file has is told with those that are there", () => {
    writeFileSync(join(directory, "campus.yaml"), campusYaml().replaceAll("campus", "cumpus"));
    start();
    const [problem] = ofKind("rejected")[0]?.problems ?? [];
    assert.equal(problem?.where, directory);
    assert.match(
      problem?.message ?? "",
      /no FailoverRelationship default\/campus in .* it has default\/cumpus/,
    );
  });

  test("a scope whose edit does not fit its neighbours keeps what it had", async () => {
    const file = join(directory, "campus.yaml");
    writeFileSync(file, campusYaml());
    start();
    const before = ofKind("configured")[0]?.config.scopes;
    const overlapping = `${campusYaml()}    - { start: 10.20.0.150, end: 10.20.0.210 }\n`;
    writeFileSync(file, overlapping);
    await until(() => ofKind("configured").length + ofKind("rejected").length > 1);
    const after = ofKind("configured").at(-1);
    assert.match(after?.problems[0]?.message ?? "", /10\.20\.0\.150/);
    assert.deepEqual(after?.config.scopes, before);
  });

  test("a change is followed, and a mistake after it does not undo it", async () => {
    const file = join(directory, "campus.yaml");
    writeFileSync(file, campusYaml());
    start();
    writeFileSync(file, campusYaml({ leaseSeconds: 1200 }));
    await until(() => ofKind("configured").length === 2);
    assert.equal(ofKind("configured")[1]?.config.scopes[0]?.lease.defaultSeconds, 1200);
    writeFileSync(file, "kind: [");
    await until(() => ofKind("rejected").length === 1);
    assert.equal(ofKind("configured").length, 2);
  });

  test("what stands in a file that is still being written never comes into force", async () => {
    const file = join(directory, "campus.yaml");
    writeFileSync(file, campusYaml());
    start();
    // Without its scope it is a configuration, too.
    const half = campusYaml().split("---\n")[0] ?? "";
    for (const text of [half, `${half}# half\n`, `${half}# three quarters\n`]) {
      writeFileSync(file, text);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    writeFileSync(file, campusYaml({ leaseSeconds: 1200 }));
    await until(() => ofKind("configured").length === 2);
    assert.deepEqual(
      ofKind("configured").map(({ config }) => config.scopes.map(({ lease }) => lease.defaultSeconds)),
      [[600], [1200]],
    );
    assert.deepEqual(ofKind("rejected"), []);
  });

  test("an emptied file takes nothing away", async () => {
    const file = join(directory, "campus.yaml");
    writeFileSync(file, campusYaml());
    start();
    writeFileSync(join(directory, "more.yaml"), "");
    await until(() => ofKind("rejected").length === 1);
    assert.match(ofKind("rejected")[0]?.problems[0]?.message ?? "", /is empty; .*remove the file/);
    assert.equal(ofKind("configured").length, 1);
  });

  test("a symlink swapped under the files, as the kubelet does, is followed", async () => {
    for (const [name, leaseSeconds] of [
      ["..one", 600],
      ["..two", 1200],
    ] as const) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, "campus.yaml"), campusYaml({ leaseSeconds }));
    }
    symlinkSync("..one", join(directory, "..data"));
    symlinkSync("..data/campus.yaml", join(directory, "campus.yaml"));
    start();
    assert.equal(ofKind("configured")[0]?.config.scopes[0]?.lease.defaultSeconds, 600);
    symlinkSync("..two", join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    await until(() => ofKind("configured").length === 2);
    assert.equal(ofKind("configured")[1]?.config.scopes[0]?.lease.defaultSeconds, 1200);
  });

  test("a declaration for this member is told with the digest of its spec", () => {
    writeFileSync(join(directory, "campus.yaml"), campusYaml() + operation({}));
    start();
    const [declared] = ofKind("declared-partner-down");
    assert.equal(declared?.operation, "alone");
    assert.match(declared?.digest ?? "", /^[0-9a-f]{64}$/);
  });

  const ignored = [
    { name: "for the other member", yaml: operation({}, "b") },
    { name: "whose notAfter has passed", yaml: operation({ notAfter: '"2020-01-01T00:00:00Z"' }) },
  ];
  for (const { name, yaml } of ignored) {
    test(`a declaration ${name} is not told`, () => {
      writeFileSync(join(directory, "campus.yaml"), campusYaml() + yaml);
      start();
      assert.equal(ofKind("configured").length, 1);
      assert.deepEqual(ofKind("declared-partner-down"), []);
    });
  }
});
