// The record of where the stores of a relationship's name lie: a Secret without owner, because it must outlive the
// relationship, and because Secrets by name are what the controller may read and write. There is nothing secret in it.

import type { KubeClient } from "../kube/client.ts";
import { isAlreadyExists, type KubeError } from "../kube/kube-error.ts";
import { type KubeObject, SECRET } from "../kube/resource.ts";
import { FIELD_MANAGER, labels, storeRecordName } from "./desired/names.ts";
import { type Effect, sameJson } from "./effect.ts";
import { map } from "./json.ts";
import type { StoreRecord } from "./observed.ts";
import { outdated } from "./outdated.ts";

type Reader = Pick<KubeClient, "find">;

/** Null when it cannot be read. Never throws. */
export async function readStoreRecord(
  client: Reader,
  namespace: string,
  relationship: string,
): Promise<StoreRecord | null> {
  try {
    return recordIn(await client.find(SECRET, namespace, storeRecordName(relationship)));
  } catch {
    return null;
  }
}

/** Rejects with a Conflict when the record is not as it was when this was decided. */
export async function writeStoreRecord(
  { namespace, name, record, basis }: Extract<Effect, { kind: "store-record" }>,
  client: Reader & Pick<KubeClient, "create" | "replace">,
): Promise<void> {
  const found = await client.find(SECRET, namespace, storeRecordName(name));
  if (!sameJson(recordIn(found), basis)) throw changed(name);
  const secret: KubeObject = {
    metadata: {
      name: storeRecordName(name),
      namespace,
      labels: { ...labels(name, null), "app.kubernetes.io/component": "store" },
      ...(found?.metadata.resourceVersion === undefined
        ? {}
        : { resourceVersion: found.metadata.resourceVersion }),
    },
    type: "Opaque",
    data: {
      relationshipUid: encoded(record.relationshipUid ?? ""),
      storeUid: encoded(record.storeUid ?? ""),
      stores: encoded(JSON.stringify(record.stores)),
      areRetained: encoded(String(record.areRetained)),
    },
  };
  try {
    if (found === null) await client.create(SECRET, secret, { fieldManager: FIELD_MANAGER });
    else await client.replace(SECRET, secret, { fieldManager: FIELD_MANAGER });
  } catch (error) {
    throw isAlreadyExists(error) ? changed(name) : error;
  }
}

function changed(name: string): KubeError {
  return outdated(`Secret ${storeRecordName(name)} has changed`);
}

function recordIn(secret: KubeObject | null): StoreRecord {
  const data = map(secret?.["data"]);
  const text = (key: string) => {
    const value = data[key];
    const decoded = typeof value === "string" ? Buffer.from(value, "base64").toString() : "";
    return decoded === "" ? null : decoded;
  };
  return {
    relationshipUid: text("relationshipUid"),
    storeUid: text("storeUid"),
    stores: storesIn(text("stores") ?? "{}"),
    areRetained: text("areRetained") !== "false",
  };
}

/** What an earlier controller wrote has none. Throws on text that is no JSON: then the record counts as unread. */
function storesIn(json: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map(JSON.parse(json))).map(([name, id]) => [name, String(id)]));
}

function encoded(value: string): string {
  return Buffer.from(value).toString("base64");
}
