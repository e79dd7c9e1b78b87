// One table per question: what I have, what arrives, what becomes of it. Titles name the rule.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type UnixSeconds, unixSeconds } from "../../../src/base/units.ts";
import { acceptUpdate, type PartnerBinding } from "../../../src/dhcp/failover/acceptance.ts";
import type { Role } from "../../../src/dhcp/failover/transition.ts";
import { type Binding, type BindingStatus, freshBinding } from "../../../src/dhcp/lease/binding.ts";
import { CLOCK_UNCERTAINTY_SECONDS } from "../../../src/dhcp/lease/lead-time.ts";
import { hardwareClient, ip } from "../server/world.ts";

const NOW = unixSeconds(1_800_000_000);
const C1 = hardwareClient("020000000001");
const C2 = hardwareClient("020000000002");

function mine(status: BindingStatus, changes: Partial<Binding> = {}): Binding {
  const isFree = status === "FREE" || status === "BACKUP";
  return {
    ...freshBinding(ip("10.0.0.10")),
    status,
    client: status === "ABANDONED" ? null : C1,
    expiresAt: isFree ? unixSeconds(0) : unixSeconds(NOW + 500),
    potentialSent: isFree ? unixSeconds(0) : unixSeconds(NOW + 900),
    potentialAcked: isFree ? unixSeconds(0) : unixSeconds(NOW + 800),
    potentialReceived: isFree ? unixSeconds(0) : unixSeconds(NOW + 700),
    lastTransactionAt: unixSeconds(NOW - 100),
    ...changes,
  };
}

function theirs(status: BindingStatus, changes: Partial<PartnerBinding> = {}): PartnerBinding {
  return {
    status,
    client: C1,
    leaseExpiration: unixSeconds(NOW + 400),
    potentialExpiration: unixSeconds(NOW + 600),
    lastTransaction: unixSeconds(NOW - 50),
    startTimeOfState: unixSeconds(NOW - 50),
    hostname: null,
    ipFlags: 0,
    relayInformation: null,
    otherIdentifier: null,
    ...changes,
  };
}

function decide(
  have: Binding,
  gets: PartnerBinding,
  options: {
    role?: Role;
    crossing?: boolean;
    refusedByPartner?: boolean;
    leaseInFlight?: boolean;
    leaseStands?: boolean;
    bothLack?: boolean;
    late?: UnixSeconds;
  } = {},
) {
  return acceptUpdate({
    mine: have,
    theirs: gets,
    role: options.role ?? "primary",
    now: NOW,
    late: options.late ?? NOW,
    clockUncertainty: CLOCK_UNCERTAINTY_SECONDS.byRule,
    crossing: options.crossing ?? false,
    refusedByPartner: options.refusedByPartner ?? false,
    leaseInFlight: options.leaseInFlight ?? false,
    leaseStands: options.leaseStands ?? false,
    bothLack: options.bothLack ?? false,
  });
}

const LONG_AGO = { expiresAt: unixSeconds(NOW - 1000), lastTransactionAt: unixSeconds(NOW - 2000) };

