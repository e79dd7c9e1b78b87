// The lease history: who got which address, until when, and how it ended, as this server came to know it. One event per
// change that a client would notice; what the two servers tell each other besides is none. Source: none but the bindings.

import { toHex } from "../../base/bytes.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import type { Instant } from "../../base/units.ts";
import { type Binding, isSameClient } from "../lease/binding.ts";
import type { LeaseEvent } from "./event.ts";

/** What the change of a record means to its client; null when it means nothing. `before`: null for no record. */
export function leaseEvent(before: Binding | null, next: Binding, now: Instant): LeaseEvent | null {
  const event = eventName(before, next);
  if (event === null) return null;
  const holder = next.status === "ACTIVE" ? next : (before ?? next);
  const { client, hostname, relayInformation } = holder;
  return {
    time: new Date(now.wall * 1000).toISOString(),
    event,
    address: formatIpv4(next.address),
    hardwareAddress: client === null ? null : toHex(client.hardwareAddress),
    clientIdentifier: client?.clientIdentifier == null ? null : toHex(client.clientIdentifier),
    hostname,
    relayInformation: relayInformation === null ? null : toHex(relayInformation),
    expires: next.status === "ACTIVE" ? new Date(next.expiresAt * 1000).toISOString() : null,
    // What comes from the partner is settled with it at once; what this server decides it still owes.
    by: next.acknowledged ? "partner" : "self",
  };
}

function eventName(before: Binding | null, next: Binding): LeaseEvent["event"] | null {
  const wasActive = before?.status === "ACTIVE";
  if (next.status === "ACTIVE") {
    const isSame = wasActive && next.client !== null && isSameClient(before, next.client);
    if (!isSame) return "grant";
    const isNews = next.expiresAt !== before.expiresAt || next.lastTransactionAt !== before.lastTransactionAt;
    return isNews ? "renew" : null;
  }
  if (next.status === "ABANDONED") return before?.status === "ABANDONED" ? null : "quarantine";
  if (!wasActive) return null;
  if (next.status === "RELEASED") return "release";
  if (next.status === "EXPIRED") return "expire";
  return next.status === "RESET" ? "reset" : "end";
}
