// What the DHCP thread loads stays small: schemas and the API's client library are the configuration thread's alone, and
// that one loads the client library for a kubeconfig file only, which no pod has. Together they take more memory than 100,000 leases.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const HOST = join(import.meta.dirname, "..", "..", "src", "dhcp");

/** The packages that come with a file. */
function packagesOf(file: string): readonly string[] {
  const program = `
    import { registerHooks } from "node:module";
    const names = new Set();
    registerHooks({
      resolve(specifier, context, next) {
        const found = next(specifier, context);
        const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(found.url)?.[1];
        if (name !== undefined) names.add(name);
        return found;
      },
    });
    await import(${JSON.stringify(pathToFileURL(join(HOST, file)).href)});
    if (process.moduleLoadList.some((name) => name.includes("undici"))) names.add("node's fetch");
    console.log(JSON.stringify([...names]));`;
  const child = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  return JSON.parse(child.stdout) as string[];
}

test("the DHCP thread loads no schemas, no YAML, and no client library of the API", () => {
  const packages = packagesOf("main.ts");
  assert.ok(packages.includes("koffi"), packages.join(" "));
  for (const name of ["zod", "yaml", "undici", "@kubernetes/client-node", "node's fetch"])
    assert.equal(packages.includes(name), false, name);
});

test("reading manifests loads no client library of the API", () => {
  const packages = packagesOf("host/manifest-source.ts");
  assert.ok(packages.includes("yaml"), packages.join(" "));
  for (const name of ["undici", "@kubernetes/client-node"])
    assert.equal(packages.includes(name), false, name);
});

test("reading the API loads the client library only once there is a kubeconfig file to read", () => {
  const packages = packagesOf("host/api-source.ts");
  assert.ok(packages.includes("undici"), packages.join(" "));
  assert.equal(packages.includes("@kubernetes/client-node"), false);
});
