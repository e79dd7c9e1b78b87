// Where the controller can be asked how it is. A kubelet asks a pod's first address, which in some clusters is one of IPv6.

import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { Registry } from "prom-client";
import { addressArgument } from "../../src/cli/arguments.ts";
import { startHealthServer } from "../../src/controller/health-server.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((of) => of?.some(({ address }) => address === "::1"));

test("without an address it answers on those of IPv4, and of IPv6 where there are any", async () => {
  const { host } = addressArgument("--metrics-address", ":9646");
  const health = await startHealthServer({ host, port: 0, registry: new Registry(), waitsFor: () => null });
  try {
    const port = health.address.split(":").at(-1);
    for (const name of ["127.0.0.1", ...(hasIpv6 ? ["[::1]"] : [])]) {
      const answer = await fetch(`http://${name}:${port}/readyz`);
      assert.equal(answer.status, 200, name);
    }
  } finally {
    await health.stop();
  }
});

test("an address is one of IPv4, one of IPv6 in brackets, or none", () => {
  const read = (value: string) => addressArgument("--metrics-address", value);
  assert.deepEqual(read("127.0.0.1:1"), { host: "127.0.0.1", port: 1 });
  assert.deepEqual(read("[::1]:2"), { host: "::1", port: 2 });
  assert.deepEqual(read(":3"), { host: null, port: 3 });
  for (const value of ["9646", "", "::1:9646", "[::1]", "node-1:9646", "[10.0.0.1]:1", ":"])
    assert.throws(() => read(value), /--metrics-address/, value);
});
