// What the driver found, as it hands it to the test.

import type { PeerName } from "../../dev/peers/peer-lab.ts";
import type { Difference } from "./judge.ts";

/** What the driver prints when the first half of its exchanges is over. */
export const HALF_TIME = "half time";

/** How often a class of differences was seen, by peer. */
export type ClassCount = Readonly<Record<PeerName, number>>;

/** A difference that no class covers; equal ones are counted together. */
export interface Unlisted extends Difference {
  readonly peer: PeerName;
  /** The message, as JSON. */
  readonly step: string;
  readonly count: number;
}

export interface Report {
  readonly exchanges: number;
  /** Messages said to each server. */
  readonly messages: number;
  /** Those that our server answered. */
  readonly answers: number;
  /** Answers that nobody waited for. */
  readonly strays: number;
  readonly counts: Readonly<Record<string, ClassCount>>;
  readonly unlisted: readonly Unlisted[];
}
