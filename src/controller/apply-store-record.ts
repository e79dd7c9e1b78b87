// The record of where the stores of a relationship's name lie: a Secret without owner, because it must outlive the
// relationship, and because Secrets by name are what the controller may read and write. There is nothing secret in it. Its copy, a ConfigMap in
// the controller's own namespace, outlives the relationship's namespace too.
// Source: docs/adr/0012-stores-outlive-their-relationship.md, docs/adr/0017-the-store-record-has-a-copy.md.

import type { KubeClient } from "../kube/client.ts";
import type { KubeError } from "../kube/kube-error.ts";
import { CONFIG_MAP, type KubeObject, NAMESPACE, SECRET } from "../kube/resource.ts";
import { putObject, secretData, secretTexts, type Texts } from "./apply-whole.ts";
import { storeCopyName, storeLabels, storeRecordName } from "./desired/names.ts";
import type { Effect } from "./effect.ts";
import { map } from "./json.ts";
import { sameJson } from "./merge-patch.ts";
import type { ObservedStores, StoreRecord } from "./observed.ts";
import { outdated } from "./outdated.ts";

type Reader = Pick<KubeClient, "find">;

/** The controller's client, and its namespace: see ApplyContext. */
interface Context<Client> {
  readonly client: Client;
  readonly copiesIn: string | null;
}

interface Name {
  readonly namespace: string;
  readonly name: string;
}

/** Null when it cannot be read. The relationship of UID `uid` does without the copy once the record is its own. Never throws. */
export async function readStoreRecord(
  { client, copiesIn }: Context<Reader>,
  { namespace, name, uid }: Name & { readonly uid: string },
): Promise<ObservedStores | null> {
  try {
    const secret = await client.find(SECRET, namespace, storeRecordName(name));
    const record = recordIn(secretTexts(secret));
    if (copiesIn === null) return { ...record, copy: "current" };
    const unread = record.relationshipUid === uid ? { ...record, copy: "outdated" as const } : null;
    return await compareCopy(
      client,
      copiesIn,
      { namespace, name },
      { record, isKept: secret !== null },
    ).catch(() => unread);
  } catch {
    return null;
  }
}

async function compareCopy(
  client: Reader,
  copiesIn: string,
  { namespace, name }: Name,
  { record, isKept }: { readonly record: StoreRecord; readonly isKept: boolean },
): Promise<ObservedStores> {
  const found = await client.find(CONFIG_MAP, copiesIn, storeCopyName(namespace, name));
  const copy = found === null ? null : (map(found["data"]) as Texts);
  const namespaceUid = await uidOf(client, namespace);
  if (isKept) {
    const isCurrent = sameJson(copy, copyOf(record, namespaceUid));
    return { ...record, copy: isCurrent ? "current" : "outdated" };
  }
  // In the very namespace the record was deleted by hand: to begin with nothing.
  if (copy === null || copy["namespaceUid"] === namespaceUid) return { ...record, copy: "current" };
  return { ...recordIn(copy), copy: "only" };
}

/** Rejects with a Conflict when the record is not as it was when this was decided. */
export async function writeStoreRecord(
  { namespace, name, record, basis }: Extract<Effect, { kind: "store-record" }>,
  client: Reader & Pick<KubeClient, "create" | "replace">,
): Promise<void> {
  const found = await client.find(SECRET, namespace, storeRecordName(name));
  if (!sameJson(recordIn(secretTexts(found)), basis)) throw changed(name);
  const secret: KubeObject = {
    metadata: metadataOf({ namespace, name: storeRecordName(name) }, name),
    type: "Opaque",
    data: secretData(textsIn(record)),
  };
  await putObject(client, SECRET, secret, found);
}

/** Makes the copy say what the record says; there is none of stores that are not retained. Rejects with a Conflict when
 *  one of them has changed meanwhile. */
export async function copyStoreRecord(
  { namespace, name }: Name,
  { client, copiesIn }: Context<Reader & Pick<KubeClient, "create" | "delete" | "replace">>,
): Promise<void> {
  if (copiesIn === null) return;
  // The namespace first: what one that was made anew meanwhile has, is never taken for what this one had.
  const namespaceUid = await uidOf(client, namespace);
  const secret = await client.find(SECRET, namespace, storeRecordName(name));
  if (secret === null) throw changed(name);
  const copyName = storeCopyName(namespace, name);
  const found = await client.find(CONFIG_MAP, copiesIn, copyName);
  const data = copyOf(recordIn(secretTexts(secret)), namespaceUid);
  if (data === null) {
    const { uid = "", resourceVersion = "" } = found?.metadata ?? {};
    if (found !== null) await client.delete(CONFIG_MAP, copiesIn, copyName, { uid, resourceVersion });
    return;
  }
  const metadata = metadataOf({ namespace: copiesIn, name: copyName }, name);
  await putObject(client, CONFIG_MAP, { metadata, data }, found);
}

async function uidOf(client: Reader, namespace: string): Promise<string> {
  const uid = (await client.find(NAMESPACE, null, namespace))?.metadata.uid;
  if (uid === undefined) throw outdated(`namespace ${namespace} is gone`);
  return uid;
}

function metadataOf(at: Name, relationship: string): KubeObject["metadata"] {
  return { ...at, labels: storeLabels(relationship, null) };
}

function changed(name: string): KubeError {
  return outdated(`Secret ${storeRecordName(name)} has changed`);
}

function copyOf(record: StoreRecord, namespaceUid: string): Texts | null {
  return record.areRetained ? { ...textsIn(record), namespaceUid } : null;
}

function textsIn(record: StoreRecord): Texts {
  return {
    relationshipUid: record.relationshipUid ?? "",
    storeUid: record.storeUid ?? "",
    stores: JSON.stringify(record.stores),
    areRetained: String(record.areRetained),
  };
}

function recordIn(texts: Texts): StoreRecord {
  return {
    relationshipUid: texts["relationshipUid"] || null,
    storeUid: texts["storeUid"] || null,
    stores: storesIn(texts["stores"] || "{}"),
    areRetained: texts["areRetained"] !== "false",
  };
}

/** What an earlier controller wrote has none. Throws on text that is no JSON: then the record counts as unread. */
function storesIn(json: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map(JSON.parse(json))).map(([name, id]) => [name, String(id)]));
}
