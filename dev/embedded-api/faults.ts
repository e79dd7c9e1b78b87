// What the embedded API can be told to do wrong, so that tests can break every call of the code under test: by verb,
// resource and number of the call. Decides only which fault strikes; the server carries it out.

/** What a request is, for faults to select and for assertions. */
export interface RequestRecord {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";
  /** Lower-case plural. */
  readonly resource: string;
  readonly group: string;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly subresource: string;
  /** Whose token it came with. */
  readonly user: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** HTTP status of the answer; 0 until it is given, or when it never was. */
  code: number;
  /** The fault that struck. */
  fault: FaultAction | null;
}

export type FaultAction =
  /** This Status instead of doing it: 409, 410, 429 with Retry-After, 500 and so on. */
  | { readonly kind: "status"; readonly code: number; readonly retryAfterSeconds?: number }
  /** The connection breaks before anything is done. */
  | { readonly kind: "lose-request" }
  /** It is done, then the connection breaks. */
  | { readonly kind: "lose-answer" }
  /** It is done at once, the answer comes later. */
  | { readonly kind: "late-answer"; readonly ms: number }
  /** Nothing is done and no answer comes. */
  | { readonly kind: "hang" }
  /** A get or list shows the world as it was that many revisions ago. */
  | { readonly kind: "stale-read"; readonly revisions: number };

/** What is left out matches everything. */
export interface FaultRule {
  readonly verb?: RequestRecord["verb"] | "write";
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
  readonly user?: string;
  /** The first matching request it strikes, counted from 1; 1 when left out. */
  readonly nth?: number;
  /** How many matching requests in a row; 1 when left out. */
  readonly times?: number;
  readonly action: FaultAction;
}

/** A rule at work. */
export interface InjectedFault {
  /** How many requests it has struck. */
  readonly hits: number;
  remove(): void;
}

interface LiveRule extends InjectedFault {
  readonly rule: FaultRule;
  matched: number;
  hits: number;
}

/** What the server does when a switch is thrown. */
export interface FaultHost {
  cutWatches(resource: string | null): number;
  holdWatches(hold: boolean): void;
  expireHistory(): void;
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
}

const WRITES = new Set(["create", "update", "patch", "delete"]);

export function isWrite(request: Pick<RequestRecord, "verb">): boolean {
  return WRITES.has(request.verb);
}

export class Faults {
  readonly #host: FaultHost;
  #rules: LiveRule[] = [];

  constructor(host: FaultHost) {
    this.#host = host;
  }

  /** Several rules may wait at once; the first that matches strikes. */
  inject(rule: FaultRule): InjectedFault {
    const remove = () => {
      this.#rules = this.#rules.filter((other) => other !== live);
    };
    const live: LiveRule = { rule, matched: 0, hits: 0, remove };
    this.#rules.push(live);
    return live;
  }

  /** Removes all rules and lets held watches go on. */
  clear(): void {
    this.#rules = [];
    this.#host.holdWatches(false);
  }

  /** Breaks the watches of one resource (plural), or all; gives how many. */
  cutWatches(resource: string | null = null): number {
    return this.#host.cutWatches(resource);
  }

  /** Watches stay open but say nothing, so that caches go stale. */
  holdWatches(): void {
    this.#host.holdWatches(true);
  }

  releaseWatches(): void {
    this.#host.holdWatches(false);
  }

  /** Makes every resourceVersion and continue token of before now too old (410). */
  expireHistory(): void {
    this.#host.expireHistory();
  }

  /** Refuses connections and breaks those there are; the objects stay. */
  goDown(): Promise<void> {
    return this.#host.goDown();
  }

  comeUp(): Promise<void> {
    return this.#host.comeUp();
  }

  /** For the server: the fault that strikes this request, if any. */
  strike(request: RequestRecord): FaultAction | null {
    for (const live of this.#rules) {
      if (!matches(live.rule, request)) continue;
      live.matched += 1;
      const { nth = 1, times = 1 } = live.rule;
      if (live.matched < nth || live.matched >= nth + times) continue;
      live.hits += 1;
      return live.rule.action;
    }
    return null;
  }
}

function matches(rule: FaultRule, request: RequestRecord): boolean {
  const verb = rule.verb === "write" ? isWrite(request) : (rule.verb ?? request.verb) === request.verb;
  const same = (["resource", "subresource", "name", "user"] as const).every(
    (field) => rule[field] === undefined || rule[field] === request[field],
  );
  return verb && same;
}
