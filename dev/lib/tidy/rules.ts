// The rules of the house that no linter knows: who may import whom, what pure code may not name, how long things may
// be, what every file must say. ARCHITECTURE.md explains them; each is a function from files to complaints.

import { lineAt, type SourceFile } from "./source-file.ts";

/** One breach, ready to print. */
export interface Complaint {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export type Rule = (files: readonly SourceFile[]) => readonly Complaint[];

interface Direction {
  /** Folders end in a slash. The longest that fits a file counts. */
  readonly from: string;
  readonly to: readonly string[];
  /** What may be imported as types only. */
  readonly types?: readonly string[];
}

const ENGINE_CONFIG = ["src/api/compiled.ts"];
const DHCP = "src/dhcp/";

/** Who may import what, besides its own folder. Packages: see PACKAGES. */
export const DIRECTIONS: readonly Direction[] = [
  { from: "src/base/", to: [] },
  { from: "src/api/", to: ["src/base/"] },
  { from: "src/kube/", to: ["src/base/"] },
  { from: "src/dhcp/wire/", to: ["src/base/"] },
  { from: "src/dhcp/wire-failover/", to: ["src/base/"] },
  { from: "src/dhcp/lease/", to: ["src/base/"], types: ENGINE_CONFIG },
  {
    from: "src/dhcp/server/",
    to: ["src/base/", `${DHCP}wire/`, `${DHCP}lease/`],
    types: [...ENGINE_CONFIG, `${DHCP}ports.ts`],
  },
  {
    from: "src/dhcp/failover/",
    to: ["src/base/", `${DHCP}wire-failover/`, `${DHCP}lease/`],
    types: ENGINE_CONFIG,
  },
  {
    from: "src/dhcp/engine/",
    to: [
      "src/base/",
      ...["wire/", "wire-failover/", "lease/", "server/", "failover/", "ports.ts"].map((name) => DHCP + name),
    ],
    types: ENGINE_CONFIG,
  },
  // The engine's journal is a port like the disk: the store implements it and knows nothing else of the engine.
  {
    from: "src/dhcp/store/",
    to: ["src/base/", `${DHCP}lease/`, `${DHCP}ports.ts`],
    types: [`${DHCP}engine/journal.ts`],
  },
  { from: "src/dhcp/ports.ts", to: ["src/base/"] },
  { from: "src/dhcp/host/", to: ["src/base/", "src/api/", "src/kube/", DHCP] },
  { from: "src/dhcp/", to: ["src/base/", "src/api/", "src/kube/", DHCP] },
  { from: "src/controller/", to: ["src/base/", "src/api/", "src/kube/"] },
  { from: "src/cli/", to: ["src/"] },
  { from: "dev/", to: ["src/", "test/simulation/"] },
  { from: "bench/", to: ["src/", "dev/"] },
  { from: "test/", to: ["src/", "dev/", "bench/"] },
];

export const importDirections: Rule = (files) =>
  files.flatMap((file) => {
    const direction = DIRECTIONS.filter(({ from }) => file.path.startsWith(from)).sort(
      (a, b) => b.from.length - a.from.length,
    )[0];
    if (direction === undefined)
      return [{ path: file.path, line: 1, message: "in no folder of the table of import directions" }];
    const { from, to, types = [] } = direction;
    const within = (target: string, places: readonly string[]) =>
      places.some((place) => target.startsWith(place));
    return file.imports
      .filter(
        ({ own, target, typeOnly }) =>
          own && !within(target, [from, ...to]) && !(typeOnly && within(target, types)),
      )
      .map(({ target, line }) => ({ path: file.path, line, message: `${from} must not import ${target}` }));
  });

export const noImportCycles: Rule = (files) => {
  const targets = new Map(
    files.map((file) => [file.path, file.imports.filter((one) => one.own).map((one) => one.target)]),
  );
  const complaints: Complaint[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      const circle = [...trail.slice(start), path].join(" -> ");
      complaints.push({ path, line: 1, message: `import cycle: ${circle}` });
    }
    if (start >= 0 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  return complaints;
};

/** Code that may touch the outside world. Everything else under src/ is pure. */
const IMPURE = /^src\/(dhcp\/host\/|kube\/|cli\/|controller\/(apply|health-server|main)|dhcp\/main\.ts)/;
const IMPURE_MODULES =
  /^node:(fs|net|dgram|tls|dns|http|https|http2|os|timers|process|child_process|worker_threads|readline|stream|events)\b/;
const IMPURE_NAMES = [
  /\bprocess\.(?:argv|cwd|emit|env|exit|getuid|hrtime|kill|memoryUsage|nextTick|off|on|once|pid|platform|std|uptime)\w*/g,
  /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\s*\(/g,
  /\bDate\.now\b/g,
  /\bnew Date\(\s*\)/g,
  /\bperformance\.now\b/g,
  /\bMath\.random\b/g,
  /\bconsole\s*\./g,
  /\bawait\b/g,
];

export const pureCode: Rule = (files) =>
  files
    .filter(({ path }) => path.startsWith("src/") && !IMPURE.test(path))
    .flatMap(({ path, text, code, imports }) => {
      const modules = imports.filter(({ target }) => IMPURE_MODULES.test(target));
      const names = IMPURE_NAMES.flatMap((name) => [...code.matchAll(name)]);
      return [
        ...modules.map(({ target, line }) => ({
          path,
          line,
          message: `pure code must not import ${target}`,
        })),
        ...names.map((match) => ({
          path,
          line: lineAt(text, match.index),
          message: `pure code must not use ${match[0].trim()}`,
        })),
      ];
    });

export const noReExports: Rule = (files) =>
  files.flatMap(({ path, imports }) =>
    imports
      .filter((one) => one.reExport)
      .map(({ line }) => ({ path, line, message: "no re-exports: import from where it is" })),
  );

export const noDefaultExports: Rule = (files) =>
  files.flatMap(({ path, text, code }) =>
    [...code.matchAll(/^export default\b/gm)].map((match) => ({
      path,
      line: lineAt(text, match.index),
      message: "no default exports",
    })),
  );

const FILE_LINES_MAX = 500;
/** Tables of cases are long by nature. */
const TEST_FILE_LINES_MAX = 1500;
const FUNCTION_LINES_MAX = 70;
/** Tables and generated code. */
const LENGTH_EXEMPT: ReadonlySet<string> = new Set(["src/dhcp/wire/option-table.ts"]);

export const fileLength: Rule = (files) =>
  files
    .filter(({ path }) => !LENGTH_EXEMPT.has(path))
    .flatMap(({ path, text }) => {
      const lines = text.split("\n").length - 1;
      const max = path.startsWith("test/") ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
      return lines > max ? [{ path, line: max, message: `${lines} lines; a file has at most ${max}` }] : [];
    });

export const functionLength: Rule = (files) =>
  files
    .filter(({ path }) => !path.startsWith("test/"))
    .flatMap(({ path, code }) =>
      findFunctions(code)
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => ({
          path,
          line,
          message: `${lines} lines; a function has at most ${FUNCTION_LINES_MAX}`,
        })),
    );

const FUNCTION = /^\s*(?:export )?(?:async )?function\b/;
const ARROW = /=>\s*\{$/;
const METHOD =
  /^\s+(?:(?:static|async|get|set|override|public|private|protected)\s+)*\*?#?[\w$]+(?:<[^(]*>)?\((?:.*[({,])?$/;
const NO_METHOD = /^\s+(?:if|for|while|switch|catch|return|await|super|throw|new|do|else)\b/;

/** Functions by the formatter's layout: the body ends at the first line that closes at the indent of the head. */
function findFunctions(code: string): { line: number; lines: number }[] {
  const lines = code.split("\n");
  const found: { line: number; lines: number }[] = [];
  for (const [index, head] of lines.entries()) {
    if (!FUNCTION.test(head) && !ARROW.test(head) && !(METHOD.test(head) && !NO_METHOD.test(head))) continue;
    const indent = /^\s*/.exec(head)![0];
    if (/\{.*\}$/.test(head.trimEnd())) continue;
    const end = lines.findIndex(
      (line, at) => at > index && line.startsWith(`${indent}}`) && !/[{(]$/.test(line),
    );
    if (end > index) found.push({ line: index + 1, lines: end - index + 1 });
  }
  return found;
}

export const headerComment: Rule = (files) =>
  files
    .filter(({ path, text }) => /^(src|dev|bench)\//.test(path) && !/^(#!.*\n)?\/\/ \S/.test(text))
    .map(({ path }) => ({ path, line: 1, message: "starts without a comment that says what it decides" }));

const PROTOCOL = /^src\/dhcp\/(wire|wire-failover|lease|server|failover)\//;

/** Files of the protocol's folders that follow no document: data structures, counters, plain shapes. */
const NO_SOURCE =
  /^src\/dhcp\/(lease\/(packed-|lease-table\.|store-identity\.|authority\.)|server\/(counters|outcome|offers|candidates|engine-config|reservation-index)\.)/;

export const sourceLine: Rule = (files) =>
  files
    .filter(({ path, text }) => PROTOCOL.test(path) && !NO_SOURCE.test(path) && !/\bSource: \S/.test(text))
    .map(({ path }) => ({ path, line: 1, message: "names no Source (RFC or draft with section)" }));
