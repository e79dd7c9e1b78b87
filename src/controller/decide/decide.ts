// The controller's whole judgement on one relationship: what is observed in, effects out. Pure; the same Observed always
// gives the same Decision, and at the fixpoint there are no effects. The chain, first match decides the write:
// the witness's upkeep, a human's grant, an automatic one; otherwise children, a rollout step, and the
// statuses of all concerned.
// Never: two grants of one word, a grant over a holder, both members restarted at once, an object of somebody else.

import type { KubeObject } from "../../kube/resource.ts";
import type { RenderOptions } from "../desired/render-options.ts";
import type { Effect, StatusTarget } from "../effect.ts";
import { mergePatchOf } from "../merge-patch.ts";
import type { Observed, ObservedMember } from "../observed.ts";
import { asWritten } from "../unkept.ts";
import { automaticStep } from "./automatic.ts";
import { reportsOf } from "./basis.ts";
import { carriersVerdict } from "./carriers.ts";
import { type ChildrenPlan, MOVE_WAITS } from "./children.ts";
import { clocksVerdict } from "./clocks.ts";
import { conditionsOf, type Verdict } from "./condition.ts";
import { missingDefinition, outdatedDefinition } from "./definitions.ts";
import { heldDeletion } from "./deletion.ts";
import { contestEvent, restartEvent, statusEvents, witnessEvent } from "./events.ts";
import { linkSteps, linkVerdict, renewals } from "./link.ts";
import { nextLook, unexplained, watchedNodes } from "./next-look.ts";
import { operationSteps } from "./operation.ts";
import type { OperationStep } from "./operation-outcome.ts";
import { bothNormal, type Pair, pairOf } from "./pair.ts";
import { judge, type Plan } from "./plan.ts";
import { pairRefusal } from "./pod-refusal.ts";
import { RESTING, type RolloutStep } from "./rollout.ts";
import { startsAgain } from "./start-again.ts";
import { acceptedRevision, relationshipStatus } from "./status.ts";
import {
  copyEffects,
  mayWaitForCopy,
  storeEffects,
  storeProblem,
  storesListedBefore,
  storeUidOf,
} from "./stores.ts";
import { operationEffects, STATUSES_PER_LOOK, scopeEffects, tidyEffects } from "./tell.ts";
import {
  acceptedVerdict,
  availableVerdict,
  configVerdict,
  partnerDownVerdict,
  readyVerdict,
  reconcilingVerdict,
  stalledVerdict,
  witnessVerdict,
} from "./verdicts.ts";
import { readWitness, type Witness, type WitnessChange, witnessUpkeep } from "./witness.ts";

export interface Decision {
  /** Which link of the chain decided; for logs. */
  readonly step: "witness" | "grant" | "automatic-grant" | "reconcile" | "steady";
  /** To be performed in this order; the first failure ends it. */
  readonly effects: readonly Effect[];
  /** When to look again though nothing happened; null: only an event matters. */
  readonly requeueAfterSeconds: number | null;
  /** Nodes whose Leases are to be read before the next look. */
  readonly watchedNodes: readonly string[];
  /** Objects of which it is to be read before the next look why they lack what they should have. */
  readonly unexplained: readonly KubeObject[];
  /** Where the pair stands in a rollout: other pairs wait while one is under way. */
  readonly rollout: "idle" | "under-way" | "settled";
}

/** Until the next look when this one could not do everything. Never 0: it may be that the next finds the same again. */
const MORE_DUE_SECONDS = 1;

export function decide(observed: Observed, options: RenderOptions): Decision {
  const witness = readWitness(observed.relationship.status);
  const before = storeProblem(observed) === null ? storesListedBefore(observed) : null;
  const upkeep = witnessUpkeep(witness, observed.members, before);
  if (upkeep !== null) return writeWitness(observed, upkeep, "witness", options);
  const operations =
    witness === null
      ? []
      : operationSteps(observed, witness, () => judge(pairOf(observed, witness), options));
  const granted = operations.find((step) => step.kind === "grant");
  if (granted !== undefined) return writeWitness(observed, granted.change, "grant", options);
  const automatic = automaticStep(observed, witness);
  if (automatic.kind === "grant") {
    return writeWitness(observed, automatic.change, automatic.isWord ? "grant" : "automatic-grant", options);
  }
  const pair = pairOf(undone(observed, operations), witness);
  const decision = reconcile(pair, operations, options);
  if (observed.contest === "none") return decision;
  // Grants are made by either: each rests on the version that it read. Two that write the rest would never end.
  const effects = observed.contest === "begins" ? [contestEvent(pair)] : [];
  return { ...decision, step: "steady", effects, rollout: "idle" };
}

