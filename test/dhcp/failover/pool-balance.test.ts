// The shares of free addresses come to rest, with a dhcpd as well, which reckons in another way.
// Source: docs/protocol/draft-errata.md, "dhcpd as partner" (dhcpd 4.4, in its source and as seen).

import assert from "node:assert/strict";
import { test } from "node:test";
import { DIALECT } from "../../../src/dhcp/failover/dialect.ts";
import { addressesToGive, type FreeAddresses } from "../../../src/dhcp/failover/pool-balance.ts";
import type { Role } from "../../../src/dhcp/failover/transition.ts";

const { balanceHoldPart: holdPart, balanceHoldMore: holdMore, secondaryPercent } = DIALECT.ISC;
const SHARE = { secondaryPercent: secondaryPercent!, holdPart, holdMore };
const OTHER: Readonly<Record<Role, Role>> = { primary: "secondary", secondary: "primary" };

function give({ free, backup }: FreeAddresses, role: Role, count: number): FreeAddresses {
  const given = role === "primary" ? count : -count;
  return { free: free - given, backup: backup + given };
}

/** What a dhcpd gives whose addresses were all last used by clients of its partner: until its own lack is as large as its
 *  max-lease-ownership, 10 %, allows. Whole numbers, truncated toward zero. */
function givenByDhcpd({ free, backup }: FreeAddresses, role: Role): number {
  const hold = Math.floor(((free + backup) * 10 + 50) / 100);
  const surplus = Math.trunc((role === "primary" ? free - backup : backup - free) / 2);
  return Math.max(0, surplus + hold);
}

test("no address goes to and fro between this side and a dhcpd, however many there are and whoever has them", () => {
  for (const role of ["primary", "secondary"] as const) {
    for (let total = 1; total <= 120; total++) {
      for (let backup = 0; backup <= total; backup++) {
        let pool: FreeAddresses = { free: total - backup, backup };
        for (let round = 0; round < 2; round++) {
          pool = give(pool, role, addressesToGive(pool, SHARE, role));
          pool = give(pool, OTHER[role], givenByDhcpd(pool, OTHER[role]));
        }
        const text = `we are ${role}, ${total} addresses of which ${backup} began as BACKUP`;
        assert.equal(addressesToGive(pool, SHARE, role), 0, text);
      }
    }
  }
});
