// npm run conformance: writes docs/protocol/conformance.md, or only says whether it is current.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readOptions } from "../lib/options.ts";
import { conformanceDocument } from "./document.ts";
import { readDraftMusts } from "./failover-draft.ts";
import { readRequirements, readTitles } from "./requirements.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const FILE = join(ROOT, "docs/protocol/conformance.md");
const HELP = `Writes docs/protocol/conformance.md anew: each MUST of the RFCs and of the failover draft, and the tests that hold it.

  npm run conformance -- [--check]

  --check  writes nothing, and fails when the page is stale
`;

const { check } = readOptions(HELP, { check: { type: "boolean", default: false } });
const text = conformanceDocument(readRequirements(ROOT), readTitles(ROOT), readDraftMusts(ROOT));

if (!check) {
  writeFileSync(FILE, text);
} else if (readFileSync(FILE, "utf8") !== text) {
  console.error("docs/protocol/conformance.md is stale: run npm run conformance");
  process.exitCode = 1;
}
