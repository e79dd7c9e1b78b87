// Which of the engine's news become Events, and how they read there: what befalls a scope's addresses on its DHCPScope, each change of
// state on the member's own FailoverMember, also one so short that no report shows it.
// Written by the configuration thread alone: the DHCP thread never touches the API.

import { GOOD_STATES, toApiState } from "../../api/failover-state.ts";
import type { EventInput } from "../../kube/events.ts";
import type { KubeObject } from "../../kube/resource.ts";
import type { LogEntry } from "../engine/event.ts";
import type { ScopeNewsEvent } from "../engine/scope-news.ts";

const SCOPE_EVENTS: Readonly<Record<ScopeNewsEvent, Pick<EventInput, "type" | "reason" | "action">>> = {
  "address-declined": { type: "Warning", reason: "AddressDeclined", action: "Quarantine" },
  "address-conflict": { type: "Warning", reason: "AddressConflict", action: "Quarantine" },
  "reservation-honoured": { type: "Normal", reason: "ReservationHonoured", action: "MoveClient" },
  "reservation-waits": { type: "Normal", reason: "ReservationWaits", action: "OfferOtherAddress" },
};
const STATE_CHANGED = "state-changed";

/** Whether a line of the engine's log is told in the API as well. */
export function isNews(entry: LogEntry): boolean {
  return isOfMember(entry) || Object.hasOwn(SCOPE_EVENTS, entry.event);
}

/** Whether it is about the member, and not about the scope that its field `scope` names. */
export function isOfMember(entry: LogEntry): boolean {
  return entry.event === STATE_CHANGED;
}

/** The Event that tells it. `entry` passes isNews; `object` is what it is about. */
export function newsEvent(entry: LogEntry, object: KubeObject): EventInput {
  const { apiVersion = "", kind = "", metadata } = object;
  const { namespace = null, name = "", uid = "" } = metadata;
  const regarding = { apiVersion, kind, namespace, name, uid };
  if (isOfMember(entry)) {
    const state = toApiState(String(entry.fields["to"])) ?? "";
    const type = GOOD_STATES.includes(state) ? "Normal" : "Warning";
    return { regarding, type, reason: "StateChanged", action: "ChangeState", note: entry.message };
  }
  const { scope: _, address, ...others } = entry.fields;
  const more = Object.entries(others).map(([field, value]) => `${field} ${value}`);
  const note = `${address}: ${entry.message}${more.length === 0 ? "" : ` (${more.join(", ")})`}`;
  return { regarding, ...SCOPE_EVENTS[entry.event as ScopeNewsEvent], note };
}
