// `npm run crds`: writes crds/*.yaml, the chart's copy of them and docs/reference/api.md from src/api, and the page of the
// failover states from its tables. With --check it writes nothing, names every
// file that is stale, missing or left over, and ends with 1. Never reads anything but the kinds and those tables.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { allDefinitions } from "../src/api/crd.ts";
import { apiReference } from "../src/api/reference.ts";
import { statesDrawing, statesPage } from "./lib/states-page.ts";

const ROOT = join(import.meta.dirname, "..");
/** For kubectl, and for Helm, which reads nothing outside of its chart. */
const CRD_FOLDERS = ["crds", "charts/leasepair/files/crds"];

/** Everything that is generated: path from the repository's root to text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { file, definition } of allDefinitions()) {
    const yaml = stringify(definition, { lineWidth: 120, aliasDuplicateObjects: false });
    const text = `# Generated from src/api by \`npm run crds\`; do not edit.\n${yaml}`;
    for (const folder of CRD_FOLDERS) files.set(join(folder, file), text);
  }
  files.set(join("docs", "protocol", "states.md"), statesPage());
  files.set(join("docs", "protocol", "states.svg"), statesDrawing());
  return files.set(join("docs", "reference", "api.md"), apiReference());
}

/** One line per file under `root` that is not as it would be generated now. */
export function staleFiles(root: string): readonly string[] {
  const files = generatedFiles();
  const differing = [...files].flatMap(([path, text]) => {
    const present = readIfThere(join(root, path));
    if (present === text) return [];
    return [`${path}: ${present === null ? "is missing" : "is stale"}; run \`npm run crds\` and commit it`];
  });
  const leftOver = leftOverFiles(root, files).map((path) => `${path}: no kind has this file; remove it`);
  return [...differing, ...leftOver];
}

function leftOverFiles(root: string, files: ReadonlyMap<string, string>): string[] {
  const present = CRD_FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".yaml"))
      .map((entry) => join(folder, entry.name)),
  );
  return present.filter((path) => !files.has(path));
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function main(args: readonly string[]): number {
  const unknown = args.find((arg) => arg !== "--check");
  if (unknown !== undefined) {
    console.error(`${unknown}: unknown option; the only one is --check, which writes nothing`);
    return 2;
  }
  for (const folder of CRD_FOLDERS) mkdirSync(join(ROOT, folder), { recursive: true });
  if (args.includes("--check")) {
    const stale = staleFiles(ROOT);
    for (const line of stale) console.error(line);
    return stale.length === 0 ? 0 : 1;
  }
  const files = generatedFiles();
  for (const path of leftOverFiles(ROOT, files)) rmSync(join(ROOT, path));
  for (const [path, text] of files) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
  return 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
