// Writes docs/protocol/conformance.md, or with --check only says whether it is current.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { conformanceDocument } from "./document.ts";
import { readRequirements, readTitles } from "./requirements.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FILE = join(ROOT, "docs/protocol/conformance.md");
const text = conformanceDocument(readRequirements(ROOT), readTitles(ROOT));

if (!process.argv.includes("--check")) {
  writeFileSync(FILE, text);
} else if (readFileSync(FILE, "utf8") !== text) {
  console.error("docs/protocol/conformance.md is stale: run npm run conformance");
  process.exitCode = 1;
}
