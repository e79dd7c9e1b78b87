// Which sentence of which RFC is held by which test. The sentences stand in test/conformance/requirements.json, each with
// the titles of its tests; whether those tests exist is looked up in the test files themselves.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Requirement {
  readonly rfc: number;
  /** "" where the RFC numbers no sections. */
  readonly section: string;
  /** The sentence, its line breaks taken out. */
  readonly text: string;
  /** Whom it binds. Only what binds servers is ours. */
  readonly party: "server" | "client" | "relay" | "DHCPv6" | "other";
  /** Titles of the tests that hold it. */
  readonly tests?: readonly string[];
  /** Why it cannot be broken here: what it speaks of never happens. */
  readonly void?: string;
  /** Why we do otherwise. For a SHOULD only. */
  readonly departs?: string;
}

export type Level = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT";

/** The strongest word of the sentence. SHALL and REQUIRED mean MUST. Source: RFC 2119 1, 2. */
export function levelOf({ text }: Requirement): Level {
  if (/\b(MUST|SHALL|REQUIRED)\b(?! NOT)/.test(text)) return "MUST";
  if (/\b(MUST|SHALL) NOT\b/.test(text)) return "MUST NOT";
  return /\bSHOULD\b(?! NOT)/.test(text) ? "SHOULD" : "SHOULD NOT";
}

export function readRequirements(root: string): readonly Requirement[] {
  return JSON.parse(readFileSync(join(root, "test/conformance/requirements.json"), "utf8"));
}

/** Every literal title of a test, with the file it stands in. */
export function readTitles(root: string): ReadonlyMap<string, string> {
  const titles = new Map<string, string>();
  for (const file of globSync("test/**/*.test.ts", { cwd: root }).sort()) {
    const text = readFileSync(join(root, file), "utf8");
    for (const [, title] of text.matchAll(/\btest\(\s*("(?:[^"\\\n]|\\.)*")/g)) {
      titles.set(JSON.parse(title as string), file);
    }
  }
  return titles;
}
