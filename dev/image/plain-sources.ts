// The product's source as plain JavaScript: types become blanks, so that lines and columns stay what they are in the
// repository, and imports name .js files. Stripping at each start instead cost every engine half a second and 40 MiB.

import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

export interface PlainSource {
  /** `src/cli/main.js` */
  readonly path: string;
  readonly text: string;
}

/** Relative paths of our own modules, in imports and for threads. */
const MODULE = /(["'])(\.{1,2}\/[^"'\n]*)\.ts\1/g;

/** Every module below `src/` of the checkout at `root`, in the order of their paths. */
export function plainSources(root: string): readonly PlainSource[] {
  const paths = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const modules = paths.filter((path) => path.endsWith(".ts")).sort();
  return modules.map((path) => {
    const text = stripTypeScriptTypes(readFileSync(join(root, "src", path), "utf8"));
    return { path: `src/${path.slice(0, -2)}js`, text: text.replaceAll(MODULE, "$1$2.js$1") };
  });
}
