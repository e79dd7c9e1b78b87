// `npm run image`: writes dist/leasepair-VERSION-ARCHITECTURE.oci.tar and the bill of materials beside it, and says what to do
// with them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readOptions } from "../lib/options.ts";
import { collectImage, IMAGE_NAME } from "./image.ts";
import { writeImage } from "./oci-archive.ts";

const HELP = `Writes the container image as an OCI archive, and its bill of materials.

  npm run image -- [--output DIR]

  --output DIR  writes them there instead of into dist/
`;

const values = readOptions(HELP, {
  output: { type: "string", default: join(import.meta.dirname, "..", "..", "dist") },
});
const { image, version, bill } = collectImage();
const name = `${IMAGE_NAME}:${version}`;
mkdirSync(values.output, { recursive: true });
const file = join(values.output, `leasepair-${version}-${process.arch}.oci.tar`);
const { digest, bytes } = await writeImage(file, name, image);
writeFileSync(join(values.output, `leasepair-${version}.cdx.json`), bill);
console.log(`${name} ${digest}
${(bytes / 1e6).toFixed(1)} MB: ${file}

To bring it into a cluster, one of:
  skopeo copy oci-archive:${file} docker://REGISTRY/leasepair:${version}
  kind load image-archive ${file}
  ctr --namespace k8s.io image import ${file}      (on each node)
  docker load --input ${file}`);
