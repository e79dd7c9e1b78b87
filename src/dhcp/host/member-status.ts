// Writes the engine's report into the status of its FailoverMember: at once when something that others act on changes,
// every ten seconds while the member is not in NORMAL (its sign of life), address counts at most once a minute.
// In NORMAL and at rest it writes nothing (K5), unless the API shows another report than the one last written: then that was lost,
// with its object or by a restored backup. A failed write is repeated with the newest report.

import { failoverMemberKind } from "../../api/failover-member.ts";
import { toApiState } from "../../api/failover-state.ts";
import type { KubeClient } from "../../kube/client.ts";
import { formatTime, type KubeObject, namespacedType } from "../../kube/resource.ts";
import { backoffMs, describe, type KubeLog, type Timing } from "../../kube/timing.ts";
import type { MemberReport } from "../engine/event.ts";
import type { ConfigProblem } from "./config-message.ts";

export interface MemberStatusOptions {
  readonly client: Pick<KubeClient, "patchStatus">;
  readonly namespace: string;
  /** Name of the FailoverMember. */
  readonly name: string;
  /** The FailoverMember as last heard of; null while there is none. */
  readonly shown: () => KubeObject | null;
  readonly timing: Timing;
  readonly log: KubeLog;
}

const SIGN_OF_LIFE_MS = 10_000;
const ADDRESSES_MS = 60_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

export const MEMBER = namespacedType(failoverMemberKind);

interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export class MemberStatusWriter {
  readonly #options: MemberStatusOptions;
  #report: MemberReport | null = null;
  #problems: readonly ConfigProblem[] = [];
  #conditions: readonly Condition[] = [];
  #writtenKey = "";
  #writtenAddresses = "";
  /** Its `reportedAt`. */
  #writtenTime = "";
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #addressesAtMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #writing: Promise<void> | null = null;
  #stopped = false;

  constructor(options: MemberStatusOptions) {
    this.#options = options;
  }

  /** Takes the newest report; writes when one is due. Called about once a second. */
  report(report: MemberReport): void {
    this.#report = report;
    this.#writeWhenDue();
  }

  setProblems(problems: readonly ConfigProblem[]): void {
    this.#problems = problems;
    this.#writeWhenDue();
  }

  /** Writes a last report if one is owed, then no more. */
  async stop(): Promise<void> {
    this.#writeWhenDue();
    this.#stopped = true;
    await this.#writing;
  }

  #writeWhenDue(): void {
    const report = this.#report;
    if (report === null || this.#writing !== null || this.#stopped) return;
    const now = this.#options.timing.nowMs();
    if (now < this.#retryAtMs) return;
    const key = JSON.stringify([significant(report), this.#problems]);
    const addresses = JSON.stringify(report.addresses);
    const isDue =
      key !== this.#writtenKey ||
      ((report.state !== "NORMAL" || this.#isLost()) && now - this.#writtenAtMs >= SIGN_OF_LIFE_MS) ||
      (addresses !== this.#writtenAddresses && now - this.#addressesAtMs >= ADDRESSES_MS);
    if (!isDue) return;
    this.#writing = this.#write(report, key, addresses).finally(() => {
      this.#writing = null;
    });
  }

  /** A watch may be late: what it shows of a report just written says nothing yet. */
  #isLost(): boolean {
    const shown = this.#options.shown();
    if (shown === null) return false;
    const { reportedAt } = (shown["status"] ?? {}) as { reportedAt?: unknown };
    return reportedAt !== this.#writtenTime;
  }

  async #write(report: MemberReport, key: string, addresses: string): Promise<void> {
    const { client, namespace, name, timing, log } = this.#options;
    const startedAt = timing.nowMs();
    try {
      const wallMs = timing.wallMs();
      this.#conditions = conditionsOf(report, this.#problems, this.#conditions, formatTime(wallMs));
      const status = { ...memberStatus(report, wallMs), conditions: this.#conditions };
      await client.patchStatus(MEMBER, { namespace, name }, { status }, { attempts: 1, timeoutMs: 5_000 });
      this.#writtenKey = key;
      this.#writtenAddresses = addresses;
      this.#writtenTime = formatTime(wallMs);
      this.#writtenAtMs = startedAt;
      this.#addressesAtMs = startedAt;
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      const pauseMs = backoffMs(timing, this.#failures, RETRY_MS_MIN, RETRY_MS_MAX);
      this.#retryAtMs = timing.nowMs() + pauseMs;
      const level = this.#failures === 1 ? "warn" : "debug";
      const fields = { object: `${namespace}/${name}`, error: describe(error), failures: this.#failures };
      log({
        level,
        event: "report-not-written",
        message: "the member's status could not be written",
        fields,
      });
    }
  }
}

/** What others act on. The rest rides along with the next write. */
function significant(report: MemberReport): readonly unknown[] {
  const clock = clockProblem(report);
  return [
    report.state,
    report.stateSince,
    report.partnerState,
    report.connected,
    report.serving,
    report.store,
    report.generation,
    report.complete,
    report.entered,
    report.returned,
    report.seen,
    report.revision,
    report.shape,
    report.pendingRevision,
    report.fencing,
    report.storeDamage?.problem,
    report.linkSecurity,
    report.linkRefusal,
    clock?.reason,
    report.carrierLost,
  ];
}

/** What is wrong with the clocks, the worst first; null when nothing is. */
function clockProblem(report: MemberReport): { readonly reason: string; readonly message: string } | null {
  if (report.clockIsBehind) {
    const message = "the wall clock is behind what it showed before: nobody is served until it has caught up";
    return { reason: "ClockBehind", message };
  }
  if (report.clocksAreApart) {
    return { reason: "ClocksApart", message: "its clock and its partner's are more than 5 s apart" };
  }
  if (report.clockIsSynchronised === false) {
    return { reason: "NotSynchronised", message: "no time synchronisation keeps the node's clock right" };
  }
  return null;
}

function timeOrNull(unixSeconds: number | null): string | null {
  return unixSeconds === null || unixSeconds === 0 ? null : formatTime(unixSeconds * 1000);
}

/** The report as FailoverMember.status; null fields are removed by the merge patch. */
export function memberStatus(report: MemberReport, wallMs: number): Record<string, unknown> {
  return {
    reportedAt: formatTime(wallMs),
    state: toApiState(report.state),
    since: timeOrNull(report.stateSince),
    partnerState: report.partnerState === null ? null : toApiState(report.partnerState),
    lastContact: timeOrNull(report.lastContactAt),
    connected: report.connected,
    linkSecurity: report.linkSecurity ?? null,
    serving: report.serving,
    store: report.store,
    generation: report.generation,
    complete: report.complete,
    entered: report.entered,
    entry: timeOrNull(report.entry),
    returned: report.returned,
    seen: report.seen,
    fencing: report.fencing,
    cappedUntil: timeOrNull(report.cappedUntil),
    heldUntil: timeOrNull(report.heldUntil),
    waitLeadSeconds: report.waitLeadSeconds,
    clockOffsetSeconds: report.clockOffsetSeconds,
    unackedUpdates: report.unackedUpdates,
    revisions: { active: report.revision, shape: report.shape, pending: report.pendingRevision },
    addresses: Object.entries(report.addresses).map(([scope, counts]) => ({ scope, ...counts })),
  };
}

const MESSAGE_CHARACTERS_MAX = 2_000;

function conditionsOf(
  report: MemberReport,
  problems: readonly ConfigProblem[],
  before: readonly Condition[],
  now: string,
): readonly Condition[] {
  const [first] = problems;
  const serves = report.serving !== "None";
  const clock = clockProblem(report);
  const text = problems.map((problem) => `${problem.where}: ${problem.message}`).join("; ");
  const parts = [
    {
      type: "ConfigAccepted",
      status: first === undefined ? "True" : "False",
      reason: first === undefined ? "Accepted" : first.reason,
      message: text.slice(0, MESSAGE_CHARACTERS_MAX),
    },
    {
      type: "Serving",
      status: serves ? "True" : "False",
      reason: serves ? report.serving : report.failure ? "Failed" : (toApiState(report.state) ?? "None"),
      message: serves ? "" : (report.failure ?? `in state ${report.state} the member answers nobody`),
    },
    {
      type: "StoreDamaged",
      status: report.storeDamage ? "True" : "False",
      reason: report.storeDamage ? "SetAside" : "Sound",
      message: storeText(report),
    },
    {
      type: "LinkRefused",
      status: report.linkRefusal ? "True" : "False",
      reason: report.linkRefusal?.reason ?? "NotRefused",
      message: report.linkRefusal?.message ?? "",
    },
    {
      type: "ClockSound",
      status: clock === null ? "True" : "False",
      reason: clock?.reason ?? "Sound",
      message: clock?.message ?? "",
    },
    {
      type: "CarrierPresent",
      status: report.carrierLost.length === 0 ? "True" : "False",
      reason: report.carrierLost.length === 0 ? "Present" : "Lost",
      message: carrierText(report),
    },
  ] as const;
  return parts.map((part) => {
    const old = before.find((condition) => condition.type === part.type);
    return { ...part, lastTransitionTime: old?.status === part.status ? old.lastTransitionTime : now };
  });
}

function carrierText({ carrierLost, connected }: MemberReport): string {
  if (carrierLost.length === 0) return "";
  const told = connected ? "; its partner, which knows, answers all clients" : "";
  return `clients cannot reach it through ${carrierLost.join(" and ")}, which has no carrier${told}`;
}

/** For a human: what is wrong, where the old store is, and when it is over. */
function storeText({ storeDamage, complete }: MemberReport): string {
  if (!storeDamage) return "";
  const [first] = storeDamage.setAside;
  const kept =
    first === undefined ? "" : ` It is kept in ${storeDamage.setAside.length} files from ${first} on.`;
  const now = complete
    ? "All leases were fetched from the partner."
    : "Nobody is served until all leases were fetched from the partner and the MCLT has passed.";
  return `The lease store was damaged (${storeDamage.problem}) and an empty one took its place.${kept} ${now}`;
}
