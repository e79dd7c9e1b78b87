// The chart with its default values as one manifest, namespace included, definitions and tests not.

import { join } from "node:path";
import { stringify } from "yaml";
import { run } from "../lib/run.ts";

const CHART = join(import.meta.dirname, "..", "..", "charts", "leasepair");
const NAMESPACE = "leasepair-system";

/** YAML text; `helm` is the program's path, `values` are further `--set` arguments. */
export function installManifest(helm: string, values: readonly string[] = []): string {
  const set = ["crds.enabled=false", ...values].flatMap((value) => ["--set", value]);
  const rendered = run(helm, "template", "leasepair", CHART, "--namespace", NAMESPACE, "--no-hooks", ...set);
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  return `# Generated from charts/leasepair by \`npm run chart\`.\n${stringify(namespace)}${rendered}`;
}
