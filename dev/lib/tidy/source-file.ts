// A TypeScript file as the tidy rules look at it: its text, its code without comments and strings, its imports.
// Works on text, not on a syntax tree: the formatter's layout, which is checked first, makes that enough.

import { posix } from "node:path";

export interface Import {
  /** Path below the root for our own files, else the module's name. */
  readonly target: string;
  readonly own: boolean;
  readonly typeOnly: boolean;
  readonly reExport: boolean;
  readonly line: number;
}

export interface SourceFile {
  /** Below the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the insides of strings blanked out; same length, same lines. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export function makeSourceFile(path: string, text: string): SourceFile {
  const code = blank(text);
  return { path, text, code, imports: findImports(path, text, code) };
}

const IMPORT =
  /^(import|export)\b([^;"'`]*?)\bfrom "([^"\n]+)"|^import "([^"\n]+)"|\bimport\("([^"\n]+)"\)/gm;

function findImports(path: string, text: string, code: string): Import[] {
  const found: Import[] = [];
  for (const match of text.matchAll(IMPORT)) {
    const [, keyword, clause = "", from, bare, dynamic] = match;
    // Blanked there: it stands in a comment or a string.
    if (code[match.index] === " ") continue;
    const name = from ?? bare ?? dynamic!;
    const own = name.startsWith(".");
    const names = /\{([^}]*)\}/
      .exec(clause)?.[1]
      ?.split(",")
      .filter((one) => one.trim() !== "");
    const everyNameIsType =
      names?.every((one) => one.trim().startsWith("type ")) === true && /^\s*\{/.test(clause);
    found.push({
      target: own ? posix.join(posix.dirname(path), name) : name,
      own,
      typeOnly: /^\s*type\b/.test(clause) || everyNameIsType,
      reExport: keyword === "export",
      line: lineAt(text, match.index),
    });
  }
  return found;
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** What may stand before a slash that starts a regular expression rather than a division. */
const BEFORE_REGEX =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield))\s*$/;

/** Blanks comments, strings, templates' text and regular expressions; keeps newlines, quotes and what is in `${}`. */
function blank(text: string): string {
  const out = [...text.split("")];
  const hide = (from: number, to: number) => {
    for (let i = from; i < to; i += 1) if (out[i] !== "\n") out[i] = " ";
  };
  /** For each open template the depth of braces inside of its `${`. */
  const templates: number[] = [];
  let i = 0;
  while (i < text.length) {
    const two = text.slice(i, i + 2);
    const char = text[i]!;
    let end = i + 1;
    if (two === "//") end = endOf(text, i, "\n");
    else if (two === "/*") end = endOf(text, i + 2, "*/") + 2;
    if (two === "//" || two === "/*") hide(i, end);
    else if (char === '"' || char === "'") {
      end = skipString(text, i, char);
      hide(i + 1, end - 1);
    } else if (char === "/" && BEFORE_REGEX.test(out.slice(Math.max(0, i - 40), i).join(""))) {
      end = skipRegex(text, i);
      hide(i + 1, end);
    } else if (char === "`" || (char === "}" && templates.at(-1) === 0)) {
      if (char === "}") templates.pop();
      end = skipTemplate(text, i + 1);
      hide(i + 1, end - 1);
      if (text[end - 1] === "{") templates.push(0);
    } else if (templates.length > 0 && (char === "{" || char === "}")) {
      templates[templates.length - 1]! += char === "{" ? 1 : -1;
    }
    i = end;
  }
  return out.join("");
}

function endOf(text: string, from: number, mark: string): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at;
}

function skipString(text: string, start: number, quote: string): number {
  let i = start + 1;
  while (i < text.length && text[i] !== quote && text[i] !== "\n") i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

function skipRegex(text: string, start: number): number {
  let inClass = false;
  let i = start + 1;
  for (; i < text.length && text[i] !== "\n"; i += text[i] === "\\" ? 2 : 1) {
    if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return i + 1;
  }
  return i;
}

/** Past the closing backtick, or past the `${` that opens a piece of code. */
function skipTemplate(text: string, start: number): number {
  for (let i = start; i < text.length; i += text[i] === "\\" ? 2 : 1) {
    if (text[i] === "`") return i + 1;
    if (text.startsWith("${", i)) return i + 2;
  }
  return text.length;
}
