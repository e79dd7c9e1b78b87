// The product's image: Node, the source without its types, production packages, the C library they need, a bill of
// materials and licences. User 10001, nothing writable, no shell. The member's rights on ports and raw sockets
// are file capabilities of node, so that a container without privileges has exactly what its pod was given.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { billOfMaterials } from "./bill-of-materials.ts";
import { permittedCapabilities } from "./capabilities.ts";
import type { Image, ImageFile } from "./oci-archive.ts";
import { plainSources } from "./plain-sources.ts";
import { packageFiles, productionPackages } from "./production-packages.ts";
import { runtimeFiles } from "./runtime-files.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const HOME = "opt/leasepair/";
const NODE = "usr/local/bin/node";
const LICENCES = "usr/share/doc/leasepair/";
/** With its registry, because the kubelet would take a bare name for one of Docker's. */
export const IMAGE_NAME = "leasepair.io/leasepair";
export const IMAGE_USER = 10_001;
/** Starts the command line by its name, for `kubectl exec POD -- leasepair status`. */
const LEASEPAIR = `#!/${NODE}\nimport("/${HOME}src/cli/main.js");\n`;

export interface BuiltImage {
  readonly image: Image;
  readonly version: string;
  /** CycloneDX, JSON. */
  readonly bill: string;
}

/** Collects the image from this checkout and its node_modules. Reads only; throws when something is missing. `sources`: a
 *  folder with src/ and package.json of another version that runs with the same packages. */
export function collectImage(sources = ROOT): BuiltImage {
  const manifest = readFileSync(join(sources, "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const nodePackage = join(ROOT, "node_modules", `node-linux-${process.arch}`);
  const node = join(nodePackage, "bin", "node");
  const packages = productionPackages(ROOT);
  const installed = packages.flatMap((found) => packageFiles(ROOT, found, HOME));
  const native = installed.filter(({ path }) => path.endsWith(".node"));
  const runtime = runtimeFiles([node, ...native.map(({ path }) => join(ROOT, path.slice(HOME.length)))]);
  const nodeVersion = process.versions.node;
  const bill = billOfMaterials({ version, nodeVersion, packages, systemPackages: runtime.packages });
  const base: ImageFile[] = [
    { path: "etc/passwd", mode: 0o644, content: passwd() },
    { path: "etc/group", mode: 0o644, content: `root:x:0:\nleasepair:x:${IMAGE_USER}:\n` },
    {
      path: NODE,
      mode: 0o755,
      content: readFileSync(node),
      capabilities: permittedCapabilities("NET_BIND_SERVICE", "NET_RAW"),
    },
    { path: "usr/share/doc/node/LICENSE", mode: 0o644, content: readFileSync(join(nodePackage, "LICENSE")) },
    { path: "tmp/", mode: 0o1777 },
    { path: "var/lib/leasepair/", mode: 0o755 },
    ...runtime.files,
  ];
  const own: ImageFile[] = [
    { path: "usr/local/bin/leasepair", mode: 0o755, content: LEASEPAIR },
    { path: `${HOME}package.json`, mode: 0o644, content: manifest },
    { path: `${LICENCES}LICENSE`, mode: 0o644, content: readFileSync(join(ROOT, "LICENSE")) },
    { path: "usr/share/sbom/leasepair.cdx.json", mode: 0o644, content: bill },
    ...plainSources(sources).map(({ path, text }) => ({
      path: `${HOME}${path}`,
      mode: 0o644,
      content: text,
    })),
    ...installed,
  ];
  return {
    version,
    bill,
    image: {
      layers: [withFolders(base), withFolders(own)],
      config: config(version),
      annotations: labels(version),
    },
  };
}

/** Sorted, with every folder before what is in it. */
function withFolders(files: readonly ImageFile[]): readonly ImageFile[] {
  const all = new Map(files.map((file) => [file.path, file]));
  for (const { path } of files) {
    for (let end = path.indexOf("/"); end >= 0 && end < path.length - 1; end = path.indexOf("/", end + 1)) {
      const folder = path.slice(0, end + 1);
      if (!all.has(folder)) all.set(folder, { path: folder, mode: 0o755 });
    }
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function passwd(): string {
  return `root:x:0:0:root:/:/none\nleasepair:x:${IMAGE_USER}:${IMAGE_USER}:Leasepair:/var/lib/leasepair:/none\n`;
}

function labels(version: string): Record<string, string> {
  const prefix = "org.opencontainers.image.";
  return {
    [`${prefix}title`]: "leasepair",
    [`${prefix}description`]: "A Kubernetes operator for DHCPv4 failover pairs",
    [`${prefix}version`]: version,
    [`${prefix}licenses`]: "Apache-2.0",
  };
}

function config(version: string): Record<string, unknown> {
  return {
    User: `${IMAGE_USER}:${IMAGE_USER}`,
    Env: ["PATH=/usr/local/bin", "NODE_ENV=production"],
    Entrypoint: ["/usr/local/bin/leasepair"],
    WorkingDir: "/",
    Labels: labels(version),
  };
}
