// Renders a member's StatefulSet: one replica, pinned to its node, on the host network, replaced only when the
// controller deletes the pod. Two single-replica sets, not one of two: each member has its own template, and a pod
// identity exists at most once. Nothing here may depend on state: same relationship, same bytes.

import type { CompiledMember, CompiledRelationship } from "../../api/compiled.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import { withDigest } from "../../kube/apply.ts";
import type { KubeObject } from "../../kube/resource.ts";
import {
  ANNOTATION_LINK,
  ANNOTATION_METRICS_ADDRESS,
  ANNOTATION_TEMPLATE_HASH,
  claimName,
  labels,
  linkSecretName,
  memberObjectName,
  memberSelector,
  type Owner,
  pairSelector,
} from "./names.ts";
import { dhcpPort, PRIORITY_CLASS_DEFAULT, type RenderOptions } from "./render-options.ts";

/** Where the member's store is mounted in its container. */
export const DATA_DIRECTORY = "/var/lib/leasepair";
export const ENGINE_CONTAINER = "engine";
export const ENGINE_UID = 10_001;
/** A volume is mounted above it: its root belongs to root, and fsGroup lets the engine make its own directory there. */
const CLAIM_DIRECTORY = "/var/lib";
export const DATA_VOLUME = "data";
/** Where the link's certificate is mounted. */
const LINK_DIRECTORY = "/etc/leasepair/link";
const LINK_VOLUME = "link";
/** SIGTERM announces PAUSED to the partner and flushes the store; this is ample for both. */
const TERMINATION_GRACE_SECONDS = 30;

type Json = Record<string, unknown>;

/** `apps/v1` StatefulSet without metadata.ownerReferences, which desired.ts adds to every object alike. */
export function renderStatefulSet(
  config: CompiledRelationship,
  member: CompiledMember,
  owner: Pick<Owner, "claim" | "linkSecretBase" | "stopped" | "storeUid">,
  options: RenderOptions,
): KubeObject {
  // The digest is the template's own annotation, and the set's besides, where the rollout looks for it.
  const { claim, storeUid } = owner;
  const parts = { ...linkOf(config, member, owner.linkSecretBase), claim, storeUid };
  const template = withDigest(podTemplate(config, member, parts, options), ANNOTATION_TEMPLATE_HASH);
  const hash = template.metadata.annotations?.[ANNOTATION_TEMPLATE_HASH] ?? "";
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: {
      name: memberObjectName(config.name, member.name),
      namespace: config.namespace,
      labels: labels(config.name, member.name),
      annotations: { [ANNOTATION_TEMPLATE_HASH]: hash },
    },
    spec: {
      replicas: owner.stopped === member.name ? 0 : 1,
      // The headless service is never needed on the host network, but the field is required to be stable.
      serviceName: memberObjectName(config.name, member.name),
      podManagementPolicy: "OrderedReady",
      updateStrategy: { type: "OnDelete" },
      revisionHistoryLimit: 3,
      selector: { matchLabels: memberSelector(config.name, member.name) },
      template,
    },
  };
}

/** How the member's end of the link is secured. */
interface LinkRendering {
  /** For the annotation: members of different kinds cannot meet. */
  readonly kind: string;
  /** Null: in clear. */
  readonly secretName: string | null;
}

/** What differs between the pods of one member. */
type PodParts = LinkRendering & Pick<Owner, "claim" | "storeUid">;

/** A dhcpd speaks in clear only. */
function linkOf(
  { members, name }: CompiledRelationship,
  member: CompiledMember,
  base: string | null,
): LinkRendering {
  if (members.some(({ external }) => external?.dialect === "ISC")) return { kind: "Clear", secretName: null };
  return { kind: base ?? name, secretName: linkSecretName(name, member.name, base) };
}

function podTemplate(
  config: CompiledRelationship,
  member: CompiledMember,
  parts: PodParts,
  options: RenderOptions,
): KubeObject {
  const { claim, kind, secretName } = parts;
  return {
    metadata: {
      labels: labels(config.name, member.name),
      annotations: {
        // Whoever looks into the pod means the server.
        "kubectl.kubernetes.io/default-container": ENGINE_CONTAINER,
        [ANNOTATION_LINK]: kind,
        // A pod's address in the API is its node's; the engine's metrics are on the member's.
        [ANNOTATION_METRICS_ADDRESS]: `${formatIpv4(member.address)}:${member.metricsPort}`,
      },
    },
    spec: {
      serviceAccountName: memberObjectName(config.name, member.name),
      hostNetwork: true,
      dnsPolicy: "ClusterFirstWithHostNet",
      ...priority(options),
      terminationGracePeriodSeconds: TERMINATION_GRACE_SECONDS,
      affinity: affinity(config, member),
      tolerations: tolerations(options),
      // The group may read the link's key, which is nobody else's, and write to the root of a claim's volume.
      securityContext: { seccompProfile: { type: "RuntimeDefault" }, fsGroup: ENGINE_UID },
      ...pullSecrets(options),
      ...(claim === null ? { initContainers: [ownershipContainer(options)] } : {}),
      containers: [engineContainer(config, member, parts, options)],
      volumes: [
        dataVolume(member, parts, options),
        ...(secretName === null ? [] : [{ name: LINK_VOLUME, secret: { secretName, defaultMode: 0o440 } }]),
      ],
    },
  };
}

