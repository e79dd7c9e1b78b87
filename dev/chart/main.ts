// `npm run chart`: writes dist/leasepair-VERSION.tgz, the chart, and dist/install.yaml, the same for those who use kubectl alone:
//   kubectl apply --server-side -f crds/ -f install.yaml
// Needs Helm, which is built as the cluster's other programs are.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clusterPrograms } from "../cluster/programs.ts";
import { run } from "../lib/run.ts";
import { installManifest } from "./install-manifest.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const { values } = parseArgs({ options: { output: { type: "string", default: join(ROOT, "dist") } } });
const programs = await clusterPrograms((line) => console.error(line));
mkdirSync(values.output, { recursive: true });
process.stdout.write(
  run(programs("helm"), "package", join(ROOT, "charts/leasepair"), "--destination", values.output),
);
const file = join(values.output, "install.yaml");
writeFileSync(file, installManifest(programs("helm")));
console.log(`${file}: kubectl apply --server-side -f crds/ -f ${file}`);
