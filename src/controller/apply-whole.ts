// Objects that are written whole, by create and replace: Secrets and ConfigMaps, which are read by name and never watched.

import type { KubeClient } from "../kube/client.ts";
import { isAlreadyExists } from "../kube/kube-error.ts";
import type { KubeObject, ResourceType } from "../kube/resource.ts";
import { FIELD_MANAGER } from "./desired/names.ts";
import { map } from "./json.ts";
import { outdated } from "./outdated.ts";

export type Texts = Readonly<Record<string, string>>;

/** Creates `object`, or replaces `found` by it. Rejects with a Conflict when it is not as it was found any more. */
export async function putObject(
  client: Pick<KubeClient, "create" | "replace">,
  type: ResourceType,
  object: KubeObject,
  found: KubeObject | null,
): Promise<void> {
  const { metadata } = object;
  try {
    if (found === null) {
      await client.create(type, object, { fieldManager: FIELD_MANAGER });
    } else {
      const { resourceVersion } = found.metadata;
      const versioned = resourceVersion === undefined ? metadata : { ...metadata, resourceVersion };
      await client.replace(type, { ...object, metadata: versioned }, { fieldManager: FIELD_MANAGER });
    }
  } catch (error) {
    if (isAlreadyExists(error)) throw outdated(`${type.kind} ${metadata.name} was made meanwhile`);
    throw error;
  }
}

/** A Secret's `data` of these texts. */
export function secretData(texts: Texts): Texts {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  );
}

/** The texts of a Secret's `data`; none where there is no Secret. */
export function secretTexts(secret: KubeObject | null): Texts {
  return Object.fromEntries(
    Object.entries(map(secret?.["data"])).map(([key, value]) => [
      key,
      Buffer.from(String(value), "base64").toString(),
    ]),
  );
}
