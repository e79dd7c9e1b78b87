import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds, unixSeconds } from "../../../src/base/units.ts";
import { clockTime } from "../../../src/controller/decide/words.ts";
import type { Observed } from "../../../src/controller/observed.ts";
import {
  conditionOf,
  config,
  member,
  NOW,
  observed,
  relationship,
  separated,
  statusAfter,
  witness,
} from "../observed-fixture.ts";

const silent = { report: null, reportVersion: "", pod: null };
const held = relationship({
  status: { witness: witness({ epoch: 1, holder: "a", holderStore: "store-a" }) },
});
const alone = (state = "PartnerDown", entered = 1) =>
  member("a", {
    says: { state, entered, entry: unixSeconds(NOW - 600), since: unixSeconds(NOW - 600), seen: 1 },
  });
const gone = member("b", { pod: null });

const CASES: readonly (readonly [string, Observed, Readonly<Record<string, string>>])[] = [
  [
    "both NORMAL",
    observed(),
    {
      Ready: "True/Normal",
      Available: "True/BothMembers",
      PartnerDown: "False/NotDeclared",
      ConfigInSync: "True/InSync",
      WitnessHealthy: "True/Reading",
      LinkSecure: "True/MutualTLS",
      ClocksSound: "True/Sound",
      CarriersPresent: "True/Present",
      Accepted: "True/Accepted",
    },
  ],
  [
    "nobody has reported",
    observed({ members: [member("a", silent), member("b", silent)] }),
    {
      Ready: "False/MemberMissing",
      Available: "False/NoneServing",
      ConfigInSync: "Unknown/MemberUnknown",
      ClocksSound: "Unknown/NotReported",
      CarriersPresent: "Unknown/NotReported",
      Reconciling: "True/StartingMembers",
    },
  ],
  [
    "NORMAL with a pod that is not ready",
    observed({ members: [member("a"), member("b", { pod: { ...member("b").pod!, ready: false } })] }),
    { Ready: "False/PodNotReady" },
  ],
  [
    "the partner's pod is gone",
    separated(),
    {
      Ready: "False/CommunicationsInterrupted",
      Available: "True/OneMember",
      ConfigInSync: "Unknown/MemberUnknown",
    },
  ],
  [
    "granted, not entered",
    separated({ relationship: held }),
    { Ready: "False/CommunicationsInterrupted", PartnerDown: "False/GrantPending" },
  ],
  [
    "PARTNER-DOWN",
    separated({ relationship: held, members: [alone(), gone] }),
    { Ready: "False/PartnerDown", PartnerDown: "True/Declared" },
  ],
  [
    "the holder is silent",
    observed({ relationship: held, members: [{ ...alone(), heardAt: unixSeconds(NOW - 31) }, gone] }),
    {
      Ready: "False/MemberUnknown",
      PartnerDown: "Unknown/HolderUnknown",
      Available: "Unknown/MemberUnknown",
    },
  ],
  [
    "recovering",
    observed({ members: [member("a"), member("b", { says: { state: "Recover", serving: "None" } })] }),
    { Ready: "False/Recovering", Available: "True/OneMember" },
  ],
  [
    "conflict before partner-down",
    observed({ members: [alone("PotentialConflict", 0), member("b", { says: { state: "PartnerDown" } })] }),
    { Ready: "False/PotentialConflict" },
  ],
  [
    "renewals only",
    observed({
      members: [
        member("a", { says: { state: "ResolutionInterrupted", serving: "RenewOnly" } }),
        member("b", { says: { state: "Recover", serving: "None" } }),
      ],
    }),
    { Available: "False/RenewalsOnly" },
  ],
  [
    "an older configuration",
    observed({ members: [member("a"), member("b", { says: { activeRevision: "c".repeat(64) } })] }),
    { ConfigInSync: "False/Propagating", Ready: "True/Normal" },
  ],
  [
    "the holder lost its store",
    observed({ relationship: held, members: [member("a", { says: { store: "new" } }), member("b")] }),
    { WitnessHealthy: "False/HolderStoreReplaced" },
  ],
  [
    "both in PARTNER-DOWN",
    observed({ relationship: held, members: [alone(), member("b", { says: { state: "PartnerDown" } })] }),
    { WitnessHealthy: "False/BothPartnerDown" },
  ],
];

test("a holder without its store is told a way out that is there: its partner may be unable to go on, too", () => {
  const messageWith = (complete: boolean) =>
    conditionOf(
      statusAfter(
        observed({
          relationship: held,
          members: [member("a", { says: { store: "new" } }), member("b", { says: { complete } })],
        }),
      ),
      "WitnessHealthy",
    )?.message ?? "";
  assert.match(messageWith(true), /DeclarePartnerDown for the other member with partnerIs Destroyed/);
  assert.match(
    messageWith(false),
    /b does not hold all leases either\. Only when .* delete secret campus-store/,
  );
  assert.doesNotMatch(messageWith(false), /Destroyed/);
});

