// A small Kubernetes API over HTTPS for exactly what this project's code uses, with switches to break it. It makes
// the demo and the tests run without a cluster; it is no second Kubernetes, is not shipped, keeps nothing on disk and
// checks no permissions.

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { KubeObject } from "../../src/kube/resource.ts";
import { ApiObjects } from "./api-objects.ts";
import { makeCertificate } from "./certificate.ts";
import { Faults, isWrite, type RequestRecord } from "./faults.ts";
import { loadKinds, type ServedKind } from "./kinds.ts";
import { ObjectStore } from "./object-store.ts";
import { RequestHandler } from "./request-handler.ts";
import { Validator } from "./validation.ts";
import { WatchHub } from "./watch-hub.ts";

export interface EmbeddedApiOptions {
  /** Address to listen on, 127.0.0.1 when left out; the certificate is for this address. */
  readonly host?: string;
  readonly port?: number;
  /** Where the CRDs are; null serves built-in kinds alone. Left out: crds/ of this checkout. */
  readonly crdDirectory?: string | null;
  /** Made at the start beside `default` and `kube-system`. */
  readonly namespaces?: readonly string[];
  readonly bookmarkMs?: number;
}

/** A kubeconfig as an object; written as JSON, which is YAML. */
export type KubeConfigObject = Readonly<Record<string, unknown>>;

export interface EmbeddedApi {
  readonly url: string;
  /** For the user `admin`. */
  readonly kubeConfig: KubeConfigObject;
  /** For any user; the name appears in the request log and in faults. */
  kubeConfigFor(user: string): KubeConfigObject;
  writeKubeConfig(path: string, user?: string): void;
  readonly faults: Faults;
  /** Every request so far, oldest first. */
  readonly requests: readonly RequestRecord[];
  /** The requests that could change something, from `since` (an index into `requests`) on. */
  writes(since?: number): readonly RequestRecord[];
  /** Direct access, past HTTP and faults: for the node agent, and for tests to arrange and to look. */
  readonly objects: ApiObjects;
  readonly kinds: readonly ServedKind[];
  kind(plural: string, group?: string): ServedKind;
  stop(): Promise<void>;
}

const CRD_DIRECTORY = fileURLToPath(new URL("../../crds/", import.meta.url));
const BOOKMARK_MS = 5_000;

/** Starts listening; everything it holds is gone after `stop`. */
export async function startEmbeddedApi(options: EmbeddedApiOptions = {}): Promise<EmbeddedApi> {
  const host = options.host ?? "127.0.0.1";
  const kinds = loadKinds(options.crdDirectory === undefined ? CRD_DIRECTORY : options.crdDirectory);
  const store = new ObjectStore();
  const objects = new ApiObjects(store, new Validator());
  const watches = new WatchHub(store, options.bookmarkMs ?? BOOKMARK_MS);
  const certificate = await makeCertificate(host);
  const requests: RequestRecord[] = [];
  const server = createServer({ cert: certificate.certificate, key: certificate.key });
  let port = options.port ?? 0;
  const listen = async () => {
    server.listen(port, host);
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const faults = new Faults({
    cutWatches: (resource) => watches.cut(resource),
    holdWatches: (hold) => watches.hold(hold),
    expireHistory: () => store.compact(),
    goDown: () => close(server),
    comeUp: listen,
  });
  const handler = new RequestHandler({ kinds, objects, watches, faults, requests });
  server.on("request", (request, response) => void handler.handle(request, response));
  const kind = (plural: string, group?: string): ServedKind => {
    const found = kinds.find((one) => one.plural === plural && (group ?? one.group) === one.group);
    if (found === undefined) throw new Error(`the embedded API serves no ${plural}`);
    return found;
  };
  for (const name of ["default", "kube-system", ...(options.namespaces ?? [])]) {
    objects.create(kind("namespaces"), null, { metadata: { name } } satisfies KubeObject);
  }
  await listen();
  const url = `https://${host}:${port}`;
  const kubeConfigFor = (user: string) => kubeConfigObject(url, certificate.certificate, user);
  return {
    url,
    kubeConfig: kubeConfigFor("admin"),
    kubeConfigFor,
    writeKubeConfig: (path, user = "admin") =>
      writeFileSync(path, JSON.stringify(kubeConfigFor(user)), { mode: 0o600 }),
    faults,
    requests,
    writes: (since = 0) => requests.slice(since).filter(isWrite),
    objects,
    kinds,
    kind,
    stop: async () => {
      watches.stop();
      await close(server);
    },
  };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function kubeConfigObject(url: string, certificate: string, user: string): KubeConfigObject {
  const authority = Buffer.from(certificate).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "embedded", cluster: { server: url, "certificate-authority-data": authority } }],
    users: [{ name: user, user: { token: user } }],
    contexts: [{ name: "embedded", context: { cluster: "embedded", user, namespace: "default" } }],
    "current-context": "embedded",
  };
}
