// The pod that removes a member's store from its node, once its relationship is deleted and was not to retain it. It sees that
// one directory, runs as the engine's user without any capability, and waits for nobody: the store's lock keeps it from a
// store that is in use.

import { API_GROUP } from "../../api/kind.ts";
import type { KubeObject } from "../../kube/resource.ts";
import { LABEL_FORGETS, type RemovedStore, removalPodName } from "./names.ts";
import type { RenderOptions } from "./render-options.ts";
import { DATA_DIRECTORY, ENGINE_UID, imageOf, onNode, pullSecrets, resourcesOf } from "./stateful-set.ts";

const VOLUME = "data";
export const REMOVAL_CONTAINER = "forget";

/** `v1` Pod, owned by the FailoverMember that waits for it. */
export function renderRemovalPod(store: RemovedStore, options: RenderOptions): KubeObject {
  const { member, memberObject, namespace, node, relationship, storeUid } = store;
  const { apiVersion, name, uid } = memberObject;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: removalPodName(relationship, member),
      namespace,
      // Not the relationship's label: that selects the pair's own pods.
      labels: {
        "app.kubernetes.io/name": "leasepair",
        "app.kubernetes.io/component": "store-removal",
        "app.kubernetes.io/part-of": "leasepair",
        "app.kubernetes.io/managed-by": "leasepair-controller",
        [LABEL_FORGETS]: relationship,
      },
      ownerReferences: [
        { apiVersion: apiVersion ?? API_GROUP, kind: "FailoverMember", name, uid, controller: true },
      ],
    },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      affinity: { nodeAffinity: onNode(node) },
      tolerations: [{ operator: "Exists" }],
      securityContext: { seccompProfile: { type: "RuntimeDefault" } },
      ...pullSecrets(options),
      containers: [
        {
          name: REMOVAL_CONTAINER,
          ...imageOf(options),
          terminationMessagePolicy: "FallbackToLogsOnError",
          command: ["leasepair"],
          ...resourcesOf(options),
          args: ["store", "forget", "--data-dir", DATA_DIRECTORY, "--member", member, "--uid", storeUid],
          securityContext: {
            runAsUser: ENGINE_UID,
            runAsGroup: ENGINE_UID,
            runAsNonRoot: true,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          volumeMounts: [{ name: VOLUME, mountPath: DATA_DIRECTORY }],
        },
      ],
      volumes: [
        {
          name: VOLUME,
          hostPath: { path: `${options.dataRoot}/${storeUid}/${member}`, type: "DirectoryOrCreate" },
        },
      ],
    },
  };
}
