// `npm run chart`: writes dist/leasepair-VERSION.tgz, the chart, and dist/install.yaml, the same for those who use kubectl alone:
//   kubectl apply --server-side -f crds/ -f install.yaml
// Needs Helm, which is built as the cluster's other programs are.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clusterPrograms } from "../cluster/programs.ts";
import { readOptions } from "../lib/options.ts";
import { run } from "../lib/run.ts";
import { installManifest } from "./install-manifest.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const HELP = `Writes the Helm chart, and the manifest for those who use kubectl alone.

  npm run chart -- [--output DIR]

  --output DIR  writes them there instead of into dist/
`;

const values = readOptions(HELP, { output: { type: "string", default: join(ROOT, "dist") } });
const programs = await clusterPrograms((line) => console.error(line));
mkdirSync(values.output, { recursive: true });
process.stdout.write(
  run(programs("helm"), "package", join(ROOT, "charts/leasepair"), "--destination", values.output),
);
const file = join(values.output, "install.yaml");
writeFileSync(file, installManifest(programs("helm")));
console.log(`${file}: kubectl apply --server-side -f crds/ -f ${file}`);