/** What an operation has stopped is started again by the look that ends it, or is not stopped any more. */
function undone(observed: Observed, steps: readonly OperationStep[]): Observed {
  const isOver = steps.some(
    (step) =>
      step.kind === "report" &&
      step.operation.name === observed.stopped?.operation &&
      (step.outcome.phase === "Failed" || step.outcome.phase === "Complete"),
  );
  return isOver ? { ...observed, stopped: null } : observed;
}

/** A change of the witness goes alone and first: nothing else may keep it from being written. */
function writeWitness(
  observed: Observed,
  change: WitnessChange,
  step: "witness" | "grant" | "automatic-grant",
  options: RenderOptions,
): Decision {
  const pair = pairOf(observed, change.witness, change);
  const plan = judge(pair, options);
  const status = statusEffects(pair, plan, options, change);
  // Our own write comes back as an event; the pause is only for an event that gets lost.
  const effects = [...status, witnessEvent(pair, change)];
  return { step, effects, requeueAfterSeconds: 5, watchedNodes: [], unexplained: [], rollout: "idle" };
}

function reconcile(pair: Pair, operations: readonly OperationStep[], options: RenderOptions): Decision {
  const { observed } = pair;
  const plan = judge(pair, options);
  // The certificates before the pods that mount them.
  const link = linkEffects(pair, plan);
  const listed = pair.witness?.stores ?? {};
  const stores = observed.relationship.deleting ? [] : storeEffects(observed, listed, plan.problem);
  const copy = copyEffects(observed, stores);
  const [awaited, late] = mayWaitForCopy(observed) ? [copy, []] : [[], copy];
  const children = withCertificates(plan.children.effects, link);
  const work: Effect[] = [...startsAgain(observed, children), ...stores, ...awaited, ...link, ...children];
  const { rollout } = plan;
  if (rollout.kind === "restart" && work.length === 0) {
    const { pod, verify } = rollout;
    const { name, uid, resourceVersion } = pod;
    const { namespace } = observed.relationship;
    work.push({ kind: "delete-pod", namespace, name, uid, resourceVersion, verify });
    work.push(restartEvent(pair, rollout.message));
  }
  const scopes = scopeEffects(pair);
  const told = [...operationEffects(pair, operations), ...scopes.slice(0, STATUSES_PER_LOOK)];
  const tidied = [...tidyEffects({ ...observed, namespace: observed.relationship.namespace }), ...late];
  const status = statusEffects(pair, plan, options, null);
  // After a failure the status goes first: otherwise what fails again would hide why.
  const effects =
    observed.lastFailure === null
      ? [...work, ...told, ...status, ...tidied]
      : [...status, ...told, ...work, ...tidied];
  // Secrets are not watched, and statuses are told a part at a time. What was written of watched objects comes back as an event at
  // once; the pause is what bounds the looks when a write changes nothing that can be seen.
  const isMoreDue = link.length + stores.length > 0 || scopes.length > STATUSES_PER_LOOK;
  return {
    step: effects.length === 0 ? "steady" : "reconcile",
    effects,
    requeueAfterSeconds: isMoreDue ? MORE_DUE_SECONDS : nextLook(pair, plan, operations),
    watchedNodes: watchedNodes(pair),
    unexplained: unexplained(observed),
    rollout: rolloutState(pair, plan),
  };
}

function linkEffects({ observed }: Pair, { problem }: Plan): readonly Effect[] {
  const { link, relationship } = observed;
  if (link.kind !== "read") return [];
  const { deleting, namespace, name } = relationship;
  const steps =
    problem === null && !deleting ? linkSteps(observed) : renewals(linkSteps(observed), link.view);
  return steps.map((step) => ({ kind: "link", namespace, name, step, basis: link.view }));
}

/** Before there is an authority nobody has a certificate to mount, and the kubelet tries a pod without again ever later: new
 *  pods wait for the next look, which is at once and makes the certificates first. */
function withCertificates(children: readonly Effect[], link: readonly Effect[]): readonly Effect[] {
  if (!link.some((effect) => effect.kind === "link" && effect.step.kind === "create-authority"))
    return children;
  return children.filter(
    (effect) =>
      effect.kind !== "apply" || effect.object.kind !== "StatefulSet" || effect.resourceVersion !== null,
  );
}

