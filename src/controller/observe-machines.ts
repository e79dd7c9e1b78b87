// What the cluster says of the machines and of what runs on them: pods and nodes as plain data.

import { type Ipv4, parseIpv4 } from "../base/ipv4.ts";
import { parseTime } from "../base/time.ts";
import { type UnixSeconds, unixSeconds } from "../base/units.ts";
import type { KubeObject } from "../kube/resource.ts";
import { ANNOTATION_LINK, ANNOTATION_TEMPLATE_HASH } from "./desired/names.ts";
import { ENGINE_CONTAINER } from "./desired/stateful-set.ts";
import { type Json, map, maps, text } from "./json.ts";
import type { ObservedNode, ObservedPod } from "./observed.ts";
import { storePlace } from "./store-place.ts";

const CONTROL_PLANE_LABELS = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
const OUT_OF_SERVICE_TAINT = "node.kubernetes.io/out-of-service";

export function observedPod(pod: KubeObject, account: KubeObject | undefined): ObservedPod {
  const status = map(pod["status"]);
  const engine = maps(status["containerStatuses"]).find(({ name }) => name === ENGINE_CONTAINER);
  const ready = readyCondition(status);
  return {
    name: pod.metadata.name ?? "",
    uid: pod.metadata.uid ?? "",
    resourceVersion: pod.metadata.resourceVersion ?? "",
    deleting: pod.metadata.deletionTimestamp !== undefined,
    nodeName: text(map(pod["spec"])["nodeName"]),
    running: map(engine?.["state"])["running"] !== undefined,
    failure: failureOf(engine ?? {}) ?? unscheduled(status),
    ready: ready?.["status"] === "True",
    readySince: parseTime(ready?.["lastTransitionTime"]) ?? unixSeconds(0),
    templateHash: pod.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH] ?? "",
    isAccountReplaced: createdAt(account) > createdAt(pod),
    linkKind: pod.metadata.annotations?.[ANNOTATION_LINK] ?? "",
    storePlace: storePlace(map(pod["spec"])),
  };
}

function createdAt(object: KubeObject | undefined): UnixSeconds {
  return parseTime(object?.metadata.creationTimestamp) ?? unixSeconds(0);
}

/** What the engine writes last when it gives up, in the container's termination message (its log, see stateful-set.ts). */
const LAST_WORDS = /^leasepair engine: (.+)$/m;
/** A container that is on its way. */
const WAITING_IN_ORDER = ["ContainerCreating", "PodInitializing", "CrashLoopBackOff"];
const FAILURE_LENGTH_MAX = 400;

function failureOf(engine: Json): string | null {
  const { running, terminated, waiting } = map(engine["state"]);
  if (running !== undefined) return null;
  const ended = map(terminated ?? map(engine["lastState"])["terminated"]);
  const said = LAST_WORDS.exec(text(ended["message"]))?.[1];
  if (said !== undefined) return said.slice(0, FAILURE_LENGTH_MAX);
  const { reason, message } = map(waiting);
  if (reason !== undefined && !WAITING_IN_ORDER.includes(text(reason))) {
    return [text(reason), text(message)].filter(Boolean).join(": ").slice(0, FAILURE_LENGTH_MAX);
  }
  const isFailed = ended["exitCode"] !== undefined && ended["exitCode"] !== 0;
  return isFailed ? `${text(ended["reason"])}, exit code ${ended["exitCode"]}` : null;
}

/** Why no node takes the pod, in the scheduler's words. */
function unscheduled(status: Json): string | null {
  const scheduled = maps(status["conditions"]).find(({ type }) => type === "PodScheduled");
  if (scheduled?.["status"] !== "False") return null;
  const { reason, message } = scheduled;
  return [text(reason), text(message)].filter(Boolean).join(": ").slice(0, FAILURE_LENGTH_MAX);
}

/** `leaseRenewedAt`: see ObservedNode. */
export function observedNode(node: KubeObject, leaseRenewedAt: UnixSeconds | null): ObservedNode {
  const { name = "", labels = {} } = node.metadata;
  const ready = readyCondition(map(node["status"]));
  const status = ready?.["status"];
  return {
    name,
    // A node that says nothing of itself is a new one; nobody is silent before having spoken.
    ready: status === "False" || status === "Unknown" ? status : "True",
    readySince: parseTime(ready?.["lastTransitionTime"]) ?? unixSeconds(0),
    isControlPlane: CONTROL_PLANE_LABELS.some((label) => labels[label] !== undefined),
    isCordoned: map(node["spec"])["unschedulable"] === true,
    leaseRenewedAt,
    isOutOfService: maps(map(node["spec"])["taints"]).some(({ key }) => key === OUT_OF_SERVICE_TAINT),
  };
}

/** Everything of a node that is read here or decides whether a volume can be used there, as a text: heartbeats, images and what is
 *  mounted are not in it. */
export function nodeText(node: KubeObject): string {
  const { labels, uid } = node.metadata;
  return JSON.stringify([uid, labels, observedNode(node, null), nodeAddresses(node)]);
}

/** The node's InternalIPs, of IPv4. */
export function nodeAddresses(node: KubeObject): readonly Ipv4[] {
  return maps(map(node["status"])["addresses"])
    .filter(({ type }) => type === "InternalIP")
    .flatMap((entry) => parseIpv4(text(entry["address"])) ?? []);
}

function readyCondition(status: Json): Json | undefined {
  return maps(status["conditions"]).find(({ type }) => type === "Ready");
}
