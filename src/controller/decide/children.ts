// Which rendered objects have to be written: those that are missing or are no longer what we rendered. Objects that
// somebody else controls are never taken over; a relationship of the same name deleted a moment ago may still own some.

import type { CompiledRelationship } from "../../api/compiled.ts";
import { isInForce, withDigest } from "../../kube/apply.ts";
import type { KubeObject } from "../../kube/resource.ts";
import { type DesiredObject, renderMember, renderPair } from "../desired/desired.ts";
import {
  ANNOTATION_LINK,
  ANNOTATION_RENDERED,
  ANNOTATION_TEMPLATE_HASH,
  linkSecretName,
  memberObjectName,
} from "../desired/names.ts";
import type { RenderOptions } from "../desired/render-options.ts";
import { type Effect, PRUNED_KINDS } from "../effect.ts";
import { map } from "../json.ts";
import { childKey, type Observed, type ObservedChild, type Rejected } from "../observed.ts";
import { restsOnPartnerOf } from "./basis.ts";
import { type LinkProblem, linkProblem } from "./link.ts";
import type { Pair } from "./pair.ts";
import { waitingMoves } from "./store-move.ts";
import { storeUidOf } from "./stores.ts";

export interface ChildrenPlan {
  /** In the order in which they must be made. */
  readonly effects: readonly Effect[];
  /** An object stands in the way, or null. */
  readonly conflict: Rejected | null;
  /** Why StatefulSets stay as they are, or are not made yet; null: they need not. */
  readonly held: { readonly reason: string; readonly message: string } | null;
  /** Template digests by member, once every StatefulSet is written and has been taken in by its controller. */
  readonly hashes: ReadonlyMap<string, string>;
}

export function planChildren(pair: Pair, config: CompiledRelationship, options: RenderOptions): ChildrenPlan {
  const { observed } = pair;
  const stopped = observed.stopped?.member ?? null;
  const storeUid = storeUidOf(observed) ?? observed.relationship.uid;
  const owner = { ...observed.relationship, kind: "FailoverRelationship", stopped, storeUid };
  const desired = [
    ...renderPair(config, owner),
    ...config.members.flatMap((member) =>
      member.external === null ? renderMember(config, member, owner, options) : [],
    ),
  ];
  const conflict = foreignObject(observed, desired);
  if (conflict !== null) return { effects: [], conflict, held: null, hashes: new Map() };
  const { link } = observed;
  // Of its own the controller makes them in the same look.
  const problem = link.kind === "read" && link.view.source === "brought" ? linkProblem(observed) : null;
  const waiting = waitingMoves(pair, desired);
  let held: ChildrenPlan["held"] = null;
  const effects: Effect[] = [];
  const hashes = new Map<string, string>();
  for (const rendered of desired) {
    const child = observed.children.get(childKey(rendered.kind, rendered.name));
    const object = observed.relationship.paused ? withWrittenTemplate(rendered, child) : rendered;
    if (problem !== null && isHeld(problem, object, child)) {
      const { reason, message } = problem;
      held = { reason, message: `No pod is made or changed before this is mended: ${message}` };
    } else if (
      child !== undefined &&
      object.kind === "StatefulSet" &&
      waiting.includes(object.member ?? "")
    ) {
      held ??= moveHeld(object.member ?? "");
      // What stands there goes on being rolled out.
      const written = child.object.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH];
      if (written !== undefined && isTakenIn(child.object)) hashes.set(object.member ?? "", written);
    } else if (child === undefined) {
      effects.push({ kind: "apply", object, resourceVersion: null, verify: [] });
    } else if (!child.deleting && !isKept(object.body, child)) {
      const verify =
        object.kind === "StatefulSet" && object.member !== null && object.member === stopped
          ? restsOnPartnerOf(observed, object.member)
          : [];
      effects.push({ kind: "apply", object, resourceVersion: child.resourceVersion, verify });
    } else if (object.kind === "StatefulSet" && object.member !== null && isTakenIn(child.object)) {
      const hash = rendered.body.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH];
      if (hash !== undefined) hashes.set(object.member, hash);
    }
  }
  // With one set taken in and the other not yet, the wrong member would look like the only one that is due.
  const sets = desired.filter(({ kind }) => kind === "StatefulSet");
  const judged = hashes.size === sets.length ? hashes : new Map<string, string>();
  return { effects: [...effects, ...pruned(observed)], conflict: null, held, hashes: judged };
}

/** As rendered, or as near to it as the cluster's admission policies let it be: to write it again would change nothing, and a rollout
 *  that waits for it would wait for ever. */
