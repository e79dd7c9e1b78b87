// What a simulated pair is configured with, with the digests that the controller would give it.

import type { CompiledRelationship } from "../../src/api/compiled.ts";
import { digestOf } from "../../src/api/digest.ts";

/** The same configuration with its revision, and with the digest of the part on which both engines must agree. */
export function withDigests(config: CompiledRelationship): CompiledRelationship {
  const { revision: _revision, shape: _shape, ...body } = config;
  const { mode, primary, primaryPercent, reservePercent, mcltSeconds } = config;
  const scopes = config.scopes.map(({ subnet, pools }) => ({ subnet, pools }));
  const shape = digestOf({ mode, primary, primaryPercent, reservePercent, mcltSeconds, scopes });
  return { ...body, revision: digestOf(body), shape };
}
