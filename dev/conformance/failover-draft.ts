// Which MUST of the failover draft is held by which test, and where we depart from it. The rows stand in
// test/conformance/failover-draft.json, in words of our own: the draft says most things in several places.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cell } from "./table-cell.ts";

/** A requirement that an implementer can break. One of `held` and `errata` is there, or both. */
export interface DraftMust {
  readonly section: string;
  readonly must: string;
  /** "FILE: WORDS", where the words of a test or of a case of its table stand in the file. */
  readonly held?: readonly string[];
  /** The first cell of the row of draft-errata.md that says how far we depart from it. */
  readonly errata?: readonly string[];
}

export function readDraftMusts(root: string): readonly DraftMust[] {
  return JSON.parse(readFileSync(join(root, "test/conformance/failover-draft.json"), "utf8"));
}

/** The file and the words of one of `held`. */
export function splitHeld(held: string): readonly [file: string, words: string] {
  const end = held.indexOf(": ");
  return [held.slice(0, end), held.slice(end + 2)];
}

/** The chapter on it. */
export function draftChapter(rows: readonly DraftMust[]): string[] {
  return [
    "## The failover draft: draft-ietf-dhc-failover-12",
    "",
    "What its sections 5 to 9 say MUST or MUST NOT of, one row for each thing that can be broken, however often it is said. TLS inside",
    "the protocol, DNS updates and a configuration of the servers' own buckets are not among it: there are none here. Where we depart,",
    "the row of [draft-errata.md](draft-errata.md) is named.",
    "",
    "| section | what | held by |",
    "| --- | --- | --- |",
    ...rows.map((row) => `| ${row.section} | ${cell(row.must)} | ${holder(row)} |`),
    "",
  ];
}

function holder({ held = [], errata = [] }: DraftMust): string {
  const tests = held.map((one) => {
    const [file, words] = splitHeld(one);
    return `${cell(words)} (${file})`;
  });
  const departures = errata.length > 0 ? [`**Errata:** ${errata.join("; ")}`] : [];
  return [...tests, ...departures].join("<br>");
}
