// Which certificates are due, in which order an authority is followed by another, and what LinkSecure says of trouble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LINK_DISTRUSTS, type LinkRefusal, TERMS_DIFFER } from "../../../src/base/link-refusal.ts";
import { unixSeconds } from "../../../src/base/units.ts";
import { decide } from "../../../src/controller/decide/decide.ts";
import { linkSteps } from "../../../src/controller/decide/link.ts";
import type {
  CertificateView,
  LinkView,
  MemberCertificateView,
  Observed,
} from "../../../src/controller/observed.ts";
import {
  children,
  conditionOf,
  kindsOf,
  linkView,
  member,
  NOW,
  OPTIONS,
  observed,
  rejection,
  relationship,
  settled,
  statusAfter,
} from "../observed-fixture.ts";

const DAY = 86_400;
const healthy = linkView();
const leaf = (name: string, changes: Partial<MemberCertificateView> = {}): MemberCertificateView => ({
  ...(healthy.members.get(name) as MemberCertificateView),
  ...changes,
});
const members = (a: MemberCertificateView | null, b: MemberCertificateView | null = leaf("b")) =>
  new Map([
    ["a", a],
    ["b", b],
  ]);
const authority = (fingerprint: string, yearsLeft = 5): CertificateView => ({
  fingerprint,
  issuedAt: unixSeconds(NOW - DAY),
  notAfter: unixSeconds(NOW + yearsLeft * 365 * DAY),
});

function stepsOf(changes: Partial<LinkView>): string[] {
  return linkSteps(observed({ link: { kind: "read", view: linkView(changes) } })).map((step) =>
    step.kind === "issue" ? `issue ${step.member}` : step.kind,
  );
}

const issuedAgo = (name: string, seconds: number, changes: Partial<MemberCertificateView> = {}) =>
  leaf(name, { issuedAt: unixSeconds(NOW - seconds), ...changes });

for (const [what, changes, expected] of [
  ["nothing is due", {}, []],
  ["no authority yet", { authority: null }, ["create-authority"]],
  [
    "the authority has expired",
    { authority: { current: authority("CA", -1), next: null, previous: null } },
    ["create-authority"],
  ],
  ["a member without certificate", { members: members(null) }, ["issue a"]],
  ["60 days old", { members: members(issuedAgo("a", 60 * DAY)) }, ["issue a"]],
  ["a second less", { members: members(issuedAgo("a", 60 * DAY - 1)) }, []],
  ["made by a clock that was a day ahead", { members: members(issuedAgo("a", -DAY)) }, ["issue a"]],
  ["made by a clock that was half an hour ahead", { members: members(issuedAgo("a", -1800)) }, []],
  [
    "an authority made by a clock that was a day ahead",
    {
      authority: {
        current: { ...authority("CA"), issuedAt: unixSeconds(NOW + DAY) },
        next: null,
        previous: null,
      },
    },
    ["prepare-authority"],
  ],
  ["signed by an authority that is gone", { members: members(leaf("a", { signedBy: null })) }, ["issue a"]],
  [
    "another identity",
    { members: members(leaf("a", { identities: ["leasepair://dhcp/campus/b"] })) },
    ["issue a"],
  ],
  [
    "one identity too many",
    { members: members(leaf("a", { identities: ["x", "leasepair://dhcp/campus/a"] })) },
    ["issue a"],
  ],
  ["an authority of the partner's was added", { extra: ["THEIRS"] }, ["issue a", "issue b"]],
  ["others bring the certificates", { source: "brought", authority: null, members: members(null) }, []],
] as const) {
  test(`certificates: ${what}`, () => assert.deepEqual(stepsOf(changes as Partial<LinkView>), expected));
}

