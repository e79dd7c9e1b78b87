// Lease times as fields. They have no default in the schema, because a scope inherits each one it leaves unset from the
// relationship's scopeDefaults, and only then from the built-in values: compile-lease-time.ts decides.

import { z } from "zod";
import { choice, secondsField } from "./fields.ts";

export const LEASE_SECONDS_MIN = 60;
/** One year. Longer leases only delay every change; 0xffffffff (for ever) is not offered. */
export const LEASE_SECONDS_MAX = 31_536_000;
export const LEASE_DEFAULT_SECONDS = 43_200;
export const LEASE_DEFAULT_MAX_SECONDS = 86_400;

export const leaseTimeSchema = z
  .strictObject({
    defaultSeconds: secondsField(
      LEASE_SECONDS_MIN,
      LEASE_SECONDS_MAX,
      `Length of a lease for a client that asks for none, in seconds. Unset: as in the relationship's scopeDefaults, else ${LEASE_DEFAULT_SECONDS} (12 hours). A client's first lease, and every lease while a partner is down, is at most the relationship's maxClientLeadTimeSeconds.`,
    ).optional(),
    minSeconds: secondsField(
      LEASE_SECONDS_MIN,
      LEASE_SECONDS_MAX,
      `Shortest lease that a client can ask for, in seconds; a shorter wish is raised to it. Unset: as in scopeDefaults, else ${LEASE_SECONDS_MIN}. The failover protocol may still force a shorter lease.`,
    ).optional(),
    maxSeconds: secondsField(
      LEASE_SECONDS_MIN,
      LEASE_SECONDS_MAX,
      `Longest lease that a client can ask for, in seconds; a longer wish is cut to it. Unset: as in scopeDefaults, else ${LEASE_DEFAULT_MAX_SECONDS} (24 hours) or defaultSeconds, whichever is longer.`,
    ).optional(),
    renewSeconds: secondsField(
      1,
      LEASE_SECONDS_MAX,
      "T1 (DHCP option 58): when a client starts to renew with the server that leased to it, in seconds after the lease began. Must be less than rebindSeconds and the lease. Unset: half of each lease.",
    ).optional(),
    rebindSeconds: secondsField(
      1,
      LEASE_SECONDS_MAX,
      "T2 (DHCP option 59): when a client turns to any server, in seconds after the lease began. Must be less than the lease. Unset: seven eighths of each lease.",
    ).optional(),
    infinite: choice(
      ["Refused", "Allowed"],
      "What a client gets that asks for an infinite lease. Refused: maxSeconds, as for any wish too long. Allowed: one year, the longest lease there is, whatever maxSeconds says. Either way every lease ends, and the failover protocol may force a shorter one. Unset: as in scopeDefaults, else Refused.",
    ).optional(),
  })
  .meta({ description: "How long leases last." });

export type LeaseTime = z.output<typeof leaseTimeSchema>;
