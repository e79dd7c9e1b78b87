// Ten million damaged inputs to every decoder that reads bytes from outside: none throws, none makes more of them than they hold, and
// a heap of 64 MiB is enough. LEASEPAIR_SEED draws others, LEASEPAIR_FUZZ says how many. What fails is kept in test/corpus/fuzz and
// decoded first in every run.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { DECODERS } from "./decoders.ts";
import type { FuzzFailure, FuzzReport, FuzzShare } from "./worker.ts";

const SEED = Number(process.env["LEASEPAIR_SEED"] ?? "1");
const INPUTS = Number(process.env["LEASEPAIR_FUZZ"] ?? "10000000");
const THREADS = 2;
const HEAP_MIB = 64;
const KEPT = join(import.meta.dirname, "..", "corpus", "fuzz");

/** File names are `<decoder>-<digest>.hex`. */
function keep({ decoder, hex }: FuzzFailure): void {
  mkdirSync(KEPT, { recursive: true });
  const digest = createHash("sha256").update(hex).digest("hex").slice(0, 12);
  writeFileSync(join(KEPT, `${decoder}-${digest}.hex`), `${hex}\n`);
}

async function fuzz(share: FuzzShare): Promise<FuzzReport> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData: share,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 16 },
  });
  const [report] = (await once(worker, "message")) as [FuzzReport];
  return report;
}

for (const file of readdirSync(KEPT).sort()) {
  test(`${file}, kept from an earlier night or written to kill, is decoded`, () => {
    const decoder = DECODERS.find(({ name }) => file.startsWith(`${name}-`));
    assert.ok(decoder !== undefined, "the file's name begins with a decoder's");
    decoder.decode(Buffer.from(readFileSync(join(KEPT, file), "utf8").trim(), "hex"));
  });
}

test(`seed ${SEED}: ${INPUTS} damaged inputs`, async () => {
  const shares = Array.from({ length: THREADS }, (_, i) => ({
    seed: SEED * THREADS + i,
    inputs: INPUTS / THREADS,
  }));
  const reports = await Promise.all(shares.map(fuzz));
  const failures = reports.flatMap((report) => report.failures);
  for (const failure of failures) keep(failure);
  assert.deepEqual(failures, [], "kept in test/corpus/fuzz");
  const total = (key: string) => reports.reduce((sum, { outcomes }) => sum + (outcomes[key] ?? 0), 0);
  for (const { name, outcomes } of DECODERS)
    for (const outcome of outcomes)
      assert.ok(total(`${name} ${outcome}`) > INPUTS / 100_000, `${name} ${outcome}`);
});