test("an authority is followed in three steps, and both members trust the signer at every one of them", () => {
  const soon = { current: authority("CA", 0.4), next: null, previous: null };
  assert.deepEqual(stepsOf({ authority: soon }), ["prepare-authority"]);

  const prepared = { ...soon, next: authority("NEW") };
  assert.deepEqual(stepsOf({ authority: prepared }), ["issue a", "issue b"], "told to trust the next one");
  const both = (name: string, ago: number, signedBy: string) =>
    issuedAgo(name, ago, { trusts: ["CA", "NEW"], signedBy });
  const told = (ago: number) => members(both("a", ago, "CA"), both("b", 3600, "CA"));
  assert.deepEqual(stepsOf({ authority: prepared, members: told(899) }), [], "not before every pod has it");
  assert.deepEqual(stepsOf({ authority: prepared, members: told(900) }), ["promote-authority"]);

  const promoted = { current: authority("NEW"), next: null, previous: authority("CA", 0.4) };
  assert.deepEqual(stepsOf({ authority: promoted, members: told(900) }), ["issue a", "issue b"]);
  const renewed = (ago: number) => members(both("a", ago, "NEW"), both("b", ago, "NEW"));
  assert.deepEqual(stepsOf({ authority: promoted, members: renewed(899) }), []);
  assert.deepEqual(stepsOf({ authority: promoted, members: renewed(900) }), ["retire-authority"]);

  const retired = { current: authority("NEW"), next: null, previous: null };
  assert.deepEqual(stepsOf({ authority: retired, members: renewed(900) }), ["issue a", "issue b"]);
});

function secure(changes: Partial<Parameters<typeof observed>[0] & object>): string {
  const condition = conditionOf(statusAfter(observed(changes)), "LinkSecure");
  return `${condition?.status}/${condition?.reason}: ${condition?.message}`;
}
const brought = (a: MemberCertificateView | null, b = leaf("b")) => ({
  link: {
    kind: "read",
    view: linkView({
      source: "brought",
      authority: null,
      members: members(a, b),
      secretNames: new Map([
        ["a", "theirs-a"],
        ["b", "theirs-b"],
      ]),
    }),
  } as const,
});

for (const [what, changes, expected] of [
  ["mutual TLS", {}, /^True\/MutualTLS: .*good until 2026-05-29/],
  [
    "no Secret",
    brought(null),
    /^False\/CertificateMissing: Secret theirs-a .*uris: \["leasepair:\/\/dhcp\/campus\/a"\]/,
  ],
  [
    "another's identity",
    brought(leaf("a", { identities: ["leasepair://dhcp/lab/a"] })),
    /^False\/WrongIdentity: .*speaks for leasepair:\/\/dhcp\/lab\/a, not for leasepair:\/\/dhcp\/campus\/a/,
  ],
  [
    "expired",
    brought(leaf("a", { notAfter: NOW })),
    /^False\/CertificateExpired: The certificate of a has expired/,
  ],
  [
    "signed by an authority that the partner does not trust",
    brought(leaf("a", { signedBy: "ELSE", trusts: ["CA", "ELSE"] })),
    /^False\/NotTrusted: .*authority that b does not trust/,
  ],
  ["a dhcpd", { link: { kind: "clear" } as const }, /^False\/ClearText: .*dhcpd/],
  [
    "Secrets that cannot be read",
    { link: { kind: "unread", message: "forbidden" } as const },
    /^Unknown\/SecretsUnreadable: forbidden/,
  ],
  [
    "a member that still runs in clear",
    { members: [member("a", { says: { linkSecurity: "Clear" } }), member("b")] },
    /^False\/ClearText: a runs the link in clear/,
  ],
  [
    "a member that did not say",
    { members: [member("a", { says: { linkSecurity: null } }), member("b")] },
    /^Unknown\/NotReported/,
  ],
] as const) {
  test(`LinkSecure: ${what}`, () => assert.match(secure(changes), expected));
}

const refuses = (reason: LinkRefusal["reason"], message: string) => ({
  members: [member("a", { says: { linkRefusal: { reason, message } } }), member("b")],
});
for (const reason of LINK_DISTRUSTS) {
  test(`LinkSecure: an engine that refuses its partner for ${reason}, with whom and what to do`, () =>
    assert.match(
      secure(refuses(reason, "its certificate is odd")),
      new RegExp(`^False/${reason}: a refuses b: its certificate is odd\\. \\w`),
    ));
}

