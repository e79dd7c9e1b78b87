// One HTTP request read as what it asks for: verb, object, query and body. What our code does not use is refused, never
// silently ignored.
// Source: Kubernetes API concepts, "Resource URIs".

import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Target } from "./api-objects.ts";
import type { ServedKind } from "./kinds.ts";
import { StatusError } from "./status-error.ts";

type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** `name` is empty for collections. */
export interface ApiRequest extends Target {
  readonly verb: Verb;
  /** Lower-case plural. */
  readonly resource: string;
  /** Whose token it came with. */
  readonly user: string;
  readonly contentType: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** HTTP status of the answer; 0 until it is given, or when it never was. */
  code: number;
}

/** Group, version, namespace, plural, name and subresource. */
const PATH =
  /^\/api(?:s\/([^/]+))?\/([^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/(status))?$/;
const QUERIES =
  /^(watch|allowWatchBookmarks|resourceVersion|timeoutSeconds|(label|field)Selector|limit|fieldManager|force)$/;

const VERBS: Record<string, Verb> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };

/** Throws a StatusError for what the embedded API does not serve. */
export async function readRequest(message: IncomingMessage, kinds: ServedKind[]): Promise<ApiRequest> {
  const { method = "", headers, url: path = "" } = message;
  const url = new URL(path, "https://embedded");
  const query = Object.fromEntries(url.searchParams);
  const [, group = "", version, namespace = null, plural, name = "", subresource = ""] = (
    PATH.exec(url.pathname) ?? []
  ).map((part) => part && decodeURIComponent(part));
  const kind = kinds.find((one) => one.group === group && one.version === version && one.plural === plural);
  if (kind === undefined) throw new StatusError(404, "the server could not find the requested resource");
  const unknown = Object.keys(query).find((parameter) => !QUERIES.test(parameter));
  if (unknown !== undefined) throw new StatusError(400, `the embedded API knows no parameter ${unknown}`);
  const verb = VERBS[method] ?? (query["watch"] === "true" ? "watch" : name === "" ? "list" : "get");
  const sent = await text(message);
  return {
    ...{ kind, namespace, name, subresource: subresource as Target["subresource"] },
    ...{ verb, resource: kind.plural, query, contentType: headers["content-type"] ?? "", code: 0 },
    user: (headers.authorization ?? "").replace("Bearer ", ""),
    body: sent === "" ? {} : JSON.parse(sent),
  };
}
