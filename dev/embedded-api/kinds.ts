// Which kinds the embedded API serves: those our code touches, ours with the schemas of the generated CRDs.
// Built-in kinds have no schema here: what their fields mean is proven on a real Kubernetes, not by this program.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { V1CustomResourceDefinition } from "@kubernetes/client-node";
import { parse } from "yaml";
import { API_GROUP } from "../../src/api/kind.ts";
import { TYPES } from "../../src/controller/resource-types.ts";
import * as kube from "../../src/kube/resource.ts";

/** A node of an openAPIV3Schema; only what this program looks at is named. */
export interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

export interface ServedKind extends kube.ResourceType {
  /** From the CRD, with unknown fields and doubled entries of sets forbidden; null for built-in kinds. */
  readonly schema: SchemaNode | null;
}

const { CONFIG_MAP, EVENT, LEASE, NAMESPACE, PERSISTENT_VOLUME, SECRET } = kube;

/** All kinds; the schemas of ours are read from the manifests in `crdDirectory`. */
export function loadKinds(crdDirectory: string): ServedKind[] {
  return [...Object.values(TYPES), EVENT, LEASE, PERSISTENT_VOLUME, SECRET, NAMESPACE, CONFIG_MAP].map(
    (type) => {
      if (type.group !== API_GROUP) return { ...type, schema: null };
      const text = readFileSync(join(crdDirectory, `${type.group}_${type.plural}.yaml`), "utf8");
      const { versions } = (parse(text) as V1CustomResourceDefinition).spec;
      return { ...type, schema: closedSchema(versions[0]!.schema!.openAPIV3Schema as SchemaNode) };
    },
  );
}

/** What a structural schema says in Kubernetes' words, in JSON schema's: no field but those named, each once in a set. */
function closedSchema(node: SchemaNode): SchemaNode {
  const { properties, items } = node;
  const closed = Object.entries(properties ?? {}).map(([name, child]) => [
    name,
    name === "metadata" ? child : closedSchema(child),
  ]);
  return {
    ...node,
    ...(properties && { properties: Object.fromEntries(closed), additionalProperties: false }),
    ...(items && { items: closedSchema(items) }),
    ...(node["x-kubernetes-list-type"] === "set" && { uniqueItems: true }),
  };
}
