// The image's bill of materials: every npm package, Node and every Debian package, with version and, where known, licence
// and checksum. Without time and serial number, so that the same parts give the same bill.
// Source: CycloneDX 1.6, JSON.

import type { LockedPackage } from "./production-packages.ts";
import type { SystemPackage } from "./runtime-files.ts";

export interface Parts {
  readonly version: string;
  readonly nodeVersion: string;
  readonly packages: readonly LockedPackage[];
  readonly systemPackages: readonly SystemPackage[];
}

/** The bill as JSON text. */
export function billOfMaterials({ version, nodeVersion, packages, systemPackages }: Parts): string {
  const reference = `pkg:oci/leasepair@${version}`;
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "container",
        "bom-ref": reference,
        name: "leasepair",
        version,
        ...licences("Apache-2.0"),
        purl: reference,
      },
    },
    components: [
      component(`pkg:generic/node@${nodeVersion}`, "node", nodeVersion, "MIT"),
      ...packages.map(({ name, version: own, license, integrity }) => ({
        ...component(`pkg:npm/${name.replace("@", "%40")}@${own}`, name, own, license),
        ...hashes(integrity),
      })),
      ...systemPackages.map(({ name, version: own }) =>
        component(`pkg:deb/debian/${name}@${own}`, name, own, ""),
      ),
    ],
  };
  return `${JSON.stringify(bill, null, 1)}\n`;
}

function component(purl: string, name: string, version: string, license: string): object {
  return { type: "library", "bom-ref": purl, name, version, ...licences(license), purl };
}

function licences(expression: string): object {
  return expression === "" ? {} : { licenses: [{ expression }] };
}

/** npm's integrity is base64, the bill wants hexadecimal. */
function hashes(integrity: string): object {
  const [algorithm, value] = integrity.split("-", 2);
  if (algorithm !== "sha512" || value === undefined) return {};
  return { hashes: [{ alg: "SHA-512", content: Buffer.from(value, "base64").toString("hex") }] };
}
