// What the embedded API can be told to do wrong, so that tests can break every call of the code under test: by verb,
// resource and number of the call. Decides only which fault strikes; the server carries it out.

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { ApiRequest } from "./api-request.ts";

export type FaultAction =
  /** This Status instead of doing it: 409, 410, 429 with Retry-After, 500 and so on. */
  | { readonly kind: "status"; readonly code: number; readonly retryAfterSeconds?: number }
  /** The connection breaks before anything is done. */
  | { readonly kind: "lose-request" }
  /** It is done, then the connection breaks. */
  | { readonly kind: "lose-answer" }
  /** It is done at once, the answer comes later. */
  | { readonly kind: "late-answer"; readonly ms: number }
  /** A get or list shows the world as it was that many revisions ago. */
  | { readonly kind: "stale-read"; readonly revisions: number };

const SELECTORS = ["verb", "resource", "subresource", "name", "user"] as const;

/** Strikes once, or until clear(). What is left out matches everything. */
export interface FaultRule extends Partial<Pick<ApiRequest, (typeof SELECTORS)[number]>> {
  /** The matching request it strikes, counted from 1; 1 when left out. */
  readonly nth?: number | "every";
  readonly action: FaultAction;
}

export class Faults {
  /** The open watches, with the plural that is watched. For the server. */
  readonly watches = new Map<ServerResponse, string>();
  readonly #server: Server;
  readonly #address: AddressInfo;
  #rules: { readonly rule: FaultRule; matched: number }[] = [];

  constructor(server: Server) {
    this.#server = server;
    this.#address = server.address() as AddressInfo;
  }

  /** Several rules may wait at once; the first that matches strikes. */
  inject(rule: FaultRule): void {
    this.#rules.push({ rule, matched: 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  /** Breaks the watches of one resource (plural), or all; gives how many. */
  cutWatches(resource?: string): number {
    const cut = [...this.watches].filter(([, plural]) => plural === (resource ?? plural));
    for (const [response] of cut) response.destroy();
    return cut.length;
  }

  /** Refuses connections and breaks those there are; the objects stay. */
  async goDown(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async comeUp(): Promise<void> {
    this.#server.listen(this.#address.port, this.#address.address);
    await once(this.#server, "listening");
  }

  /** For the server: the fault that strikes this request, if any. */
  strike(request: ApiRequest): FaultAction | null {
    for (const injected of this.#rules) {
      const { rule } = injected;
      if (!SELECTORS.every((name) => (rule[name] ?? request[name]) === request[name])) continue;
      injected.matched += 1;
      if (rule.nth === "every" || injected.matched === (rule.nth ?? 1)) return rule.action;
    }
    return null;
  }
}
