// Which kinds the embedded API serves: the few built-in ones our code touches, and ours from the generated CRDs.
// Built-in kinds have no schema here: what their fields mean is proven on a real Kubernetes, not by this program.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { ResourceType } from "../../src/kube/resource.ts";

/** A node of an openAPIV3Schema; only what this program looks at is named. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode;
  readonly nullable?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

export interface ServedKind extends ResourceType {
  /** Status is written through its own subresource only. */
  readonly hasStatus: boolean;
  /** From the CRD; null for built-in kinds. */
  readonly schema: SchemaNode | null;
}

/** group/version, plural, kind; then `cluster` when not namespaced, `status` when it has the subresource. */
const BUILT_IN = `
  v1 namespaces Namespace cluster status
  v1 nodes Node cluster status
  v1 pods Pod status
  v1 configmaps ConfigMap
  v1 secrets Secret
  v1 serviceaccounts ServiceAccount
  v1 events Event
  events.k8s.io/v1 events Event
  apps/v1 statefulsets StatefulSet status
  policy/v1 poddisruptionbudgets PodDisruptionBudget status
  rbac.authorization.k8s.io/v1 roles Role
  rbac.authorization.k8s.io/v1 rolebindings RoleBinding
  coordination.k8s.io/v1 leases Lease
`;

interface CrdManifest {
  readonly kind: string;
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly plural: string; readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema: { readonly openAPIV3Schema: SchemaNode };
      readonly subresources?: { readonly status?: unknown };
    }[];
  };
}

/** All kinds, ours read from the manifests in `crdDirectory`; null serves the built-in kinds alone. Throws when that
 *  directory holds none. */
export function loadKinds(crdDirectory: string | null): ServedKind[] {
  const kinds = BUILT_IN.trim().split("\n").map(builtInKind);
  if (crdDirectory === null) return kinds;
  const files = readdirSync(crdDirectory).filter((name) => name.endsWith(".yaml"));
  if (files.length === 0) throw new Error(`no CRDs in ${crdDirectory}: run \`npm run crds\``);
  for (const file of files.sort()) {
    const manifest = parse(readFileSync(join(crdDirectory, file), "utf8")) as CrdManifest;
    if (manifest.kind !== "CustomResourceDefinition")
      throw new Error(`${file} is not a CustomResourceDefinition`);
    const { group, scope, names, versions } = manifest.spec;
    for (const version of versions.filter((candidate) => candidate.served)) {
      kinds.push({
        group,
        version: version.name,
        plural: names.plural,
        kind: names.kind,
        namespaced: scope === "Namespaced",
        hasStatus: version.subresources?.status !== undefined,
        schema: version.schema.openAPIV3Schema,
      });
    }
  }
  return kinds;
}

function builtInKind(line: string): ServedKind {
  const [groupVersion = "", plural = "", kind = "", ...flags] = line.trim().split(" ");
  const [version = "", group = ""] = groupVersion.split("/").reverse();
  const namespaced = !flags.includes("cluster");
  return { group, version, plural, kind, namespaced, hasStatus: flags.includes("status"), schema: null };
}

/** Identifies a kind in maps: `group/plural`. */
export function kindId(kind: Pick<ResourceType, "group" | "plural">): string {
  return `${kind.group}/${kind.plural}`;
}