for (const [reason, remedy] of [
  ["WrongIdentity", /must have the same names on both sides/],
  ["CertificateExpired", /Renew the certificate of a/],
  ["CertificateRevoked", /present authority of a to b: spec\.link\.tls\.trustedAuthorities there/],
  ["UnknownAuthority", /authority of a to b: spec\.link\.tls\.trustedAuthorities there/],
  ["Unheard-of", /The log of b says more/],
] as const) {
  test(`LinkSecure: a partner elsewhere that refuses our end for ${reason} is told with its words, and what to do on which side`, () => {
    const a = member("a", {
      says: { linkRefusal: { reason: "RefusedByPartner", message: `${reason}: odd` } },
    });
    const b = member("b", { isExternal: true, report: null, reportVersion: "", pod: null });
    const view = linkView({ members: new Map([...linkView().members].filter(([name]) => name === "a")) });
    const told = secure({ members: [a, b], link: { kind: "read", view } });
    assert.ok(told.startsWith(`False/RefusedByPartner: b refuses a, and says of it: ${reason}: odd. `), told);
    assert.match(told, remedy);
  });
}

test("of two members that run here, the one that refuses is believed first", () => {
  const heard = { reason: "RefusedByPartner", message: "CertificateExpired: odd" } as const;
  const own = { reason: "CertificateExpired", message: "odd" } as const;
  const members = [
    member("a", { says: { linkRefusal: heard } }),
    member("b", { says: { linkRefusal: own } }),
  ];
  assert.match(secure({ members }), /^False\/CertificateExpired: b refuses a: odd/);
});

test("what an engine refuses counts though the Secrets are in order; what a Secret shows goes before", () => {
  const expired = { ...brought(leaf("a", { notAfter: NOW })), ...refuses("HandshakeBroken", "closed") };
  assert.match(secure(expired), /^False\/CertificateExpired: The certificate of a has expired/);
});

test("terms that differ are no matter of the link's security: Ready tells them", () => {
  const says = {
    state: "CommunicationsInterrupted",
    linkRefusal: { reason: TERMS_DIFFER, message: "the clocks are 70 s apart" },
  } as const;
  const seen = observed({
    members: [member("a", { says }), member("b", { says: { ...says, linkRefusal: null } })],
  });
  assert.equal(conditionOf(statusAfter(seen), "LinkSecure")?.status, "True");
  assert.match(
    conditionOf(statusAfter(seen), "Ready")?.message ?? "",
    /a and b do not meet: the clocks are 70 s apart\./,
  );
});

test("an event tells when the link is refused and when it is secured again, not that a member has yet to report", () => {
  const told = (before: Observed, after: Partial<Observed>) =>
    decide({ ...settled(before), ...after, relationship: settled(before).relationship }, OPTIONS)
      .effects.flatMap((effect) => (effect.kind === "event" ? [effect.event] : []))
      .filter(({ action }) => action === "JudgeLinkSecure")
      .map(({ type, note }) => `${type} ${note.slice(0, note.indexOf(": ", 12))}`);
  const well = observed();
  const refused = refuses("CertificateRevoked", "earlier authority");
  const silent = { members: [member("a", { says: { linkSecurity: null } }), member("b")] };
  assert.deepEqual(told(well, refused), ["Warning LinkSecure: True/MutualTLS -> False/CertificateRevoked"]);
  assert.deepEqual(told(observed(refused), { members: well.members }), [
    "Normal LinkSecure: False/CertificateRevoked -> True/MutualTLS",
  ]);
  assert.deepEqual(told(well, silent), []);
  assert.deepEqual(told(observed(silent), { members: well.members }), []);
});

test("what keeps the link from being secured is looked at again soon: no event tells of a Secret", () => {
  const message = "Secret campus-a-link exists and does not belong to this relationship";
  assert.equal(decide(observed({ link: { kind: "unread", message } }), OPTIONS).requeueAfterSeconds, 10);
  assert.equal(decide(observed(), OPTIONS).requeueAfterSeconds, null, "at rest nothing is read");
});

