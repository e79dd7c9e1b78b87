// A lease that a scripted partner tells, and the record of it that the engine may have. Source: failover draft 7.1.

import { unixSeconds } from "../../../src/base/units.ts";
import type { Binding } from "../../../src/dhcp/lease/binding.ts";
import type { BindingUpdate } from "../../../src/dhcp/wire-failover/message.ts";
import { hardwareClient } from "../server/world.ts";
import { START } from "./pair.ts";

/** Binding-status values of a BNDUPD. */
export const STATUS = {
  FREE: 1,
  ACTIVE: 2,
  EXPIRED: 3,
  RELEASED: 4,
  ABANDONED: 5,
  RESET: 6,
  BACKUP: 7,
} as const;

/** Seconds before or after a pair's start, on its wall clock. */
export const at = (offset: number) => unixSeconds(START + offset);

/** A lease that this server knows, whose client was last heard 100 s ago. */
export const RUNNING: Partial<Binding> = {
  status: "ACTIVE",
  client: hardwareClient("020000000001"),
  expiresAt: at(500),
  potentialAcked: at(800),
  lastTransactionAt: at(-100),
};

/** What the partner tells of the same client, heard 50 s ago. */
export function lease(changes: Partial<BindingUpdate> = {}): Partial<BindingUpdate> {
  return {
    status: STATUS.ACTIVE,
    clientHardwareAddress: Uint8Array.of(1, 2, 0, 0, 0, 0, 1),
    leaseExpiration: at(400),
    potentialExpiration: at(600),
    startTimeOfState: at(-50),
    lastTransaction: at(-50),
    ...changes,
  };
}
