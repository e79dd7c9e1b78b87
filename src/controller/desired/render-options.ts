// What the operator's installation decides about engine pods. None of it stands in a relationship, because whoever
// may create one must not thereby choose images or host paths.

export interface RenderOptions {
  /** The engine's image; the same as the controller's unless told otherwise. */
  readonly image: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  readonly imagePullSecrets?: readonly string[];
  /** Appended to `leasepair engine ...`, for example `--dhcp-port 1067` or `--kubeconfig FILE`. */
  readonly engineArgs: readonly string[];
  /** Directory on the nodes under which each member keeps its store: DATA_ROOT/RELATIONSHIP_UID/MEMBER. */
  readonly dataRoot: string;
  readonly priorityClassName?: string;
  readonly resources?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** For tainted nodes, besides those that every engine has. */
  readonly tolerations?: readonly Toleration[];
}

/** As in a pod. */
export interface Toleration {
  readonly key?: string;
  readonly operator?: "Exists" | "Equal";
  readonly value?: string;
  readonly effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  readonly tolerationSeconds?: number;
}

export const PRIORITY_CLASS_DEFAULT = "system-node-critical";
const DHCP_SERVER_PORT = 67;

/** The UDP port the engine answers on: 67 unless `--dhcp-port` is among the engine's arguments. */
export function dhcpPort(engineArgs: readonly string[]): number {
  for (const [index, argument] of engineArgs.entries()) {
    const text = argument.startsWith("--dhcp-port=")
      ? argument.slice("--dhcp-port=".length)
      : argument === "--dhcp-port"
        ? (engineArgs[index + 1] ?? "")
        : "";
    const port = Number(text);
    if (text !== "" && Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  }
  return DHCP_SERVER_PORT;
}