test("draft 7.1.3: what each status takes from an update", () => {
  const table: readonly (readonly [Binding, PartnerBinding, BindingStatus | "refused"])[] = [
    [mine("FREE"), theirs("ACTIVE"), "ACTIVE"],
    [mine("BACKUP"), theirs("ACTIVE"), "ACTIVE"],
    [mine("ACTIVE"), theirs("ACTIVE"), "ACTIVE"],
    [mine("EXPIRED"), theirs("ACTIVE"), "ACTIVE"],
    [mine("EXPIRED"), theirs("ACTIVE", { lastTransaction: unixSeconds(NOW - 100) }), "refused"],
    [mine("RELEASED"), theirs("ACTIVE", { lastTransaction: unixSeconds(NOW - 200) }), "refused"],
    [
      mine("RELEASED"),
      theirs("ACTIVE", { lastTransaction: unixSeconds(NOW - 200), leaseExpiration: unixSeconds(NOW + 9000) }),
      "refused",
    ],
    [mine("ABANDONED"), theirs("ACTIVE"), "refused"],
    [mine("ACTIVE"), theirs("EXPIRED"), "refused"],
    [mine("ACTIVE", LONG_AGO), theirs("EXPIRED"), "FREE"],
    [mine("FREE"), theirs("EXPIRED"), "FREE"],
    [mine("ACTIVE"), theirs("RELEASED"), "FREE"],
    [mine("ACTIVE"), theirs("RELEASED", { lastTransaction: unixSeconds(NOW - 101) }), "refused"],
    [mine("ACTIVE"), theirs("RELEASED", { client: C2 }), "refused"],
    [mine("ACTIVE", LONG_AGO), theirs("RELEASED", { client: C2 }), "FREE"],
    [mine("ACTIVE"), theirs("FREE"), "refused"],
    [mine("ACTIVE"), theirs("BACKUP"), "refused"],
    [mine("ACTIVE", LONG_AGO), theirs("FREE"), "FREE"],
    [mine("FREE"), theirs("BACKUP"), "BACKUP"],
    [mine("BACKUP"), theirs("FREE"), "FREE"],
    [mine("ACTIVE"), theirs("ABANDONED", { client: null }), "ABANDONED"],
    [mine("FREE"), theirs("ABANDONED", { client: null }), "ABANDONED"],
    [mine("ACTIVE"), theirs("RESET"), "FREE"],
  ];
  for (const [have, gets, want] of table) {
    const result = decide(have, gets);
    const got = result.kind === "accepted" ? result.next.status : "refused";
    assert.equal(got, want, `${have.status} gets ${gets.status}`);
  }
});

test("S10: news of another client never changes a lease that still runs, unless both are news", () => {
  const other = theirs("ACTIVE", { client: C2 });
  assert.equal(decide(mine("ACTIVE"), other).kind, "refused");
  assert.equal(
    decide(mine("ACTIVE", { expiresAt: unixSeconds(NOW - 10) }), other).kind,
    "refused",
    "grace runs",
  );
  assert.equal(decide(mine("ACTIVE", LONG_AGO), other).kind, "accepted");
});

test("W14: of two crossing leases of different clients, both sides keep the later one; at a tie the primary's", () => {
  for (const [theirTime, role, want] of [
    [-50, "primary", "accepted"],
    [-50, "secondary", "accepted"],
    [-150, "primary", "refused"],
    [-150, "secondary", "refused"],
    [-100, "primary", "refused"],
    [-100, "secondary", "accepted"],
  ] as const) {
    const gets = theirs("ACTIVE", { client: C2, lastTransaction: unixSeconds(NOW + theirTime) });
    assert.equal(decide(mine("ACTIVE"), gets, { role, crossing: true }).kind, want, `${theirTime} ${role}`);
  }
});

test("W14: a release of one second later is taken back once the partner has refused it, not before", () => {
  const active = theirs("ACTIVE", { lastTransaction: unixSeconds(NOW - 101) });
  assert.equal(decide(mine("RELEASED"), active, { crossing: true }).kind, "refused", "it may yet take it");
  const next = decide(mine("RELEASED"), active, { crossing: true, refusedByPartner: true });
  assert.ok(next.kind === "accepted");
  assert.deepEqual([next.next.status, next.next.acknowledged], ["ACTIVE", false]);
  const foreign = { ...active, client: C2 };
  assert.equal(decide(mine("RELEASED"), foreign, { crossing: true, refusedByPartner: true }).kind, "refused");
});

test("S11: who doubts its clock takes another client's later lease where its own may be over, and only there", () => {
  const gets = theirs("ACTIVE", { client: C2, lastTransaction: unixSeconds(NOW + 50) });
  const held = mine("ACTIVE");
  const ended = unixSeconds(held.expiresAt + 3600);
  assert.equal(
    decide(held, gets, { late: unixSeconds(NOW + 10) }).kind,
    "refused",
    "it runs by both ends of the doubt",
  );
  const next = decide(held, gets, { late: ended });
  assert.ok(next.kind === "accepted");
  assert.deepEqual(next.next.client, C2);
  const older = { ...gets, lastTransaction: unixSeconds(NOW - 150) };
  assert.equal(decide(held, older, { late: ended }).kind, "refused", "its client spoke later");
});

