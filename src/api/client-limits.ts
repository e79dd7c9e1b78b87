// What one client and one circuit may ask of a relationship. Unset limits nothing.

import { z } from "zod";
import type { CompiledLimits, CompiledRate } from "./compiled.ts";
import { integer } from "./fields.ts";

const rateShape = {
  requestsPerSecond: integer(
    1,
    10_000,
    "Requests per second that are answered in the long run, 1 to 10000; what is more is dropped and counted.",
  ),
  burst: integer(
    1,
    100_000,
    "Requests that may come at once, 1 to 100000. Unset: four times requestsPerSecond.",
  ).optional(),
};

export const limitsSchema = z
  .strictObject({
    client: z.strictObject(rateShape).optional().meta({
      description:
        "For each client, as its identifier or hardware address tells it. Even a client that starts up sends but a few requests a second, so 5 stops broken ones only.",
    }),
    circuit: z
      .strictObject({
        ...rateShape,
        requestsPerSecond: rateShape.requestsPerSecond.optional(),
        leases: integer(
          1,
          65_535,
          "Leases and open offers that one circuit may have at a time, 1 to 65535. A client that holds a lease keeps it. Unset: no limit.",
        ).optional(),
      })
      .optional()
      .meta({
        description:
          "For each circuit: the port that the relay names in option 82 (circuit and remote id). Has no effect on clients whose relay sends no option 82.",
      }),
  })
  .meta({ description: "What one client and one port may take. Unset: no limits." });

type Limits = z.output<typeof limitsSchema>;

/** Bursts that are not set are four seconds' worth. */
const BURST_SECONDS = 4;

export function compileLimits(limits: Limits | undefined): CompiledLimits {
  return {
    perClient: compileRate(limits?.client),
    perCircuit: compileRate(limits?.circuit),
    leasesPerCircuit: limits?.circuit?.leases ?? null,
  };
}

function compileRate(
  rate: { readonly requestsPerSecond?: number | undefined; readonly burst?: number | undefined } | undefined,
): CompiledRate | null {
  const perSecond = rate?.requestsPerSecond;
  return perSecond === undefined ? null : { perSecond, burst: rate?.burst ?? perSecond * BURST_SECONDS };
}
