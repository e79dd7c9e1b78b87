// Objects from YAML text, as `--manifests` and the tests read them: every document of every file, each error with file,
// line, field and remedy. Scalars mean what they mean to kubectl. Reads no files itself.

import {
  type Document,
  type DocumentOptions,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type ParseOptions,
  parseAllDocuments,
  type ScalarTag,
  type SchemaOptions,
  YAMLParseError,
} from "yaml";
import type { FieldError } from "./field-error.ts";
import { showValue, valueAt } from "./field-error.ts";
import { API_GROUP } from "./kind.ts";
import type { AnyObject } from "./kinds.ts";
import type { ObjectSet } from "./object-set.ts";
import { parseObject } from "./parse.ts";

export interface ManifestText {
  /** Name for messages. */
  readonly file: string;
  readonly text: string;
}

export interface ManifestError {
  readonly file: string;
  /** 1 for the first line; 0 for a file or directory as a whole. */
  readonly line: number;
  /** `kind namespace/name` as far as it can be told, else "". */
  readonly object: string;
  /** "" when it is the document as a whole. */
  readonly field: string;
  readonly message: string;
}

export interface Manifests {
  readonly objects: ObjectSet;
  /** An object with an error is not among the objects. */
  readonly errors: readonly ManifestError[];
  /** Where each object was found: `kind namespace/name` to `file:line`. */
  readonly places: ReadonlyMap<string, string>;
}

/** No file of ours is larger; a larger one is a mistake. */
const TEXT_LENGTH_MAX = 64 * 1024 * 1024;

/** Kubernetes reads YAML 1.1's yes, no, on and off as booleans; without this they would pass as text here. */
const YAML_1_1_BOOLEAN: ScalarTag = {
  tag: "tag:yaml.org,2002:bool",
  default: true,
  test: /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/,
  resolve: (source) => /^(?:y|on)/i.test(source),
};

/** How manifests are read. Repeated keys are errors, as in kubectl. */
export const YAML_OPTIONS: ParseOptions & DocumentOptions & SchemaOptions = {
  customTags: (tags) => [YAML_1_1_BOOLEAN, ...tags],
  prettyErrors: false,
  logLevel: "silent",
};

/** One line of a log or of a terminal. */
export function formatManifestError({ file, line, object, field, message }: ManifestError): string {
  return [`${file}:${line}`, object, field, message].filter((part) => part !== "").join(": ");
}

/** Reads all objects of our group, items of lists too; documents of other groups are passed over, so that one directory may hold both. */
export function readManifests(texts: readonly ManifestText[]): Manifests {
  const objects = { relationships: [], scopes: [], reservationSets: [], operations: [] } as Collected;
  const errors: ManifestError[] = [];
  const seen = new Map<string, string>();
  for (const { file, text } of texts) {
    if (text.length > TEXT_LENGTH_MAX) {
      errors.push({ file, line: 1, object: "", field: "", message: "the file is larger than 64 MiB" });
      continue;
    }
    readFile(file, text, { objects, errors, seen });
  }
  return { objects, errors, places: seen };
}

type Collected = { -readonly [Key in keyof ObjectSet]: ObjectSet[Key][number][] };

interface Collector {
  readonly objects: Collected;
  readonly errors: ManifestError[];
  /** Where each object was found: `kind namespace/name` to `file:line`. */
  readonly seen: Map<string, string>;
}

function readFile(file: string, text: string, collector: Collector): void {
  const lines = new LineCounter();
  const at = (offset: number) => Math.max(1, lines.linePos(offset).line);
  for (const document of documentsOf(text, lines)) {
    const problem = document instanceof Error ? document : document.errors[0];
    if (problem === undefined) {
      readDocument(file, document as Document.Parsed, at, collector);
      continue;
    }
    const line = problem instanceof YAMLParseError ? at(problem.pos[0]) : 1;
    const message = `not valid YAML: ${problem.message}`;
    collector.errors.push({ file, line, object: "", field: "", message });
  }
}

/** The text's documents. The library throws where nesting exhausts the stack; that is an error like any other. */
function documentsOf(text: string, lineCounter: LineCounter): readonly (Document.Parsed | Error)[] {
  try {
    const documents = parseAllDocuments(text, { ...YAML_OPTIONS, lineCounter });
    // An empty text is no list of documents but a marker without content.
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    return [error instanceof Error ? error : new Error(String(error))];
  }
}

