// Which of the engine's news about a scope become Events of its DHCPScope, and how they read there.
// Written by the configuration thread alone: the DHCP thread never touches the API.

import type { EventInput } from "../../kube/events.ts";
import type { KubeObject } from "../../kube/resource.ts";
import type { LogEntry } from "../engine/event.ts";
import type { ScopeNewsEvent } from "../engine/scope-news.ts";

const EVENTS: Readonly<Record<ScopeNewsEvent, Pick<EventInput, "type" | "reason" | "action">>> = {
  "address-declined": { type: "Warning", reason: "AddressDeclined", action: "Quarantine" },
  "address-conflict": { type: "Warning", reason: "AddressConflict", action: "Quarantine" },
  "reservation-honoured": { type: "Normal", reason: "ReservationHonoured", action: "MoveClient" },
  "reservation-waits": { type: "Normal", reason: "ReservationWaits", action: "OfferOtherAddress" },
};

/** Whether a line of the engine's log is for the owner of a scope. */
export function isScopeNews(entry: LogEntry): boolean {
  return Object.hasOwn(EVENTS, entry.event);
}

/** The Event that tells it. `entry` passes isScopeNews; `scope` is the object named in its field `scope`. */
export function scopeEvent({ event, message, fields }: LogEntry, scope: KubeObject): EventInput {
  const { apiVersion = "", kind = "", metadata } = scope;
  const { namespace = null, name = "", uid = "" } = metadata;
  const { scope: _, address, ...others } = fields;
  const more = Object.entries(others).map(([field, value]) => `${field} ${value}`);
  return {
    regarding: { apiVersion, kind, namespace, name, uid },
    ...EVENTS[event as ScopeNewsEvent],
    note: `${address}: ${message}${more.length === 0 ? "" : ` (${more.join(", ")})`}`,
  };
}
