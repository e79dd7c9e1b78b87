// Breaks a rule in a copy of the source and says whether the test that is said to hold it fails. The copy lies beside nothing
// of the checkout but node_modules, which it links to; the checkout itself is never changed.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Planted {
  readonly title: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const COPIED = ["src", "test", "dev", "package.json", "tsconfig.json"];
const RUN_MS = 120_000;

/** A copy of the checkout for planting in. */
export class Plantation {
  readonly root = mkdtempSync(join(tmpdir(), "leasepair-planted-"));

  constructor(checkout: string) {
    for (const name of COPIED) cpSync(join(checkout, name), join(this.root, name), { recursive: true });
    symlinkSync(join(checkout, "node_modules"), join(this.root, "node_modules"));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Runs the one test of `testFile` with that title: "passed", "failed", or what else happened. */
  async run(testFile: string, title: string): Promise<string> {
    const pattern = `^${title.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$`;
    const args = ["--test", "--test-reporter=tap", `--test-name-pattern=${pattern}`, testFile];
    // Without it the test runner below believes that it runs under the one above, and reports to that.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, args, {
      cwd: this.root,
      env,
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS);
    await new Promise((resolve) => child.on("close", resolve));
    clearTimeout(timer);
    const pass = Number(/^# pass (\d+)/m.exec(output)?.[1] ?? Number.NaN);
    const fail = Number(/^# fail (\d+)/m.exec(output)?.[1] ?? Number.NaN);
    if (pass === 1 && fail === 0) return "passed";
    return pass === 0 && fail === 1 ? "failed" : `ran ${pass} + ${fail} tests:\n${output.slice(-2_000)}`;
  }

  /** What the test does with the rule broken; the source is whole again afterwards. */
  async plant(planted: Planted, testFile: string): Promise<string> {
    const path = join(this.root, planted.file);
    const whole = readFileSync(path, "utf8");
    try {
      writeFileSync(
        path,
        whole.replace(planted.find, () => planted.replace),
      );
      return await this.run(testFile, planted.title);
    } finally {
      writeFileSync(path, whole);
    }
  }
}