function readDocument(
  file: string,
  document: Document.Parsed,
  at: (offset: number) => number,
  collector: Collector,
): void {
  const { errors } = collector;
  const line = at(document.contents?.range?.[0] ?? document.range[0]);
  const value = plainValue(document);
  if (value.kind === "failed") {
    errors.push({ file, line, object: "", field: "", message: value.message });
    return;
  }
  if (value.json === null || value.json === undefined) return;
  if (!isMap(document.contents)) {
    const message = `${showValue(value.json)}: must be a Kubernetes object with apiVersion, kind, metadata and spec`;
    errors.push({ file, line, object: "", field: "", message });
    return;
  }
  const found = { document, file, line, at, collector };
  const items = listItems(value.json);
  if (items === null) readObject(value.json, "", found);
  else for (const [i, item] of items.entries()) readObject(item, `items[${i}]`, found);
}

/** Where an object was found. */
interface Found {
  readonly document: Document.Parsed;
  readonly file: string;
  readonly line: number;
  readonly at: (offset: number) => number;
  readonly collector: Collector;
}

/** `place`: of a list's item, as a path from the document's root; "" for what is the document itself. */
function readObject(json: unknown, place: string, { document, file, at, collector, ...found }: Found): void {
  const { objects, errors, seen } = collector;
  if (isForeign(json)) return;
  const lineOf = (path: string) => at(offsetOf(document, path) ?? 0);
  const line = place === "" ? found.line : lineOf(place);
  const name = nameOf(json);
  const parsed = parseObject(json);
  if (parsed.kind === "invalid") {
    for (const { field, message } of parsed.errors) {
      const path = [place, field].filter((part) => part !== "").join(".");
      errors.push({ file, line: lineOf(path) || line, object: name, field, message });
    }
    return;
  }
  const earlier = seen.get(name);
  if (earlier !== undefined) {
    const message = `is defined already at ${earlier}, remove one of the two`;
    errors.push({ file, line, object: name, field: "metadata.name", message });
    return;
  }
  seen.set(name, `${file}:${line}`);
  collect(objects, parsed.object);
}

/** The document as plain JSON. Aliases can blow up a small text, which the library refuses by throwing. */
function plainValue(
  document: Document.Parsed,
): { readonly kind: "read"; readonly json: unknown } | { readonly kind: "failed"; readonly message: string } {
  try {
    return { kind: "read", json: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    return {
      kind: "failed",
      message: `not valid YAML: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

/** Of a `v1` List, which is how `kubectl get --output yaml` writes several objects; null for anything else. */
function listItems(json: unknown): readonly unknown[] | null {
  if (valueAt(json, ["apiVersion"]) !== "v1" || valueAt(json, ["kind"]) !== "List") return null;
  const items = valueAt(json, ["items"]);
  return Array.isArray(items) ? items : [];
}

/** An object of another API group. What has no apiVersion is taken for one of ours with a mistake in it. */
function isForeign(json: unknown): boolean {
  const apiVersion = valueAt(json, ["apiVersion"]);
  return typeof apiVersion === "string" && !apiVersion.startsWith(`${API_GROUP}/`);
}

function nameOf(json: unknown): string {
  const kind = valueAt(json, ["kind"]);
  const name = valueAt(json, ["metadata", "name"]);
  const namespace = valueAt(json, ["metadata", "namespace"]) ?? "default";
  if (typeof kind !== "string" || typeof name !== "string") return "";
  return `${kind} ${typeof namespace === "string" ? namespace : "default"}/${name}`;
}

function collect(objects: Collected, object: AnyObject): void {
  switch (object.kind) {
    case "FailoverRelationship":
      objects.relationships.push(object);
      return;
    case "DHCPScope":
      objects.scopes.push(object);
      return;
    case "DHCPReservationSet":
      objects.reservationSets.push(object);
      return;
    case "FailoverOperation":
      objects.operations.push(object);
      return;
    case "FailoverMember":
      // A report, not configuration: a dump of the cluster may hold one.
      return;
    default:
      object satisfies never;
  }
}

/** Offset of the value at a field path, or of the closest thing around it that the text has. */
function offsetOf(document: Document.Parsed, field: FieldError["field"]): number | null {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? null;
  for (const segment of field.match(/[^.[\]]+/g) ?? []) {
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === segment.replaceAll('"', ""),
      );
      if (pair === undefined) break;
      if (isNode(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
    } else {
      node = (node as { items?: unknown[] } | null)?.items?.[Number(segment)];
      if (isNode(node) && node.range) offset = node.range[0];
    }
    if (node === undefined || node === null) break;
  }
  return offset;
}
