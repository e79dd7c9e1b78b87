// The relationship's objects as a directory of manifests has them: for hosts without Kubernetes and for the cluster
// that hands out its own nodes' addresses. Read again when a file changes, also when a symlink is swapped under it
// (as the kubelet does with ConfigMaps). What is wrong is named with file and line; the last good configuration stays.

import * as fs from "node:fs";
import { compile, danglingReferences } from "../../api/compile.ts";
import type { CompiledRelationship } from "../../api/compiled.ts";
import { digestOf } from "../../api/digest.ts";
import type { FailoverOperationObject } from "../../api/failover-operation.ts";
import type { ManifestError, Manifests } from "../../api/manifests.ts";
import type { Rejection } from "../../api/object-set.ts";
import type { LogEntry, MemberReport } from "../engine/event.ts";
import type { ConfigProblem, FromConfigSource } from "./config-message.ts";
import { manifestsFingerprint, readManifestDirectory } from "./manifests.ts";

export interface ManifestSourceOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly directory: string;
  /** The configuration in force: what a refused object had in it stays. */
  readonly lastGood: () => CompiledRelationship | null;
  readonly post: (message: FromConfigSource) => void;
}

/** A change is read once the files have been quiet for so long: editors and tools write in several steps, and half of a file may be a
 *  configuration, too. */
const SETTLE_MS = 400;
/** Changes that no notification told of are found this often. */
const LOOK_MS = 2_000;

export class ManifestSource {
  readonly #options: ManifestSourceOptions;
  #watcher: fs.FSWatcher | null = null;
  #look: NodeJS.Timeout | null = null;
  #settle: NodeJS.Timeout | null = null;
  /** Of the files as they were read last, and as they were seen last. */
  #fingerprint = "";
  #seen = "";
  #lastVerdict = "";

  constructor(options: ManifestSourceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#read();
    this.#watch();
    this.#look = setInterval(() => {
      this.#watch();
      this.#readOnceQuiet();
    }, LOOK_MS);
  }

  async stop(): Promise<void> {
    this.#watcher?.close();
    if (this.#look !== null) clearInterval(this.#look);
    if (this.#settle !== null) clearTimeout(this.#settle);
  }

  /** Without an API there is nobody to report to. */
  report(_report: MemberReport): void {}

  /** Nor to tell: the log has it. */
  tell(_entry: LogEntry): void {}

  setMachineProblem(_problem: ConfigProblem | null): void {}

  #watch(): void {
    if (this.#watcher !== null) return;
    try {
      const watcher = fs.watch(this.#options.directory, () => this.#lookSoon());
      watcher.on("error", () => {
        watcher.close();
        this.#watcher = null;
      });
      this.#watcher = watcher;
    } catch {
      // The directory is away for the moment: looked for again in LOOK_MS.
    }
  }

  #lookSoon(): void {
    this.#settle ??= setTimeout(() => {
      this.#settle = null;
      this.#readOnceQuiet();
    }, SETTLE_MS);
  }

  /** What has changed is read when two looks in a row have seen the same. */
  #readOnceQuiet(): void {
    const seen = manifestsFingerprint(this.#options.directory);
    const isQuiet = seen === this.#seen;
    this.#seen = seen;
    if (seen === this.#fingerprint) return;
    if (isQuiet) this.#read();
    else this.#lookSoon();
  }

  #read(): void {
    this.#fingerprint = manifestsFingerprint(this.#options.directory);
    const { namespace, relationship, directory, lastGood } = this.#options;
    const manifests = readManifestDirectory(directory);
    // Nothing is taken from files of which one is broken: half a configuration may say the opposite of the whole.
    const isBroken = manifests.errors.length > 0;
    const result = isBroken ? null : compile(manifests.objects, namespace, relationship, lastGood());
    const rejections =
      result === null ? [] : result.kind === "compiled" ? result.rejected : result.rejections;
    const problems = [
      ...manifests.errors.map(misread),
      ...rejections.map((rejection) => placed(rejection, manifests, directory)),
      // Nobody else tells of these without an API: each relationship's own view leaves them out.
      ...(isBroken ? [] : danglingReferences(manifests.objects)).map((rejection) =>
        placed(rejection, manifests, directory),
      ),
    ];
    const config = result?.kind === "compiled" ? result.config : null;
    if (config !== null) problems.push(...survivorProblems(config, manifests));
    this.#options.post({ kind: "source", reachable: config !== null });
    const verdict = JSON.stringify([config?.revision ?? null, problems]);
    if (verdict !== this.#lastVerdict) {
      this.#lastVerdict = verdict;
      this.#options.post(
        config === null ? { kind: "rejected", problems } : { kind: "configured", config, problems },
      );
    }
    if (config !== null) for (const operation of manifests.objects.operations) this.#operate(operation);
  }

  /** A DeclarePartnerDown for this member counts like one in the API; the store knows which were done. */
  #operate(operation: FailoverOperationObject): void {
    const { metadata, spec } = operation;
    const { namespace, relationship, member } = this.#options;
    if (metadata.namespace !== namespace || spec.relationshipRef.name !== relationship) return;
    if (spec.type !== "DeclarePartnerDown" || spec.declarePartnerDown?.survivor !== member) return;
    if (spec.notAfter !== undefined && Date.parse(spec.notAfter) < Date.now()) return;
    const digest = digestOf(spec);
    this.#options.post({ kind: "declared-partner-down", operation: metadata.name, digest });
  }
}

/** Orders to go alone that name neither member: without this they would be passed over in silence. */
function survivorProblems(
  config: CompiledRelationship,
  { objects, places }: Manifests,
): readonly ConfigProblem[] {
  const members = config.members.map(({ name }) => name);
  return objects.operations.flatMap(({ metadata, spec }) => {
    const isOurs = metadata.namespace === config.namespace && spec.relationshipRef.name === config.name;
    const survivor = spec.declarePartnerDown?.survivor ?? "";
    if (!isOurs || spec.type !== "DeclarePartnerDown" || members.includes(survivor)) return [];
    const object = `FailoverOperation ${metadata.namespace}/${metadata.name}`;
    const field = "spec.declarePartnerDown.survivor";
    const message = `${object}: ${field}: "${survivor}": must be a member: ${members.join(" or ")}`;
    return [{ where: places.get(object) ?? object, reason: "MemberUnknown", message }];
  });
}

function misread({ file, line, object, field, message }: ManifestError): ConfigProblem {
  const text = [object, field, message].filter((part) => part !== "").join(": ");
  return { where: line === 0 ? file : `${file}:${line}`, reason: "Invalid", message: text };
}

/** A rejection with the place of the object that it is about; the directory when no file has it. */
function placed(rejection: Rejection, manifests: Manifests, directory: string): ConfigProblem {
  const { kind, namespace, name, reason, field, message } = rejection;
  const object = `${kind} ${namespace}/${name}`;
  const where = manifests.places.get(object);
  if (where === undefined) return { where: directory, reason, message: absent(object, manifests) };
  return { where, reason, message: [object, field, message].filter((part) => part !== "").join(": ") };
}

function absent(object: string, { objects }: Manifests): string {
  const known = objects.relationships.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const there = known.length === 0 ? "no FailoverRelationship at all" : known.join(", ");
  return `there is no ${object} in this directory; it has ${there}. Correct --relationship or --manifests`;
}
