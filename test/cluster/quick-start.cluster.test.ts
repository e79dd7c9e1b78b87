// The README's quick start for cluster owners, typed word for word on a cluster that has never seen the product.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cluster } from "../../dev/cluster/cluster.ts";
import { OPERATOR_NAMESPACE, RELEASE } from "../../dev/cluster/operator.ts";
import { clusterUnmet } from "../../dev/cluster/requirements.ts";
import { cachedImage } from "../../dev/image/cached-image.ts";
import { ROOT, type } from "./typed.ts";

describe("as a cluster owner", { skip: clusterUnmet(), timeout: 720_000 }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start({ images: [await cachedImage()], say: (line) => console.log(line) });
  });
  after(async () => {
    await cluster?.stop();
  });

  it("every line of the quick start does what it says", () => {
    const lines = quickStart();
    assert.ok(lines.length >= 5);
    const outputs = lines.map((line) => type(cluster, line));
    const shown = outputs.at(-2) ?? "";
    assert.match(shown, /campus\s+LoadBalance\s+a Normal\s+b Normal\s+a,b\s+True/);
    type(cluster, "kubectl delete -f examples/load-balance.yaml --wait");
    type(cluster, `helm uninstall ${RELEASE} --namespace ${OPERATOR_NAMESPACE} --wait`);
  });
});

/** The lines of the first shell block under the heading. */
function quickStart(): readonly string[] {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const section = readme.slice(readme.indexOf("## Quick start for cluster owners"));
  return (/```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? "").split("\n").filter(Boolean);
}
