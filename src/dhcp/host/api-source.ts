// The relationship's objects as the Kubernetes API has them: watched, compiled whenever one changes, and the engine's
// report written back as the status of its FailoverMember. Reads the witness (witness-reader.ts), never writes it (W1).

import { compile } from "../../api/compile.ts";
import type { CompiledRelationship } from "../../api/compiled.ts";
import { dhcpReservationSetKind } from "../../api/dhcp-reservation-set.ts";
import { dhcpScopeKind } from "../../api/dhcp-scope.ts";
import { failoverRelationshipKind } from "../../api/failover-relationship.ts";
import { API_GROUP } from "../../api/kind.ts";
import {
  allowsMassDeletion,
  judgeDeletion,
  massDeletionHeld,
  type ScopeHistory,
} from "../../api/mass-deletion.ts";
import type { CompileResult, ObjectSet } from "../../api/object-set.ts";
import {
  type Parsed,
  parseDHCPReservationSet,
  parseDHCPScope,
  parseFailoverRelationship,
} from "../../api/parse.ts";
import { parseOnce } from "../../api/parse-once.ts";
import { areSame } from "../../base/memo.ts";
import { unixSeconds } from "../../base/units.ts";
import { KubeClient } from "../../kube/client.ts";
import { ConnectionPool, loadKubeConfig } from "../../kube/connection.ts";
import { EventRecorder } from "../../kube/events.ts";
import { Reflector } from "../../kube/reflector.ts";
import { type KubeObject, namespacedType } from "../../kube/resource.ts";
import { systemTiming } from "../../kube/timing.ts";
import type { LogEntry, MemberReport } from "../engine/event.ts";
import { SystemClock } from "./clock.ts";
import type { ConfigProblem, FromConfigSource } from "./config-message.ts";
import { MEMBER, MemberStatusWriter } from "./member-status.ts";
import { isOfMember, newsEvent } from "./news-events.ts";
import { WitnessReader } from "./witness-reader.ts";

export interface ApiSourceOptions {
  readonly namespace: string;
  readonly relationship: string;
  readonly member: string;
  readonly kubeconfig: string | null;
  /** The configuration in force: what a refused object had in it stays. */
  readonly lastGood: () => CompiledRelationship | null;
  readonly post: (message: FromConfigSource) => void;
}

/** Changes that come together, such as the first lists, are compiled once. */
const SETTLE_MS = 100;
/** What stands against an object may end with time or with what is in force: then the same is compiled again. */
const REFUSED_AGAIN_MS = 10_000;
const HEALTH_MS = 5_000;
/** Changes of state that are kept until the API can be told. */
const UNTOLD_MAX = 20;
/** Without any word from the API for so long (bookmarks come every minute) it counts as lost. */
const SILENCE_SECONDS_MAX = 95;

const RELATIONSHIP = namespacedType(failoverRelationshipKind);
const SCOPE = namespacedType(dhcpScopeKind);
const RESERVATION_SET = namespacedType(dhcpReservationSetKind);

export class ApiSource {
  readonly #options: ApiSourceOptions;
  readonly #client: KubeClient;
  readonly #relationships: Reflector;
  readonly #scopes: Reflector;
  readonly #reservationSets: Reflector;
  /** This member's own object. */
  readonly #members: Reflector;
  readonly #status: MemberStatusWriter;
  readonly #recorder: EventRecorder;
  readonly #witness: WitnessReader;
  #settle: NodeJS.Timeout | null = null;
  #compiledInMs = 0;
  #compiledAtMs = Number.NEGATIVE_INFINITY;
  /** What the last compilation was given, each spec by its identity. */
  #inputs: readonly unknown[] | null = null;
  #health: NodeJS.Timeout | null = null;
  #lastVerdict = "";
  #scopeHistory: ScopeHistory<CompiledRelationship> = [];
  #problems: readonly ConfigProblem[] = [];
  #machineProblem: ConfigProblem | null = null;
  #relationshipVersion = "";
  #reachable: boolean | null = null;
  #untold: readonly LogEntry[] = [];

