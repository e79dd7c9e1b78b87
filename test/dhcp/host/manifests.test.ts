import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { manifestsFingerprint, readManifestDirectory } from "../../../src/dhcp/host/manifests.ts";
import { campusYaml } from "./campus.ts";

test("what is no regular file is refused by its name, and not waited for", () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-manifests-"));
  try {
    writeFileSync(join(directory, "campus.yaml"), campusYaml());
    execFileSync("mkfifo", [join(directory, "fifo.yaml")]);
    mkdirSync(join(directory, "directory.yml"));
    assert.match(manifestsFingerprint(directory), /^fifo\.yaml /m);
    const { errors } = readManifestDirectory(directory);
    const remedy = "cannot be read: it is no regular file; remove it, or begin its name with a dot";
    assert.deepEqual(
      errors.map(({ file, message }) => [file, message]),
      ["directory.yml", "fifo.yaml"].map((name) => [join(directory, name), remedy]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
