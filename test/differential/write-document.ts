// Writes docs/protocol/differences.md: `node dev/run.mjs test/differential/write-document.ts`.

import { writeFileSync } from "node:fs";
import { differencesDocument, FILE } from "./document.ts";

writeFileSync(FILE, differencesDocument());
