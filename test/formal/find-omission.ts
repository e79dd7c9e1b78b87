// Leaves one rule out of the model and looks for the harm, where the catalog says that it shows.

import { FOUND_IN, SYSTEMS } from "./catalog.ts";
import { makeModel, type Omission } from "./model.ts";
import { search } from "./search.ts";
import { walk } from "./walk.ts";

const STATES_MAX = 6_000_000;

export interface FoundOmission {
  readonly invariant: string | null;
  readonly trace: readonly string[];
}

/** `seconds`: CPU seconds at most. */
export function findOmission(omission: Omission, seconds: number): FoundOmission {
  const { system, also, by, options, liveness = false } = FOUND_IN[omission];
  const model = makeModel({ ...SYSTEMS[system], ...options }, [omission, ...(also ?? [])]);
  if (by === "search") return search(model, { states: STATES_MAX, seconds });
  return walk(model, { seed: 1, seconds, events: 1e12, length: 250, liveness });
}