/** Under way from the first restart until both members are NORMAL again on the new template, or rest half way. */
function rolloutState(pair: Pair, { children, rollout }: Plan): Decision["rollout"] {
  const rests = rollout.kind === "none" || (rollout.kind === "wait" && RESTING.includes(rollout.reason));
  if (rests) return bothNormal(pair) ? "settled" : "idle";
  if (rollout.kind === "restart") return "under-way";
  const isHalfWay = pair.members.some(({ name, member }) => {
    const hash = children.hashes.get(name);
    return isReplaced(member) || (hash !== undefined && member.pod?.templateHash === hash);
  });
  return isHalfWay ? "under-way" : "idle";
}

/** Its pod goes, or comes, on a node that works: an earlier leader may have restarted it just now. */
function isReplaced({ isExternal, node, pod, podRefusal }: ObservedMember): boolean {
  if (isExternal || node?.ready !== "True" || podRefusal !== null) return false;
  return pod === null || pod.deleting;
}

function statusEffects(
  pair: Pair,
  plan: Plan,
  options: RenderOptions,
  change: WitnessChange | null,
): readonly Effect[] {
  const { relationship } = pair.observed;
  const verdicts = verdictsOf(pair, plan);
  const { generation, status } = relationship;
  const conditions = conditionsOf(verdicts, status["conditions"], generation, pair.now);
  const storeUid = storeUidOf(pair.observed) ?? relationship.uid;
  const onNodes = relationship.claim === null ? { storagePath: `${options.dataRoot}/${storeUid}` } : {};
  const place = { ...onNodes, storeUid };
  const after = relationshipStatus(pair, { witness: pair.witness, conditions, place });
  const patch = mergePatchOf(asWritten(relationship), after);
  if (patch === null) return [];
  const verify = reportsOf(pair.observed, change?.restsOn ?? []);
  const target: StatusTarget = {
    kind: "FailoverRelationship",
    namespace: relationship.namespace,
    name: relationship.name,
  };
  const { resourceVersion } = relationship;
  return [{ kind: "write-status", target, resourceVersion, patch, verify }, ...statusEvents(pair, after)];
}

function verdictsOf(pair: Pair, { children, problem, rollout }: Plan): readonly Verdict[] {
  const deletion = heldDeletion(pair.observed.relationship);
  const stalled = deletion ?? problem ?? missingDefinition(pair.observed) ?? pairRefusal(pair);
  const optional = [
    reconcilingVerdict(stalled === null ? workOf(pair, children, rollout) : null),
    stalledVerdict(stalled),
  ];
  return [
    readyVerdict(pair, problem, children.held?.reason === MOVE_WAITS ? children.held : deletion),
    availableVerdict(pair),
    partnerDownVerdict(pair),
    configVerdict(pair, acceptedRevision(pair)),
    witnessVerdict(pair),
    linkVerdict(pair),
    clocksVerdict(pair),
    carriersVerdict(pair),
    acceptedVerdict(problem),
    ...optional.filter((verdict) => verdict !== null),
  ];
}

function fencingSwitchHeld({ observed, members, witness }: Pair): string {
  if (observed.fencing.fencing === "Witness")
    return `Fencing is switched off once ${witness?.holder} has given back the grant that it holds.`;
  const capped = members.filter(({ report }) => report?.fencing === "Witness").map(({ name }) => name);
  return (
    `Fencing is switched on once ${capped.join(" and ")} has reported that it was off: the last report is from before. ` +
    "Bring the member up, with its way to the Kubernetes API."
  );
}

/** What is under way, for Reconciling; null when all is quiet. */
function workOf(
  pair: Pair,
  { held }: ChildrenPlan,
  rollout: RolloutStep,
): { reason: string; message: string } | null {
  const { lastFailure } = pair.observed;
  if (lastFailure !== null) return { reason: "ApplyFailed", message: lastFailure };
  if (pair.observed.fencing.isSwitchHeld) {
    return { reason: "FencingSwitchHeld", message: fencingSwitchHeld(pair) };
  }
  const outdated = outdatedDefinition(pair.observed);
  if (outdated !== null) return outdated;
  if (rollout.kind === "wait") return { reason: rollout.reason, message: rollout.message };
  if (rollout.kind === "restart") return { reason: "RollingMember", message: rollout.message };
  if (held !== null) return held;
  const waiting = pair.members.filter(({ life }) => life.kind === "unknown" && life.why === "NeverReported");
  if (waiting.length === 0) return null;
  const names = waiting.map(({ name }) => name).join(" and ");
  return { reason: "StartingMembers", message: `Waiting for the first report of ${names}.` };
}

/** The witness as the status has it; for those who only want to look. */
export function witnessOf(observed: Observed): Witness | null {
  return readWitness(observed.relationship.status);
}
