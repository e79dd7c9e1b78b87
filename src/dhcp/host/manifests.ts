// Reads a directory of manifests: the same YAML that `kubectl apply` takes, with the place (file, line, column) of
// everything that is wrong with it. Objects of other API groups are passed over.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { API_GROUP } from "../../api/kind.ts";
import type { AnyObject } from "../../api/kinds.ts";
import {
  parseDHCPReservationSet,
  parseDHCPScope,
  parseFailoverOperation,
  parseFailoverRelationship,
} from "../../api/parse.ts";
import type { ConfigProblem } from "./config-message.ts";

const FILE_NAME = /^[^.].*\.(ya?ml|json)$/;
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export interface ManifestObject {
  /** Such as `campus.yaml:14`. */
  readonly where: string;
  readonly object: AnyObject;
}

export interface Manifests {
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly ConfigProblem[];
}

const PARSERS = {
  FailoverRelationship: parseFailoverRelationship,
  FailoverOperation: parseFailoverOperation,
  DHCPScope: parseDHCPScope,
  DHCPReservationSet: parseDHCPReservationSet,
} as const;

/** Names of the manifest files in a directory, sorted. Throws what the file system throws. */
export function listManifests(directory: string): readonly string[] {
  return fs
    .readdirSync(directory)
    .filter((name) => FILE_NAME.test(name))
    .sort();
}

/** What tells one state of the directory's files from another: names, sizes, times, and what symlinks lead to. */
export function manifestsFingerprint(directory: string): string {
  const parts = listManifests(directory).map((name) => {
    const stat = fs.statSync(`${directory}/${name}`, { bigint: true, throwIfNoEntry: false });
    return stat === undefined
      ? `${name} gone`
      : `${name} ${stat.dev}.${stat.ino} ${stat.size} ${stat.mtimeNs}`;
  });
  return parts.join("\n");
}

/** Reads every manifest. Never throws: what cannot be read is a problem with its place. */
export function readManifests(directory: string): Manifests {
  let files: readonly string[];
  try {
    files = listManifests(directory);
  } catch (error) {
    return { objects: [], problems: [{ where: directory, reason: "Unreadable", message: String(error) }] };
  }
  if (files.length === 0) {
    const message = "there is no *.yaml, *.yml or *.json file in this directory";
    return { objects: [], problems: [{ where: directory, reason: "NoManifests", message }] };
  }
  const read = files.map((name) => readFile(directory, name));
  const objects = read.flatMap((file) => file.objects);
  return { objects, problems: [...read.flatMap((file) => file.problems), ...findDoubles(objects)] };
}

function readFile(directory: string, name: string): Manifests {
  const path = `${directory}/${name}`;
  let text: string;
  try {
    if (fs.statSync(path).size > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    return { objects: [], problems: [{ where: path, reason: "Unreadable", message: String(error) }] };
  }
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter, strict: true, uniqueKeys: true });
  const results = (Array.isArray(documents) ? documents : []).map((document) =>
    readDocument(path, document as Document.Parsed, lineCounter),
  );
  return {
    objects: results.flatMap((result) => result.objects),
    problems: results.flatMap((result) => result.problems),
  };
}

function readDocument(path: string, document: Document.Parsed, lines: LineCounter): Manifests {
  const placeAt = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? document.range[0]);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const [message = ""] = error.message.split("\n");
      return { where: placeAt(error.pos[0]), reason: "InvalidYaml", message };
    });
    return { objects: [], problems };
  }
  const value: unknown = document.toJS();
  if (value === null) return { objects: [], problems: [] };
  const place = placeAt(document.contents?.range?.[0]);
  const { apiVersion, kind } = (typeof value === "object" ? value : {}) as Record<string, unknown>;
  if (typeof apiVersion !== "string" || typeof kind !== "string") {
    const message = "this is no Kubernetes object: apiVersion and kind are missing";
    return { objects: [], problems: [{ where: place, reason: "NotAnObject", message }] };
  }
  if (apiVersion.split("/")[0] !== API_GROUP) return { objects: [], problems: [] };
  if (!Object.hasOwn(PARSERS, kind)) {
    const message = `kind ${kind} is not read from manifests; known are ${Object.keys(PARSERS).join(", ")}`;
    return { objects: [], problems: [{ where: place, reason: "UnknownKind", message }] };
  }
  const parsed = PARSERS[kind as keyof typeof PARSERS](value);
  if (parsed.kind === "ok") return { objects: [{ where: place, object: parsed.object }], problems: [] };
  const problems = parsed.errors.map(({ field, message }) => ({
    where: placeAt(offsetOf(document, field)),
    reason: "Invalid",
    message: field === "" ? message : `${field}: ${message}`,
  }));
  return { objects: [], problems };
}

/** Where a field such as `spec.ranges[0].start` begins: it, or the closest thing around it that is there. */
function offsetOf(document: Document.Parsed, field: string): number | undefined {
  const path = field.split(/[.[\]]+/).filter((part) => part !== "");
  for (let length = path.length; length > 0; length--) {
    const keys = path.slice(0, length).map((part) => (/^[0-9]+$/.test(part) ? Number(part) : part));
    const node = document.getIn(keys, true) as { range?: readonly number[] | null } | undefined;
    if (node?.range !== undefined && node.range !== null) return node.range[0];
  }
  return undefined;
}

function findDoubles(objects: readonly ManifestObject[]): readonly ConfigProblem[] {
  const first = new Map<string, string>();
  return objects.flatMap(({ where, object }) => {
    const key = `${object.kind} ${object.metadata.namespace}/${object.metadata.name}`;
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, where);
      return [];
    }
    return [{ where, reason: "Duplicate", message: `${key} is also given in ${before}; remove one` }];
  });
}

/** Lower-case hex SHA-256 over a value's JSON with sorted keys: which of two specs is the same act. */
export function specDigest(spec: unknown): string {
  const text = JSON.stringify(spec, (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(text).digest("hex");
}