test("S11: a release ends no lease that the partner has not heard of, however late the clocks say it came", () => {
  for (const later of [1, 60, 86_400]) {
    const release = theirs("RELEASED", { lastTransaction: unixSeconds(NOW - 100 + later) });
    assert.equal(decide(mine("ACTIVE"), release, { crossing: true }).kind, "refused", `${later} s later`);
    assert.equal(decide(mine("ACTIVE"), release).kind, "accepted", "the partner knew the lease");
  }
});

test("W14: a lease and a release of the same client in the same second: the lease stands on both sides", () => {
  const tie = { lastTransaction: unixSeconds(NOW - 100) };
  for (const role of ["primary", "secondary"] as const) {
    assert.equal(decide(mine("ACTIVE"), theirs("RELEASED", tie), { role, crossing: true }).kind, "refused");
    const other = decide(mine("RELEASED"), theirs("ACTIVE", tie), { role, crossing: true });
    assert.ok(other.kind === "accepted");
    assert.equal(other.next.status, "ACTIVE");
    assert.equal(other.next.acknowledged, false, "the partner may have taken the release meanwhile");
  }
  assert.equal(
    decide(mine("ACTIVE"), theirs("RELEASED", tie)).kind,
    "accepted",
    "the partner knew the lease",
  );
});

test("W14: of two crossing transfers of a free address the primary's stands", () => {
  const have = mine("BACKUP", { acknowledged: false });
  assert.equal(decide(have, theirs("FREE"), { role: "primary", crossing: true }).kind, "refused");
  assert.equal(decide(have, theirs("FREE"), { role: "secondary", crossing: true }).kind, "accepted");
});

test("W14: no end of a lease is agreed on while the partner may yet take that it runs, whoever's client spoke last", () => {
  for (const client of [C1, C2]) {
    for (const lastTransaction of [NOW - 5_000, NOW - 2_000, NOW - 10]) {
      const end = theirs("EXPIRED", { client, lastTransaction: unixSeconds(lastTransaction) });
      for (const status of ["ACTIVE", "EXPIRED", "FREE"] as const) {
        const told = { crossing: true, leaseInFlight: true, role: "secondary" } as const;
        assert.equal(
          decide(mine(status, LONG_AGO), end, told).kind,
          "refused",
          `${status}, ${lastTransaction}`,
        );
      }
    }
  }
  const end = theirs("EXPIRED", { lastTransaction: unixSeconds(NOW - 10) });
  assert.equal(
    decide(mine("EXPIRED", LONG_AGO), end, { crossing: true }).kind,
    "accepted",
    "once it has answered",
  );
});

test("W14: a foreign release waits while the partner may yet take the news of the lease that is over", () => {
  const release = theirs("RELEASED", { client: C2 });
  assert.equal(decide(mine("ACTIVE", LONG_AGO), release, { crossing: true }).kind, "refused");
  const refused = { crossing: true, refusedByPartner: true };
  assert.equal(decide(mine("ACTIVE", LONG_AGO), release, refused).kind, "accepted");
});

test("W14: no two records refuse each other for ever: once both leases are over, one side takes the other's", () => {
  const statuses = ["FREE", "BACKUP", "ACTIVE", "EXPIRED", "RELEASED", "RESET", "ABANDONED"] as const;
  const pairs = statuses.flatMap((left) => statuses.map((right) => [left, right] as const));
  for (const [left, right] of pairs) {
    for (const client of [C1, C2]) {
      for (const later of [-50, -1, 0, 1, 50]) {
        const lastTransactionAt = unixSeconds(LONG_AGO.lastTransactionAt + later);
        const ofPrimary = mine(left, LONG_AGO);
        const ofSecondary = mine(right, {
          ...LONG_AGO,
          client: right === "ABANDONED" ? null : client,
          lastTransactionAt,
        });
        const news = { crossing: true, refusedByPartner: true };
        const results = [
          decide(ofPrimary, told(ofSecondary), { ...news, role: "primary" }),
          decide(ofSecondary, told(ofPrimary), { ...news, role: "secondary" }),
        ];
        const isSettled = results.some(({ kind }) => kind === "accepted");
        assert.ok(
          isSettled,
          `${left} and ${right}, ${later} s later, ${client === C1 ? "one client" : "two"}`,
        );
      }
    }
  }
});

