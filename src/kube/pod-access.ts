// How a pod reaches the API: by the service account that Kubernetes mounts into it. The client library knows that as well,
// but loading it costs every engine 45 MiB, which is needed for kubeconfig files alone.
// Source: Kubernetes documentation, "Accessing the Kubernetes API from a Pod".

import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { isIPv6 } from "node:net";

/** What a connection needs to know; a KubeConfig of the client library is one. */
export interface KubeAccess {
  getCurrentCluster(): { readonly server: string; readonly proxyUrl?: string | undefined } | null;
  /** Adds certificates and headers as they are now. Throws when a file it needs cannot be read. */
  applyToHTTPSOptions(options: RequestOptions & { headers?: Record<string, string> }): Promise<void>;
}

/** Called at first use and again after the API refused our credentials. */
export type LoadAccess = () => KubeAccess | Promise<KubeAccess>;

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Null outside of a pod. Token and CA are read before every request: the kubelet renews the token under us. */
export function podAccess(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  directory = SERVICE_ACCOUNT,
): KubeAccess | null {
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  const tokenFile = `${directory}/token`;
  if (host === undefined || port === undefined || !isReadable(tokenFile)) return null;
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return {
    getCurrentCluster: () => ({ server }),
    async applyToHTTPSOptions(options) {
      options.ca = readFileSync(`${directory}/ca.crt`);
      const token = readFileSync(tokenFile, "utf8").trim();
      options.headers ??= {};
      options.headers["Authorization"] = `Bearer ${token}`;
    },
  };
}

function isReadable(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
