// Runs one test file in its own process and counts what happened. A file that tests nothing, does not end, or ends
// badly beside its tests counts as a failure: silence must never look like success.

import { join } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";

export interface Failure {
  readonly name: string;
  /** Line in the file, when known. */
  readonly line: number | null;
  readonly error: string;
}

export interface FileResult {
  /** Below the root. */
  readonly path: string;
  readonly seconds: number;
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly skips: readonly { readonly name: string; readonly reason: string }[];
  /** What the file printed, for failures. */
  readonly output: string;
}

interface TestEvent {
  readonly name: string;
  readonly file?: string;
  readonly entryFile?: string;
  readonly line?: number;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: { readonly type?: string; readonly error?: Error & { failureType?: string } };
}

/** Runs `path` below `root`; after `limitMs` the process is ended. */
export async function runTestFile(root: string, path: string, limitMs: number): Promise<FileResult> {
  const startedAt = performance.now();
  const file = join(root, path);
  const failures: Failure[] = [];
  const skips: { name: string; reason: string }[] = [];
  const output: string[] = [];
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(), limitMs);
  const fail = (name: string, line: number | null, error: string) => failures.push({ name, line, error });
  let passed = 0;
  const stream = run({ files: [file], isolation: "process", signal: timeUp.signal });
  stream.on("test:stdout", (event) => output.push(event.message));
  stream.on("test:stderr", (event) => output.push(event.message));
  stream.on("test:pass", (event: TestEvent) => {
    const reason = skipReason(event);
    if (isWholeFile(event, file)) fail("(the whole file)", null, "The file contains no tests.");
    else if (reason !== null) skips.push({ name: event.name, reason });
    else if (event.details.type !== "suite") passed += 1;
  });
  stream.on("test:fail", (event: TestEvent) => {
    const { error } = event.details;
    const reason = skipReason(event);
    if (isWholeFile(event, file)) {
      if (!timeUp.signal.aborted)
        fail("(the whole file)", null, "The process failed beside its tests; see its output.");
    } else if (reason !== null) skips.push({ name: event.name, reason });
    else if (error?.failureType !== "subtestsFailed")
      fail(event.name, event.line ?? null, describeError(error));
  });
  for await (const _ of stream) {
    // The handlers above do the work; the loop ends with the process.
  }
  clearTimeout(timer);
  if (timeUp.signal.aborted) {
    fail(
      "(the whole file)",
      null,
      `Not finished after ${limitMs / 1000} s: a test hangs or leaves something open.`,
    );
  }
  const seconds = (performance.now() - startedAt) / 1000;
  if (passed + failures.length + skips.length === 0) fail("(the whole file)", null, "Nothing was tested.");
  return { path, seconds, passed, failures, skips, output: output.join("") };
}

/** The runner's own entry for the process, as opposed to a test in it. */
function isWholeFile(event: TestEvent, file: string): boolean {
  return event.entryFile === undefined && event.name.endsWith(".test.ts") && event.file === file;
}

function skipReason(event: TestEvent): string | null {
  if (event.todo !== undefined && event.todo !== false)
    return `todo: ${event.todo === true ? "no reason given" : event.todo}`;
  if (event.skip === undefined || event.skip === false) return null;
  return event.skip === true || event.skip === "" ? "no reason given" : event.skip;
}

function describeError(error: (Error & { failureType?: string }) | undefined): string {
  if (error === undefined) return "failed without an error";
  const cause = error.cause instanceof Error ? error.cause : error;
  return inspect(cause, { depth: 6, colors: false });
}