for (const [what, seen, expected] of CASES) {
  test(`conditions: ${what}`, () => {
    const status = statusAfter(seen);
    for (const [type, verdict] of Object.entries(expected)) {
      const condition = conditionOf(status, type);
      assert.equal(`${condition?.status}/${condition?.reason}`, verdict, type);
      assert.ok((condition?.message.length ?? 0) > 10, `${type} has a message`);
      assert.equal(condition?.observedGeneration, 3);
    }
  });
}

test("Reconciling and Stalled are absent when all is quiet", () => {
  const status = statusAfter(observed());
  assert.equal(conditionOf(status, "Reconciling"), undefined);
  assert.equal(conditionOf(status, "Stalled"), undefined);
});

test("silence makes a member Unknown, never down, and only outside NORMAL", () => {
  const heard = (state: string, ago: number) =>
    statusAfter(
      observed({ members: [member("a"), member("b", { says: { state }, heardAt: unixSeconds(NOW - ago) })] }),
    );
  assert.equal(heard("Normal", 40 * 86_400)["secondary"], "b Normal");
  assert.equal(heard("RecoverWait", 30)["secondary"], "b RecoverWait");
  assert.equal(heard("RecoverWait", 31)["secondary"], "b Unknown");
  assert.equal(heard("RecoverWait", 400)["secondary"], "b Unknown (6m)");
  for (const ago of [31, 400]) {
    assert.notEqual(conditionOf(heard("RecoverWait", ago), "PartnerDown")?.status, "True");
  }
});

test("a NORMAL member whose pod stopped answering after its last word becomes Unknown", () => {
  const pod = { ...member("b").pod!, ready: false, readySince: unixSeconds(NOW - 31) };
  const secondary = (changes: Partial<Parameters<typeof member>[1]>) =>
    statusAfter(observed({ members: [member("a"), member("b", { pod, ...changes })] }))["secondary"];
  assert.equal(secondary({ heardAt: unixSeconds(NOW - 60) }), "b Unknown");
  assert.equal(secondary({ heardAt: unixSeconds(NOW - 5) }), "b Normal");
  assert.equal(secondary({ pod: { ...pod, running: false } }), "b Unknown");
});

test("the moment a member became Unknown does not move with a new controller", () => {
  const since = "2026-03-01T02:54:00Z";
  const status = { witness: witness(), members: [{ name: "b", state: "Unknown", since }] };
  const after = statusAfter(separated({ relationship: relationship({ status }) }));
  assert.equal(after["secondary"], "b Unknown (6m)");
  assert.equal((after["members"] as { since: string }[])[1]?.since, since);
});

test("the columns say who serves and when the takeover is", () => {
  const status = statusAfter(separated({ relationship: held, members: [alone(), gone] }));
  assert.equal(status["primary"], "a PartnerDown");
  assert.equal(status["serving"], "a");
  assert.equal(status["takeover"], "03:50Z");
  const later = separated({ relationship: held, members: [alone(), gone], now: unixSeconds(NOW + 3001) });
  assert.equal(
    statusAfter({ ...later, members: [{ ...alone(), heardAt: later.now }, gone] })["takeover"],
    "",
  );
});

test("a time of another day has its date, also when it is less than a day away", () => {
  const at = (text: string) => unixSeconds(Date.parse(text) / 1000);
  const now = at("2026-03-01T03:00:00Z");
  assert.equal(clockTime(at("2026-03-01T00:00:00Z"), now), "00:00Z");
  assert.equal(clockTime(at("2026-03-01T23:59:59Z"), now), "23:59Z");
  assert.equal(clockTime(at("2026-02-28T23:59:59Z"), now), "2026-02-28 23:59Z");
  assert.equal(clockTime(at("2026-03-02T01:53:00Z"), now), "2026-03-02 01:53Z");
});

test("the takeover is where the member reckons it: a lowered MCLT shortens no wait that has begun", () => {
  const compiled = { kind: "compiled", config: config({ mcltSeconds: seconds(600) }), rejected: [] } as const;
  const takeover = (waitLeadSeconds: number | null) => {
    const says = { ...alone().report, waitLeadSeconds };
    return statusAfter(separated({ relationship: held, members: [member("a", { says }), gone], compiled }))[
      "takeover"
    ];
  };
  assert.equal(takeover(3600), "03:50Z");
  assert.equal(takeover(900), "03:05Z");
  assert.equal(takeover(null), "", "an older engine does not say");
});

