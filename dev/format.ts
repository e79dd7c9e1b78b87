// Formats and lints everything, and repairs what can be repaired without changing a program's meaning.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const BIOME = fileURLToPath(new URL("../node_modules/@biomejs/biome/bin/biome", import.meta.url));
const ROOT = fileURLToPath(new URL("../", import.meta.url));

const result = spawnSync(process.execPath, [BIOME, "check", "--write", "."], { cwd: ROOT, stdio: "inherit" });
process.exitCode = result.status ?? 1;
