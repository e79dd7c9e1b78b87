// One share of the inputs, in a thread with a small heap of its own: a decoder that keeps or builds too much ends it.

import { parentPort, workerData } from "node:worker_threads";
import { DECODERS } from "./decoders.ts";
import { Mutator } from "./mutator.ts";

export interface FuzzShare {
  readonly seed: number;
  readonly inputs: number;
}

export interface FuzzFailure {
  readonly decoder: string;
  readonly hex: string;
  readonly error: string;
}

export interface FuzzReport {
  /** How often each outcome came up, by "decoder outcome". */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: readonly FuzzFailure[];
}

const FAILURES_MAX = 5;

function fuzz({ seed, inputs }: FuzzShare): FuzzReport {
  const outcomes: Record<string, number> = {};
  const failures: FuzzFailure[] = [];
  const shares = DECODERS.reduce((sum, { share }) => sum + share, 0);
  for (const [n, { name, share, samples, decode }] of DECODERS.entries()) {
    const mutator = new Mutator(seed * 31 + n, samples);
    for (let left = Math.floor((inputs * share) / shares); left > 0; left--) {
      const bytes = mutator.next();
      try {
        const outcome = `${name} ${decode(bytes)}`;
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      } catch (error) {
        failures.push({ decoder: name, hex: bytes.toString("hex"), error: String(error) });
        if (failures.length >= FAILURES_MAX) return { outcomes, failures };
      }
    }
  }
  return { outcomes, failures };
}

parentPort?.postMessage(fuzz(workerData as FuzzShare));