function isKept(body: KubeObject, { alteredRendering, object }: ObservedChild): boolean {
  return isInForce(body, object) || alteredRendering === body.metadata.annotations?.[ANNOTATION_RENDERED];
}

/** The reason while the store of one member waits with its move for the other. */
export const MOVE_WAITS = "WaitingForNormal";

function moveHeld(member: string): ChildrenPlan["held"] {
  const message =
    `The lease store of ${member} changes its place once both members are NORMAL and ready, one after the other: ` +
    "its next pod begins an empty one, and its partner must have all leases by then.";
  return { reason: MOVE_WAITS, message };
}

/** `rendered` with the template of the StatefulSet that stands there: while rollouts are paused, a pod that is evicted or deleted
 *  comes back as it was. */
function withWrittenTemplate(rendered: DesiredObject, child: ObservedChild | undefined): DesiredObject {
  const { body, kind } = rendered;
  const hash = child?.object.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH];
  if (kind !== "StatefulSet" || child === undefined || hash === undefined) return rendered;
  // What somebody else changed in it is set right.
  if (hash === body.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH]) return rendered;
  const annotations = { ...body.metadata.annotations, [ANNOTATION_TEMPLATE_HASH]: hash };
  const spec = { ...map(body["spec"]), template: map(child.object["spec"])["template"] };
  const written = { ...body, metadata: { ...body.metadata, annotations }, spec };
  return { ...rendered, body: withDigest(written, ANNOTATION_RENDERED) };
}

/** A pod without its certificate does not start, and one with a useless one meets nobody: what runs is left alone, and comes
 *  back as it was. A pod that has such a certificate already loses nothing by its next template. */
function isHeld(
  { reason }: LinkProblem,
  { body, kind }: DesiredObject,
  child: ObservedChild | undefined,
): boolean {
  if (kind !== "StatefulSet") return false;
  return reason === "CertificateMissing" || linkKindOf(body) !== linkKindOf(child?.object);
}

function linkKindOf(set: KubeObject | undefined): unknown {
  const { metadata } = map(map(map(set?.["spec"])["template"]));
  return map(map(metadata)["annotations"])[ANNOTATION_LINK];
}

/** What is left of members that run elsewhere now: all but their stores, which stay on their nodes. */
function pruned({ children, members, relationship }: Observed): readonly Effect[] {
  const { namespace, name: pair, uid: owner } = relationship;
  return members.flatMap(({ isExternal, name: member }): Effect[] => {
    const name = memberObjectName(pair, member);
    const isOurs = (kind: string) => children.get(childKey(kind, name))?.ownerUid === owner;
    if (!isExternal || !PRUNED_KINDS.some(isOurs)) return [];
    return PRUNED_KINDS.flatMap((of): Effect[] => {
      // Secrets are not watched.
      if (of === "Secret")
        return [
          { kind: "prune", of, namespace, name: linkSecretName(pair, member, null), owner, found: null },
        ];
      const child = children.get(childKey(of, name));
      if (child === undefined || !isOurs(of) || child.deleting) return [];
      const found = { uid: child.object.metadata.uid ?? "", resourceVersion: child.resourceVersion };
      return [{ kind: "prune", of, namespace, name, owner, found }];
    });
  });
}

/** The StatefulSet's controller has seen the present template: a pod deleted before would come back as it was. */
function isTakenIn(object: {
  readonly metadata: { generation?: number };
  readonly [field: string]: unknown;
}): boolean {
  const status = object["status"];
  const seen =
    typeof status === "object" && status !== null
      ? (status as Record<string, unknown>)["observedGeneration"]
      : undefined;
  return (
    seen === undefined || object.metadata.generation === undefined || seen === object.metadata.generation
  );
}

function foreignObject(observed: Observed, desired: readonly DesiredObject[]): Rejected | null {
  const { namespace, name, uid } = observed.relationship;
  for (const object of desired) {
    const child = observed.children.get(childKey(object.kind, object.name));
    if (child === undefined || child.ownerUid === uid) continue;
    // Rendered by us and owned by nobody: an owner reference that was removed is drift like any other.
    if (child.ownerUid === null && child.object.metadata.annotations?.[ANNOTATION_RENDERED] !== undefined)
      continue;
    const message =
      `${object.kind} ${object.name} exists and does not belong to this relationship. If it is left over from a ` +
      "deleted relationship of this name, it goes by itself; otherwise delete it, or name the relationship differently.";
    return {
      kind: "FailoverRelationship",
      namespace,
      name,
      reason: "ObjectConflict",
      field: "metadata.name",
      message,
    };
  }
  return null;
}
