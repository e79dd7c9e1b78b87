// Which objects a list or watch is about: namespace, label selector, field selector.

import type { KubeObject } from "../../src/kube/resource.ts";
import { badRequest } from "./status-error.ts";

export type Selector = (object: KubeObject) => boolean;

/** Builds the predicate of one request. Throws a 400 for a selector it cannot read. */
export function makeSelector(namespace: string | null, query: Readonly<Record<string, string>>): Selector {
  const tests: Selector[] = [];
  if (namespace !== null) tests.push((object) => object.metadata.namespace === namespace);
  for (const term of split(query["labelSelector"])) tests.push(labelTest(term));
  for (const term of split(query["fieldSelector"])) tests.push(fieldTest(term));
  return (object) => tests.every((test) => test(object));
}

/** Terms apart, commas inside of parentheses left alone. */
function split(selector: string | undefined): string[] {
  return (selector ?? "").split(/,(?![^(]*\))/).filter((term) => term.trim() !== "");
}

function labelTest(term: string): Selector {
  const set = /^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(term);
  if (set !== null) {
    const values = set[3]!.split(",").map((value) => value.trim());
    return (object) => values.includes(object.metadata.labels?.[set[1]!] ?? "") === (set[2] === "in");
  }
  const equality = /^\s*(!?)([^\s=!]+)\s*(?:(!=|==?)\s*(\S*))?\s*$/.exec(term);
  if (equality === null) throw badRequest(`unable to parse requirement: ${term}`);
  const [, not, key = "", operator, value] = equality;
  return (object) => {
    const label = object.metadata.labels?.[key];
    if (operator === undefined) return (label !== undefined) !== (not === "!");
    return (label === value) === (operator !== "!=");
  };
}

function fieldTest(term: string): Selector {
  const [, path = "", operator, value] = /^([\w.]+)(!=|==?)(.*)$/.exec(term.trim()) ?? [];
  if (path === "") throw badRequest(`invalid field selector: ${term}`);
  return (object) => {
    const found = path
      .split(".")
      .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);
    return (String(found ?? "") === value) === (operator !== "!=");
  };
}