  constructor(options: ApiSourceOptions) {
    this.#options = options;
    const { namespace, relationship, kubeconfig } = options;
    const log = (entry: Extract<FromConfigSource, { kind: "log" }>["entry"]) =>
      options.post({ kind: "log", entry });
    const timing = systemTiming;
    this.#client = new KubeClient({
      pool: new ConnectionPool(() => loadKubeConfig({ kubeconfig, context: null })),
      timing,
      log,
      userAgent: "leasepair-engine",
    });
    const shared = { client: this.#client, namespace, timing, log, onChange: () => this.#compileSoon() };
    const listed = { onListed: () => this.#compileSoon(), doubtsDeletions: true };
    const fieldSelector = `metadata.name=${relationship}`;
    this.#relationships = new Reflector({ ...shared, ...listed, type: RELATIONSHIP, fieldSelector });
    this.#scopes = new Reflector({ ...shared, ...listed, type: SCOPE });
    this.#reservationSets = new Reflector({ ...shared, ...listed, type: RESERVATION_SET });
    const clock = new SystemClock();
    this.#witness = new WitnessReader({
      client: this.#client,
      type: RELATIONSHIP,
      namespace,
      name: relationship,
      bootMs: () => clock.bootMilliseconds(),
      onReading: (witness) => options.post({ kind: "witness", witness }),
    });
    const instance = `${relationship}-${options.member}`;
    const own = { fieldSelector: `metadata.name=${instance}`, onChange: () => this.#tellOfMember() };
    this.#members = new Reflector({ ...shared, ...own, type: MEMBER });
    const controller = `${API_GROUP}/engine`;
    this.#recorder = new EventRecorder({ client: this.#client, timing, log, controller, instance });
    this.#status = new MemberStatusWriter({
      client: this.#client,
      namespace,
      name: instance,
      shown: () => this.#ownObject(),
      timing,
      log,
    });
  }

  start(): void {
    for (const reflector of [...this.#sources(), this.#members]) reflector.start();
    this.#witness.readSoon();
    this.#health = setInterval(() => this.#checkHealth(), HEALTH_MS);
  }

  async stop(): Promise<void> {
    if (this.#settle !== null) clearTimeout(this.#settle);
    if (this.#health !== null) clearInterval(this.#health);
    this.#witness.stop();
    await Promise.all([this.#status.stop(), this.#recorder.stop()]);
    await Promise.all([...this.#sources(), this.#members].map((reflector) => reflector.stop()));
    await this.#client.close();
  }

  report(report: MemberReport): void {
    this.#status.report(report);
    this.#witness.follow(report);
  }

  /** An Event of the member, once the API has shown its object, or of the DHCPScope that the entry names; nothing when there is
   *  none of that name. */
  tell(entry: LogEntry): void {
    if (isOfMember(entry)) {
      this.#untold = [...this.#untold, entry].slice(-UNTOLD_MAX);
      return this.#tellOfMember();
    }
    const scope = this.#scopes.get(`${this.#options.namespace}/${entry.fields["scope"]}`);
    if (scope !== undefined) this.#recorder.record(newsEvent(entry, scope));
  }

  #tellOfMember(): void {
    const member = this.#ownObject();
    if (member === null) return;
    const entries = this.#untold;
    this.#untold = [];
    for (const entry of entries) this.#recorder.record(newsEvent(entry, member));
  }

  #ownObject(): KubeObject | null {
    const { member, namespace, relationship } = this.#options;
    return this.#members.get(`${namespace}/${relationship}-${member}`) ?? null;
  }

  /** What this machine cannot do of the newest configuration: told in the member's condition ConfigAccepted, first. */
  setMachineProblem(problem: ConfigProblem | null): void {
    this.#machineProblem = problem;
    this.#writeProblems();
  }

  #writeProblems(): void {
    const machine = this.#machineProblem === null ? [] : [this.#machineProblem];
    this.#status.setProblems([...machine, ...this.#problems]);
  }

  /** What the configuration is compiled from. */
  #sources(): readonly Reflector[] {
    return [this.#relationships, this.#scopes, this.#reservationSets];
  }

  /** What takes long is not done again for every one of many changes: half of the time is left to others. Time is the thread's
   *  own: on a busy machine the others have had theirs. */
  #compileSoon(): void {
    const pauseMs = Math.max(SETTLE_MS, this.#compiledInMs);
    this.#settle ??= setTimeout(() => {
      this.#settle = null;
      const before = process.threadCpuUsage();
      this.#compile();
      const { user, system } = process.threadCpuUsage(before);
      this.#compiledInMs = (user + system) / 1000;
    }, pauseMs);
  }

  #compile(): void {
    if (!this.#sources().every((reflector) => reflector.hasSynced)) return;
    this.#checkHealth();
    this.#noteWitness();
    const raw = this.#rawObjects();
    if (!this.#isNew(raw)) return;
    const { objects, problems } = readObjects(raw);
    const { namespace, relationship, lastGood } = this.#options;
    const result = this.#holdMassDeletion(compile(objects, namespace, relationship, lastGood()));
    const rejections = result.kind === "compiled" ? result.rejected : result.rejections;
    const all = [
      ...problems,
      ...rejections.map(({ kind, name, reason, field, message }) => ({
        where: `${kind} ${name}${field === "" ? "" : ` ${field}`}`,
        reason,
        message,
      })),
    ];
    this.#problems = all;
    this.#writeProblems();
    const verdict = JSON.stringify([result.kind === "compiled" ? result.config.revision : null, all]);
    if (verdict === this.#lastVerdict) return;
    this.#lastVerdict = verdict;
    this.#options.post(
      result.kind === "compiled"
        ? { kind: "configured", config: result.config, problems: all }
        : { kind: "rejected", problems: all },
    );
  }

  /** What lost most of its scopes at once becomes what was in force before, with the reason why. */
  #holdMassDeletion(result: CompileResult): CompileResult {
    if (result.kind !== "compiled") return result;
    const now = unixSeconds(Math.floor(systemTiming.wallMs() / 1000));
    const before = this.#options.lastGood();
    if (this.#scopeHistory.length === 0 && before !== null) {
      this.#scopeHistory = [{ since: now, scopes: before.scopes.length, value: before }];
    }
    const { config } = result;
    const { metadata } = this.#relationships.get(`${config.namespace}/${config.name}`) ?? {};
    const isAllowed = allowsMassDeletion(metadata?.annotations, config.revision);
    const verdict = judgeDeletion(
      this.#scopeHistory,
      { scopes: config.scopes.length, value: config, isAllowed },
      now,
    );
    if (verdict.kind === "held") {
      const rejected = [massDeletionHeld(config, config, verdict.before)];
      return { kind: "compiled", config: verdict.stays, rejected };
    }
    this.#scopeHistory = verdict.history;
    return result;
  }

  /** What belongs to the relationship. */
  #rawObjects(): RawObjects {
    const name = this.#options.relationship;
    const scopes = values(this.#scopes).filter((object) => specRef(object, "relationshipRef") === name);
    const scopeNames = new Set(scopes.map((object) => object.metadata.name));
    const sets = values(this.#reservationSets).filter((o) => scopeNames.has(specRef(o, "scopeRef") ?? ""));
    return { relationships: values(this.#relationships), scopes, sets };
  }

  /** Whether compiling can give anything else than it gave last: a hundred sets of which the controller has written the status
   *  are the same sets. Of statuses, compile() reads the relationship's `effective` alone. */
  #isNew({ relationships, scopes, sets }: RawObjects): boolean {
    const now = systemTiming.nowMs();
    const inputs = [
      ...relationships.map(({ metadata, status }) =>
        JSON.stringify([metadata.annotations, (status as { effective?: unknown } | undefined)?.effective]),
      ),
      ...[...relationships, ...scopes, ...sets].flatMap(({ metadata, spec }) => [metadata.uid, spec]),
    ];
    const isSame = this.#inputs !== null && areSame(this.#inputs, inputs);
    if (isSame && (this.#problems.length === 0 || now - this.#compiledAtMs < REFUSED_AGAIN_MS)) return false;
    this.#inputs = inputs;
    this.#compiledAtMs = now;
    return true;
  }

  /** The watch says that the relationship changed; what its witness is now, only a quorum read can say. */
  #noteWitness(): void {
    const relationship = this.#relationships.get(`${this.#options.namespace}/${this.#options.relationship}`);
    const version = relationship?.metadata.resourceVersion ?? "";
    if (version === this.#relationshipVersion) return;
    this.#relationshipVersion = version;
    this.#witness.readSoon();
  }

  #checkHealth(): void {
    const reachable = this.#sources().every((reflector) => {
      const { failures, lastEventAgeSeconds } = reflector.stats();
      return failures === 0 && lastEventAgeSeconds !== null && lastEventAgeSeconds < SILENCE_SECONDS_MAX;
    });
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    this.#options.post({ kind: "source", reachable });
  }
}

function values(reflector: Reflector): readonly KubeObject[] {
  return [...reflector.objects.values()];
}

/** Name in a reference field of an unparsed spec. */
function specRef(object: KubeObject, field: string): string | null {
  const spec = object["spec"] as Record<string, { name?: unknown } | undefined> | undefined;
  const name = spec?.[field]?.name;
  return typeof name === "string" ? name : null;
}

interface RawObjects {
  readonly relationships: readonly KubeObject[];
  readonly scopes: readonly KubeObject[];
  readonly sets: readonly KubeObject[];
}

/** Parses them; what cannot be parsed is left out and named. */
function readObjects({ relationships, scopes, sets }: RawObjects) {
  const problems: ConfigProblem[] = [];
  const objects: ObjectSet = {
    relationships: parseAll(relationships, parseFailoverRelationship, problems),
    scopes: parseAll(scopes, (object) => parseOnce(object, parseDHCPScope), problems),
    reservationSets: parseAll(sets, (object) => parseOnce(object, parseDHCPReservationSet), problems),
    operations: [],
  };
  return { objects, problems };
}

function parseAll<T>(
  objects: readonly KubeObject[],
  parse: (object: KubeObject) => Parsed<T>,
  problems: ConfigProblem[],
): readonly T[] {
  return objects.flatMap((object) => {
    const result = parse(object);
    if (result.kind === "ok") return [result.object];
    for (const { field, message } of result.errors) {
      problems.push({ where: `${object.kind} ${object.metadata.name} ${field}`, reason: "Invalid", message });
    }
    return [];
  });
}
