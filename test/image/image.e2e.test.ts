// `npm run image`: what is in the image, that two builds are one, and that other people's tools read it. That it runs is
// shown on the real cluster (test/cluster).

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { after, before, describe, it } from "node:test";
import { cachedImage } from "../../dev/image/cached-image.ts";
import { collectImage } from "../../dev/image/image.ts";
import { type ImageFile, writeImage } from "../../dev/image/oci-archive.ts";
import { unmet } from "../../dev/lib/requirements.ts";
import { run } from "../../dev/lib/run.ts";

/** Compressed; most of it is Node. Larger means that something got in which no container runs. */
const MEGABYTES_MAX = 60;

describe("the image", { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-image-"));
  const archive = join(directory, "one.tar");
  let digest = "";
  let files: readonly ImageFile[] = [];
  before(async () => {
    const { image } = collectImage();
    files = image.layers.flat();
    ({ digest } = await writeImage(archive, "leasepair:test", image));
  });
  after(() => rmSync(directory, { recursive: true }));

  const content = (path: string) => String(files.find((file) => file.path === path)?.content ?? "");

  it("built twice has one digest, and the archive the same bytes", async () => {
    const again = join(directory, "two.tar");
    const second = await writeImage(again, "leasepair:test", collectImage().image);
    assert.equal(second.digest, digest);
    assert.ok(readFileSync(again).equals(readFileSync(archive)));
  });

  it("kept between runs, is the last to make room once it is used again", async () => {
    const kept = await cachedImage();
    utimesSync(kept, 0, 0);
    assert.equal(await cachedImage(), kept);
    assert.ok(statSync(kept).mtimeMs > 0);
  });

  it(`has less than ${MEGABYTES_MAX} MB`, () => {
    const megabytes = readFileSync(archive).length / 1e6;
    assert.ok(megabytes < MEGABYTES_MAX, `${megabytes.toFixed(1)} MB`);
  });

  it("holds production packages alone, no types, no shell", () => {
    const names = files.map(({ path }) => path);
    for (const unwanted of [
      /typescript/,
      /biome/,
      /opt\/leasepair\/src\/.*\.ts$/,
      /\.d\.ts$/,
      /\.map$/,
      /(^|\/)(sh|bash|busybox|npm)$/,
      /tar-stream\/test/,
    ]) {
      assert.deepEqual(
        names.filter((name) => unwanted.test(name)),
        [],
      );
    }
    for (const wanted of [
      "opt/leasepair/src/cli/main.js",
      "opt/leasepair/node_modules/zod/package.json",
      "lib64/ld-linux-x86-64.so.2",
    ]) {
      if (process.arch === "x64" || !wanted.startsWith("lib64")) assert.ok(names.includes(wanted), wanted);
    }
  });

  it("has every module that another one imports, in JavaScript that Node need not strip", () => {
    const own = files.filter(({ path }) => path.startsWith("opt/leasepair/src/") && path.endsWith(".js"));
    const names = new Set(own.map(({ path }) => path));
    const imported = own.flatMap(({ path, content = "" }) =>
      [...String(content).matchAll(/["'](\.{1,2}\/[^"'\n]*\.[jt]s)["']/g)].map(([, name = ""]) =>
        posix.join(posix.dirname(path), name),
      ),
    );
    assert.ok(imported.length > own.length, "imports were found");
    assert.deepEqual(
      imported.filter((name) => !names.has(name)),
      [],
    );
  });

  it("is root's, read-only for everybody else, with file capabilities on node alone", () => {
    const writable = files.filter(({ path, mode }) => (mode & 0o022) !== 0 && path !== "tmp/");
    assert.deepEqual(
      writable.map(({ path }) => path),
      [],
    );
    const capable = files.filter(({ capabilities }) => capabilities !== undefined);
    assert.deepEqual(
      capable.map(({ path }) => path),
      ["usr/local/bin/node"],
    );
    // NET_BIND_SERVICE (10) and NET_RAW (13), permitted, not effective.
    assert.equal(capable[0]?.capabilities?.toString("hex"), "0000000200240000000000000000000000000000");
  });

  it("names every part and its licence in a CycloneDX bill of materials", () => {
    const bill = JSON.parse(content("usr/share/sbom/leasepair.cdx.json"));
    assert.equal(bill.bomFormat, "CycloneDX");
    const components = bill.components as { name: string; purl: string; licenses?: object[] }[];
    const names = components.map(({ name }) => name);
    for (const name of ["node", "zod", "koffi", "libc6", "libstdc++6"]) assert.ok(names.includes(name), name);
    const packages = components.filter(({ purl }) => purl.startsWith("pkg:npm/"));
    assert.deepEqual(
      packages.filter(({ licenses }) => licenses === undefined),
      [],
    );
    const licences = files.map(({ path }) => path).filter((path) => path.endsWith("/copyright"));
    assert.ok(licences.includes("usr/share/doc/libc6/copyright"));
  });

  it("is read by skopeo, which finds user, entry point and digest", { skip: unmet("skopeo") }, () => {
    const inspect = (...args: readonly string[]) =>
      JSON.parse(run("skopeo", "inspect", ...args, `oci-archive:${archive}`));
    assert.equal(inspect().Digest, digest);
    const { config } = inspect("--config");
    assert.equal(config.User, "10001:10001");
    assert.deepEqual(config.Entrypoint, ["/usr/local/bin/leasepair"]);
    run("skopeo", "copy", `oci-archive:${archive}`, `dir:${join(directory, "copied")}`);
    assert.match(readFileSync(join(directory, "copied", "manifest.json"), "utf8"), /manifest\.v1\+json/);
  });
});