test("no pod is made before it has a certificate to mount: the kubelet would try it again ever later", () => {
  const applied = (view: LinkView) => {
    const { effects, requeueAfterSeconds } = decide(
      observed({ link: { kind: "read", view }, children: new Map() }),
      OPTIONS,
    );
    const kinds = effects.flatMap((effect) =>
      effect.kind === "link" ? [effect.step.kind] : effect.kind === "apply" ? [effect.object.kind] : [],
    );
    return { kinds, requeueAfterSeconds };
  };
  const first = applied(linkView({ authority: null, members: members(null, null) }));
  assert.equal(first.kinds[0], "create-authority");
  assert.ok(first.kinds.includes("FailoverMember") && !first.kinds.includes("StatefulSet"));
  assert.equal(first.requeueAfterSeconds, 1, "soon, and never without a pause");
  const second = applied(linkView({ members: members(null, null) }));
  assert.deepEqual(second.kinds.slice(0, 2), ["issue", "issue"]);
  assert.equal(second.kinds.filter((kind) => kind === "StatefulSet").length, 2);
});

test("certificates that somebody else brings are waited for: no running member is restarted into a pod that cannot start", () => {
  const relations = { linkSecretBase: "theirs" };
  const sets = (changes: Partial<Parameters<typeof observed>[0] & object>) =>
    kindsOf(decide(observed({ relationship: relationship(relations), ...changes }), OPTIONS).effects).filter(
      (kind) => /StatefulSet|delete-pod/.test(kind),
    );
  const expired = leaf("a", { notAfter: NOW });
  assert.deepEqual(sets(brought(null)), [], "missing");
  assert.deepEqual(sets(brought(expired)), [], "expired");
  assert.deepEqual(sets(brought(leaf("a"))), ["apply StatefulSet campus-a", "apply StatefulSet campus-b"]);
  const told = statusAfter(observed({ relationship: relationship(relations), ...brought(null) }));
  const { reason, message } = conditionOf(told, "Reconciling") ?? {};
  assert.equal(reason, "CertificateMissing");
  assert.match(message ?? "", /No pod is made or changed before.*Secret theirs-a/);
  assert.equal(conditionOf(told, "Ready")?.status, "True", "what runs goes on");
  // With such a certificate mounted already, another image is no worse.
  const same = children(undefined, relations);
  const image = { ...OPTIONS, image: "example.org/leasepair:2" };
  const seen = observed({ relationship: relationship(relations), children: same, ...brought(expired) });
  assert.ok(kindsOf(decide(seen, image).effects).includes("apply StatefulSet campus-a"));
});

test("a pair whose spec is refused keeps certificates that hold, and gets none that it never had", () => {
  const compiled = { kind: "rejected", rejected: [rejection("Invalid")] } as const;
  const made = (changes: Partial<LinkView>) =>
    decide(observed({ compiled, link: { kind: "read", view: linkView(changes) } }), OPTIONS).effects.flatMap(
      (effect) => (effect.kind === "link" ? [effect.step.kind] : []),
    );
  const old = members(issuedAgo("a", 60 * DAY));
  assert.deepEqual(made({ members: old }), ["issue"], "renewed");
  assert.deepEqual(made({ members: old, extra: ["THEIRS"] }), [], "trust that was not accepted");
  assert.deepEqual(made({ members: members(null) }), [], "one that it never had");
  assert.deepEqual(made({ authority: null, members: members(null, null) }), [], "a new pair");
});

test("a new pair is not warned of certificates that nobody can have made yet", () => {
  for (const authority of [null, healthy.authority]) {
    const view = linkView({ authority, members: members(null, null) });
    const seen = observed({ link: { kind: "read", view }, children: new Map() });
    assert.equal(conditionOf(statusAfter(seen), "LinkSecure")?.reason, "CertificatesPending");
    assert.equal(kindsOf(decide(seen, OPTIONS).effects).includes("event CertificateMissing"), false);
  }
});
