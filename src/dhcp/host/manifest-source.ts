// The relationship's objects as a directory of manifests has them: for hosts without Kubernetes and for the cluster
// that hands out its own nodes' addresses. Read again when a file changes, also when a symlink is swapped under it
// (as the kubelet does with ConfigMaps). What is wrong is named with file and line; the last good configuration stays.

import * as fs from "node:fs";
import { compile } from "../../api/compile.ts";
import type { FailoverOperationObject } from "../../api/failover-operation.ts";
import type { KindName, ObjectOf } from "../../api/kinds.ts";
import type { Rejection } from "../../api/object-set.ts";
import type { MemberReport } from "../engine/event.ts";
import type { ConfigProblem, FromConfigThread } from "./config-message.ts";
import { type Manifests, manifestsFingerprint, readManifests, specDigest } from "./manifests.ts";

export interface ManifestSourceOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly directory: string;
  readonly post: (message: FromConfigThread) => void;
}

/** A change is read once the files have been quiet for so long: editors and tools write in several steps. */
const SETTLE_MS = 200;
/** Changes that no notification told of are found this often. */
const LOOK_MS = 2_000;

export class ManifestSource {
  readonly #options: ManifestSourceOptions;
  #watcher: fs.FSWatcher | null = null;
  #look: NodeJS.Timeout | null = null;
  #settle: NodeJS.Timeout | null = null;
  #fingerprint = "";
  #lastVerdict = "";

  constructor(options: ManifestSourceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#read();
    this.#watch();
    this.#look = setInterval(() => {
      this.#watch();
      this.#readIfChanged();
    }, LOOK_MS);
  }

  async stop(): Promise<void> {
    this.#watcher?.close();
    if (this.#look !== null) clearInterval(this.#look);
    if (this.#settle !== null) clearTimeout(this.#settle);
  }

  /** Without an API there is nobody to report to. */
  report(_report: MemberReport): void {}

  #watch(): void {
    if (this.#watcher !== null) return;
    try {
      const watcher = fs.watch(this.#options.directory, () => {
        this.#settle ??= setTimeout(() => {
          this.#settle = null;
          this.#readIfChanged();
        }, SETTLE_MS);
      });
      watcher.on("error", () => {
        watcher.close();
        this.#watcher = null;
      });
      this.#watcher = watcher;
    } catch {
      // The directory is away for the moment: looked for again in LOOK_MS.
    }
  }

  #currentFingerprint(): string {
    try {
      return manifestsFingerprint(this.#options.directory);
    } catch (error) {
      return String(error);
    }
  }

  #readIfChanged(): void {
    if (this.#currentFingerprint() !== this.#fingerprint) this.#read();
  }

  #read(): void {
    this.#fingerprint = this.#currentFingerprint();
    const manifests = readManifests(this.#options.directory);
    const { namespace, relationship } = this.#options;
    // Nothing is taken from files of which one is broken: half a configuration may say the opposite of the whole.
    const result =
      manifests.problems.length > 0 ? null : compileManifests(manifests, namespace, relationship);
    const rejections =
      result === null ? [] : result.kind === "compiled" ? result.rejected : result.rejections;
    const problems = [...manifests.problems, ...rejections.map((rejection) => placed(rejection, manifests))];
    const config = result?.kind === "compiled" ? result.config : null;
    this.#options.post({ kind: "source", reachable: config !== null });
    const verdict = JSON.stringify([config?.revision ?? null, problems]);
    if (verdict !== this.#lastVerdict) {
      this.#lastVerdict = verdict;
      this.#options.post(
        config === null ? { kind: "rejected", problems } : { kind: "configured", config, problems },
      );
    }
    if (config !== null)
      for (const operation of pick(manifests, "FailoverOperation")) this.#operate(operation);
  }

  /** A DeclarePartnerDown for this member counts like one in the API; the store knows which were done. */
  #operate(operation: FailoverOperationObject): void {
    const { metadata, spec } = operation;
    const { namespace, relationship, member } = this.#options;
    if (metadata.namespace !== namespace || spec.relationshipRef.name !== relationship) return;
    if (spec.type !== "DeclarePartnerDown" || spec.declarePartnerDown?.survivor !== member) return;
    if (spec.notAfter !== undefined && Date.parse(spec.notAfter) < Date.now()) return;
    const digest = specDigest(spec);
    this.#options.post({ kind: "declared-partner-down", operation: metadata.name, digest });
  }
}

function pick<Name extends KindName>(manifests: Manifests, kind: Name): readonly ObjectOf<Name>[] {
  return manifests.objects.flatMap(({ object }) => (object.kind === kind ? [object as ObjectOf<Name>] : []));
}

function compileManifests(manifests: Manifests, namespace: string, relationship: string) {
  const objects = {
    relationships: pick(manifests, "FailoverRelationship"),
    scopes: pick(manifests, "DHCPScope"),
    reservationSets: pick(manifests, "DHCPReservationSet"),
    operations: pick(manifests, "FailoverOperation"),
  };
  return compile(objects, namespace, relationship);
}

/** A rejection with the place of the object that it is about. */
function placed(rejection: Rejection, manifests: Manifests): ConfigProblem {
  const { kind, namespace, name, reason, field, message } = rejection;
  const found = manifests.objects.find(
    ({ object }) =>
      object.kind === kind && object.metadata.name === name && object.metadata.namespace === namespace,
  );
  const what = `${kind} ${namespace}/${name}${field === "" ? "" : ` ${field}`}`;
  return {
    where: found?.where ?? what,
    reason,
    message: found === undefined ? message : `${what}: ${message}`,
  };
}