/** What the partner says that has this record. */
function told({
  expiresAt,
  potentialSent,
  statusSince,
  lastTransactionAt,
  ...rest
}: Binding): PartnerBinding {
  return {
    status: rest.status,
    client: rest.client,
    leaseExpiration: expiresAt,
    potentialExpiration: potentialSent,
    lastTransaction: lastTransactionAt,
    startTimeOfState: statusSince,
    hostname: rest.hostname,
    ipFlags: 0,
    relayInformation: rest.relayInformation,
    otherIdentifier: rest.otherIdentifier,
  };
}

test("W4: within a generation no time falls, and the partner's promise is remembered", () => {
  const result = decide(mine("ACTIVE"), theirs("ACTIVE"));
  assert.ok(result.kind === "accepted");
  assert.equal(result.next.expiresAt, NOW + 500);
  assert.equal(result.next.potentialSent, NOW + 900);
  assert.equal(result.next.potentialAcked, NOW + 800);
  assert.equal(result.next.potentialReceived, NOW + 700);
  assert.equal(result.next.lastTransactionAt, NOW - 50);
});

test("another identity of the holder's machine is the later one told, is not taken back, and ends with the generation", () => {
  const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
  const next = (known: Partial<Binding>, told: Partial<PartnerBinding>) => {
    const result = decide(mine("ACTIVE", known), theirs("ACTIVE", told));
    assert.ok(result.kind === "accepted");
    return result.next.otherIdentifier;
  };
  const later = { lastTransactionAt: unixSeconds(NOW) };
  assert.deepEqual(next({}, { otherIdentifier: two }), two);
  assert.deepEqual(next({ otherIdentifier: one }, { otherIdentifier: two }), two);
  assert.deepEqual(next({ otherIdentifier: one, ...later }, { otherIdentifier: two }), one);
  assert.deepEqual(next({ otherIdentifier: one }, {}), one, "a partner that does not know of it");
  assert.equal(next({ otherIdentifier: one, ...LONG_AGO }, { client: C2 }), null);
  const ended = decide(mine("ACTIVE", { otherIdentifier: one, ...LONG_AGO }), theirs("EXPIRED"));
  assert.ok(ended.kind === "accepted");
  assert.equal(ended.next.otherIdentifier, null);
});

test("a lease that ended here but was not settled goes on under the same promises", () => {
  const result = decide(mine("EXPIRED"), theirs("ACTIVE"));
  assert.ok(result.kind === "accepted");
  assert.equal(result.next.potentialSent, NOW + 900);
});

test("an end that was announced voids what the partner acknowledged and told before, even when its answer is lost", () => {
  const result = decide(mine("RELEASED", { endAnnounced: true }), theirs("ACTIVE"));
  assert.ok(result.kind === "accepted");
  const { potentialSent, potentialAcked, potentialReceived } = result.next;
  assert.deepEqual([potentialSent, potentialAcked, potentialReceived], [NOW + 900, 0, NOW + 600]);
});

test("another client begins a new generation: no promise of the old one counts", () => {
  const result = decide(mine("ACTIVE", LONG_AGO), theirs("ACTIVE", { client: C2 }));
  assert.ok(result.kind === "accepted");
  const { potentialSent, potentialAcked, potentialReceived, expiresAt } = result.next;
  assert.deepEqual([potentialSent, potentialAcked, potentialReceived], [0, 0, NOW + 600]);
  assert.equal(expiresAt, NOW + 400);
});

test("within a generation what was not told of the client stays known; what is told, none included, counts", () => {
  const place = Uint8Array.of(1, 1, 7);
  const have = mine("ACTIVE", { hostname: "printer", relayInformation: place });
  const untold = { hostname: undefined, relayInformation: undefined };
  for (const [gets, want] of [
    [theirs("ACTIVE", untold), ["printer", place]],
    [theirs("ACTIVE"), [null, null]],
    [theirs("ACTIVE", { hostname: "scanner", relayInformation: null }), ["scanner", null]],
    [theirs("ACTIVE", { lastTransaction: unixSeconds(NOW - 200) }), ["printer", place]],
  ] as const) {
    const result = decide(have, gets);
    assert.ok(result.kind === "accepted");
    assert.deepEqual([result.next.hostname, result.next.relayInformation], want);
  }
  const other = decide({ ...have, ...LONG_AGO }, theirs("ACTIVE", { client: C2, ...untold }));
  assert.ok(other.kind === "accepted");
  assert.deepEqual([other.next.hostname, other.next.relayInformation], [null, null], "another client's");
});