function dataVolume(
  member: CompiledMember,
  { claim, storeUid }: PodParts,
  { dataRoot }: RenderOptions,
): Json {
  if (claim !== null)
    return { name: DATA_VOLUME, persistentVolumeClaim: { claimName: claimName(storeUid, member.name) } };
  const path = `${dataRoot}/${storeUid}/${member.name}`;
  return { name: DATA_VOLUME, hostPath: { path, type: "DirectoryOrCreate" } };
}

/** Pins by the node's name, through affinity, so that the scheduler still checks ports and the partner's place. */
function affinity(config: CompiledRelationship, member: CompiledMember): Json {
  return {
    nodeAffinity: onNode(member.nodeName),
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          labelSelector: { matchLabels: pairSelector(config.name) },
          topologyKey: "kubernetes.io/hostname",
        },
      ],
    },
  };
}

/** None where the name is empty: some clusters keep the default to their own namespaces. */
function priority({ priorityClassName = PRIORITY_CLASS_DEFAULT }: RenderOptions): Json {
  return priorityClassName === "" ? {} : { priorityClassName };
}

/** What a container may use: every one says so, for a quota of the namespace takes no pod of which one does not. */
export function resourcesOf({ resources }: RenderOptions): Json {
  return resources === undefined ? {} : { resources };
}

/** The fields of a pod that say with what its image may be pulled. */
export function pullSecrets({ imagePullSecrets }: RenderOptions): Json {
  return imagePullSecrets === undefined
    ? {}
    : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) };
}

/** The fields of a container that say which image it runs. */
export function imageOf({ image, imagePullPolicy }: RenderOptions): Json {
  return imagePullPolicy === undefined ? { image } : { image, imagePullPolicy };
}

/** nodeAffinity to the one node of this name. */
export function onNode(name: string): Json {
  const matchFields = [{ key: "metadata.name", operator: "In", values: [name] }];
  return { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] } };
}

/** Without a limit in time: moving elsewhere is impossible, so staying put is right. */
function tolerations({ tolerations: more = [] }: RenderOptions): readonly object[] {
  return [
    { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
    { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
    ...more,
  ];
}

/** Gives the host path, which the kubelet makes as root, to the engine's user. */
function ownershipContainer(options: RenderOptions): Json {
  return {
    name: "data-owner",
    ...imageOf(options),
    command: ["leasepair", "own", String(ENGINE_UID), DATA_DIRECTORY],
    ...resourcesOf(options),
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"], add: ["CHOWN"] },
    },
    volumeMounts: [{ name: DATA_VOLUME, mountPath: DATA_DIRECTORY }],
  };
}

function engineContainer(
  config: CompiledRelationship,
  member: CompiledMember,
  { claim, secretName, storeUid }: PodParts,
  options: RenderOptions,
): Json {
  const address = formatIpv4(member.address);
  const linkAddress = formatIpv4(member.linkAddress);
  const client = dhcpPort(options.engineArgs);
  const port = (name: string, hostIP: string, number: number, protocol: string): Json => ({
    name,
    containerPort: number,
    hostPort: number,
    hostIP,
    protocol,
  });
  return {
    name: ENGINE_CONTAINER,
    ...imageOf(options),
    // Why an engine ended shows in its pod: it says so in its last lines.
    terminationMessagePolicy: "FallbackToLogsOnError",
    command: ["leasepair"],
    args: [
      "engine",
      "--relationship",
      `${config.namespace}/${config.name}`,
      "--member",
      member.name,
      "--data-dir",
      DATA_DIRECTORY,
      ...(storeUid === config.uid ? [] : ["--adopt-store", storeUid]),
      ...(secretName === null ? [] : ["--link-certificates", LINK_DIRECTORY]),
      ...options.engineArgs,
    ],
    env: [
      { name: "POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
      { name: "POD_UID", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.uid" } } },
      { name: "NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } },
    ],
    ports: [
      port("dhcp", address, client, "UDP"),
      port("link", linkAddress, config.linkPort, "TCP"),
      port("metrics", address, member.metricsPort, "TCP"),
    ],
    securityContext: engineSecurity(member),
    ...probes(address, member.metricsPort),
    ...resourcesOf(options),
    volumeMounts: [
      { name: DATA_VOLUME, mountPath: claim === null ? DATA_DIRECTORY : CLAIM_DIRECTORY },
      ...(secretName === null ? [] : [{ name: LINK_VOLUME, mountPath: LINK_DIRECTORY, readOnly: true }]),
    ],
  };
}

/** NET_RAW only where local segments are served: frames to clients without an address need it, relays do not. */
function engineSecurity(member: CompiledMember): Json {
  return {
    runAsUser: ENGINE_UID,
    runAsGroup: ENGINE_UID,
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: {
      drop: ["ALL"],
      add: member.interfaces.length > 0 ? ["NET_BIND_SERVICE", "NET_RAW"] : ["NET_BIND_SERVICE"],
    },
  };
}

/** Liveness and startup look at the process alone; readiness asks whether it would answer a client. */
function probes(host: string, port: number): Json {
  const get = (path: string): Json => ({ path, port, host, scheme: "HTTP" });
  return {
    // A large store takes a while to read; only after it has been read does liveness count.
    startupProbe: { httpGet: get("/healthz"), periodSeconds: 1, failureThreshold: 120, timeoutSeconds: 2 },
    livenessProbe: { httpGet: get("/healthz"), periodSeconds: 5, failureThreshold: 6, timeoutSeconds: 2 },
    readinessProbe: { httpGet: get("/readyz"), periodSeconds: 2, failureThreshold: 2, timeoutSeconds: 2 },
  };
}