test("Ready tells the story: who is gone since when, who serves whom, what comes next", () => {
  const seen = separated({ relationship: held, members: [alone(), gone] });
  const since = "2026-03-01T02:14:00Z";
  const status = { ...held.status, members: [{ name: "b", state: "Unknown", since }] };
  const message = conditionOf(statusAfter({ ...seen, relationship: { ...held, status } }), "Ready")?.message;
  assert.equal(
    message,
    "a is in PARTNER-DOWN since 02:50Z and answers all clients. b is unreachable since 02:14Z: its pod is gone. " +
      "a has more than 99 free addresses. a takes b's addresses at 03:50Z.",
  );
});

test("Ready says why an engine does not run, in the engine's own words", () => {
  const stopped = member("b", {
    pod: { ...member("b").pod!, running: false, failure: "no interface has the address 192.0.2.2." },
  });
  const status = statusAfter(separated({ members: [alone("CommunicationsInterrupted"), stopped] }));
  const message = conditionOf(status, "Ready")?.message ?? "";
  assert.match(message, / its engine is not running: no interface has the address 192\.0\.2\.2\. a has /);
});

test("Ready says where to look when a member's pod does not come", () => {
  const never = member("b", { report: null, reportVersion: "", pod: null });
  const message =
    conditionOf(statusAfter(observed({ members: [member("a"), never] })), "Ready")?.message ?? "";
  assert.match(message, /b has no pod yet \(if that lasts, "kubectl -n dhcp describe statefulset campus-b"/);
  assert.match(
    message,
    /"kubectl label namespace dhcp pod-security\.kubernetes\.io\/enforce=privileged"\)\./,
  );
});

test("Ready says how to go on when only a human can decide", () => {
  const message = conditionOf(statusAfter(separated()), "Ready")?.message ?? "";
  assert.match(message, /DeclarePartnerDown with survivor a and expectedEpoch 0/);
  assert.match(message, /if b is certainly off/);
});

test("roles follow spec.primary", () => {
  const status = statusAfter(observed({ relationship: relationship({ primary: "b" }) }));
  assert.equal(status["primary"], "b Normal");
  assert.equal(status["secondary"], "a Normal");
});

for (const [said, reason, expected] of [
  [
    'pods "campus-b-0" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
    "PodSecurityViolation",
    /Namespace dhcp refuses the pod of b: its label pod-security\.kubernetes\.io\/enforce, .* is baseline, .* Type: kubectl label --overwrite namespace dhcp pod-security\.kubernetes\.io\/enforce=privileged\./,
  ],
  [
    'pods "campus-b-0" is forbidden: exceeded quota: pods=1',
    "PodRefused",
    /Kubernetes refuses the pod of b: pods "campus-b-0" is forbidden: exceeded quota/,
  ],
] as const) {
  test(`a pod that Kubernetes refuses: ${reason}, in Ready and Stalled, at the start and after a drain`, () => {
    const never = member("b", { report: null, reportVersion: "", pod: null, podRefusal: said });
    const drained = member("b", { pod: null, podRefusal: said });
    const alone = member("a", { says: { state: "CommunicationsInterrupted" } });
    for (const [b, a, ready] of [
      [never, member("a"), reason],
      [drained, alone, "CommunicationsInterrupted"],
    ] as const) {
      const status = statusAfter(observed({ members: [a, b] }));
      assert.equal(conditionOf(status, "Ready")?.reason, ready);
      assert.match(conditionOf(status, "Ready")?.message ?? "", expected);
      assert.deepEqual(
        [conditionOf(status, "Stalled")?.reason, conditionOf(status, "Reconciling")],
        [reason, undefined],
      );
    }
    const there = observed({ members: [member("a"), member("b", { podRefusal: said })] });
    assert.equal(conditionOf(statusAfter(there), "Stalled"), undefined, "history, once there is a pod");
  });
}

test("while both live and the link between them is cut, nobody is invited to declare the other one down", () => {
  const apart = { state: "CommunicationsInterrupted", serving: "OwnAddresses" } as const;
  const members = [member("a", { says: apart }), member("b", { says: apart })];
  const message = conditionOf(statusAfter(observed({ members })), "Ready")?.message ?? "";
  assert.equal(message.match(/Both members live, and the link between them is cut: mend it/g)?.length, 1);
  assert.doesNotMatch(message, /DeclarePartnerDown/);
});

test("without any scope, members that serve are no comfort, and Available says so", () => {
  const compiled = { kind: "compiled", config: config({ scopes: [] }), rejected: [] } as const;
  const message = conditionOf(statusAfter(observed({ compiled })), "Available")?.message;
  assert.equal(message, "a and b answer clients. There is no DHCPScope, so no client is given an address.");
});