test("a free address carries no promise, but remembers its last client", () => {
  const result = decide(mine("ACTIVE"), theirs("RELEASED"));
  assert.ok(result.kind === "accepted");
  const { potentialSent, potentialAcked, potentialReceived, expiresAt, client } = result.next;
  assert.deepEqual([potentialSent, potentialAcked, potentialReceived, expiresAt], [0, 0, 0, 0]);
  assert.equal(client, C1);
});

test("draft table 7.1-1: a lease without its client is refused with reason 3", () => {
  for (const status of ["ACTIVE", "EXPIRED", "RELEASED"] as const) {
    const result = decide(mine("FREE"), theirs(status, { client: null }));
    assert.ok(result.kind === "refused");
    assert.equal(result.reason, 3);
  }
});

test("a renewal given here, later than the partner's news, stays owed to it", () => {
  const have = mine("ACTIVE", { acknowledged: false, expiresAt: unixSeconds(NOW + 2000) });
  const result = decide(have, theirs("ACTIVE"), { crossing: true });
  assert.ok(result.kind === "accepted");
  assert.equal(result.next.acknowledged, false);
});

test("an end here, later than the partner's free address, stays owed to it", () => {
  const have = mine("RELEASED", { acknowledged: false, lastTransactionAt: unixSeconds(NOW - 10) });
  for (const [theirTime, settled] of [
    [-50, false],
    [-10, true],
  ] as const) {
    const gets = theirs("FREE", { lastTransaction: unixSeconds(NOW + theirTime) });
    const result = decide(have, gets, { crossing: true });
    assert.ok(result.kind === "accepted");
    assert.deepEqual([result.next.acknowledged, result.next.lastTransactionAt], [settled, NOW - 10]);
  }
});

test("W14: of two crossing ends the later one stands on both sides, at a tie the primary's", () => {
  for (const [theirTime, role, want] of [
    [-50, "primary", "accepted"],
    [-50, "secondary", "accepted"],
    [-150, "primary", "refused"],
    [-150, "secondary", "refused"],
    [-100, "primary", "refused"],
    [-100, "secondary", "accepted"],
  ] as const) {
    for (const status of ["RELEASED", "EXPIRED"] as const) {
      const gets = theirs("RELEASED", { lastTransaction: unixSeconds(NOW + theirTime) });
      const result = decide(mine(status, { acknowledged: false }), gets, { role, crossing: true });
      assert.equal(result.kind, want, `${status} ${theirTime} ${role}`);
    }
  }
});

test("W14: the primary's transfer of a free address stands against the end of an older lease", () => {
  for (const end of ["RELEASED", "EXPIRED"] as const) {
    const have = mine("BACKUP", { acknowledged: false });
    assert.equal(decide(have, theirs(end), { role: "primary", crossing: true }).kind, "refused");
    assert.equal(decide(mine("BACKUP"), theirs(end), { role: "primary" }).kind, "accepted");
  }
});

test("a lease that a dhcpd tells stands: it may have given an abandoned address, and takes a quarantine for a lease that runs", () => {
  for (const acknowledged of [true, false]) {
    const result = decide(mine("ABANDONED", { acknowledged }), theirs("ACTIVE"), { leaseStands: true });
    assert.ok(result.kind === "accepted");
    // It may have taken ours meanwhile.
    assert.deepEqual(
      [result.next.status, result.next.client, result.next.acknowledged],
      ["ACTIVE", C1, acknowledged],
    );
  }
});

test("a lease that a dhcpd tells stands against a release within what the clocks may be apart, and is told back", () => {
  const X = CLOCK_UNCERTAINTY_SECONDS.byRule;
  const released = mine("RELEASED", { acknowledged: false });
  const given = (seconds: number, client = C1) =>
    decide(released, theirs("ACTIVE", { client, lastTransaction: unixSeconds(NOW - 100 - seconds) }), {
      leaseStands: true,
    });
  const within = given(X - 1);
  assert.ok(within.kind === "accepted");
  assert.deepEqual([within.next.status, within.next.acknowledged], ["ACTIVE", false]);
  assert.equal(given(X).kind, "refused");
  assert.equal(given(1, C2).kind, "refused");
});
