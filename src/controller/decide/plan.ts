// What is to be rendered for a relationship, or what is wrong with its spec, or in the way, so that everything stays as it was
// last accepted. First what the configuration lacks, then what the cluster does.

import type { RenderOptions } from "../desired/render-options.ts";
import type { Rejected } from "../observed.ts";
import { type ChildrenPlan, planChildren } from "./children.ts";
import { claimsUnread, volumeElsewhere } from "./claims.ts";
import type { Pair } from "./pair.ts";
import { missingNode, noCertificate } from "./placement.ts";
import { type RolloutStep, rolloutStep } from "./rollout.ts";
import { bothMoving } from "./store-move.ts";
import { storeProblem } from "./stores.ts";

export const NO_CHILDREN: ChildrenPlan = { effects: [], conflict: null, held: null, hashes: new Map() };

export interface Plan {
  readonly problem: Rejected | null;
  readonly children: ChildrenPlan;
  readonly rollout: RolloutStep;
}

/** What is wrong with the spec or in the way, and what is to be rendered when nothing is. */
export function judge(pair: Pair, options: RenderOptions): Plan {
  const { observed } = pair;
  const none: RolloutStep = { kind: "none" };
  const { compiled } = observed;
  if (compiled.kind === "rejected") {
    return { problem: compiled.rejected[0] ?? null, children: NO_CHILDREN, rollout: none };
  }
  const { config } = compiled;
  const problem =
    missingNode(observed, config) ??
    noCertificate(observed) ??
    claimsUnread(observed) ??
    storeProblem(observed) ??
    bothMoving(pair) ??
    volumeElsewhere(observed, config);
  // What is being deleted is not made again, or restarted.
  if (problem !== null || observed.relationship.deleting)
    return { problem, children: NO_CHILDREN, rollout: none };
  const children = planChildren(pair, config, options);
  if (children.conflict !== null) return { problem: children.conflict, children, rollout: none };
  return { problem: null, children, rollout: rolloutStep(observed, children.hashes) };
}
