// The corpus of manifests: reads test/corpus/manifests/{good,bad,refused} with what each case must come to. good and
// bad are judged the same by the API server; refused passes it and is refused by compile().

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const CORPUS = join(import.meta.dirname, "..", "corpus", "manifests");

export interface CorpusCase {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  /** `# key: value` lines at the top. */
  readonly expected: Readonly<Record<string, string>>;
}

/** The cases of one verdict, by name. */
export function corpusCases(verdict: "good" | "bad" | "refused"): readonly CorpusCase[] {
  const folder = join(CORPUS, verdict);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      return { name: file.slice(0, -".yaml".length), file, text, expected: expectations(text) };
    });
}

function expectations(text: string): Record<string, string> {
  const expected: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^# ([a-z]+): (.*)$/.exec(line);
    if (match === null) break;
    expected[match[1] ?? ""] = match[2] ?? "";
  }
  return expected;
}
