import assert from "node:assert/strict";
import { test } from "node:test";
import { DIALECT, linkDialect, linkName } from "../../../src/dhcp/failover/dialect.ts";
import { assignedOwner, bucketOf, hashBucketAssignment } from "../../../src/dhcp/failover/load-balance.ts";
import { relationship } from "../engine/pair.ts";
import { hardwareClient } from "../server/world.ts";

test("a pair of our own goes by NAMESPACE/NAME, an external one by the name that its partner has", () => {
  const own = relationship();
  assert.deepEqual([linkName(own), linkDialect(own)], ["net/campus", "Leasepair"]);
  const [a, b] = own.members;
  const external = { dialect: "ISC", relationshipName: "fo-campus", port: 847 } as const;
  const mixed = relationship({ members: [a, { ...b, external }] });
  assert.deepEqual([linkName(mixed), linkDialect(mixed)], ["fo-campus", "ISC"]);
});

test("a dhcpd is given 60 s, and never a receive timer that would make it flood", () => {
  for (const { timing } of Object.values(DIALECT))
    assert.ok(timing.contactIntervalMs * 3 <= timing.contactLossMs);
  assert.equal(DIALECT.ISC.timing.contactLossMs, 60_000);
});

test("a bucket assignment of a dhcpd is read with its polarity and bit order", () => {
  // Split 4: 0f 00 ...; these clients are in buckets 0, 3, 4 and 8.
  const split4 = Uint8Array.of(0x0f, ...new Uint8Array(31));
  const owners = ["02000000000e", "02000000001d", "0200000001c4", "020000000066"].map((hex) => {
    const client = hardwareClient(hex);
    return [bucketOf(client), assignedOwner(client, split4)];
  });
  assert.deepEqual(owners, [
    [0, "primary"],
    [3, "primary"],
    [4, "secondary"],
    [8, "secondary"],
  ]);
  assert.equal(assignedOwner(hardwareClient("020000000066"), hashBucketAssignment(100)), "primary");
});
