// `leasepair explain` as people use it: asked over the socket of an engine that runs, about every kind of address and client
// there is. What the engine knows was written into its store beforehand, as an engine leaves it.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bootMs, unixSeconds } from "../../src/base/units.ts";
import { createEngine } from "../../src/dhcp/engine/engine.ts";
import { openDataDirectory } from "../../src/dhcp/host/data-directory.ts";
import { FileDisk } from "../../src/dhcp/host/files.ts";
import { type Binding, freshBinding } from "../../src/dhcp/lease/binding.ts";
import { openStore } from "../../src/dhcp/store/store.ts";
import { campusYaml, compiledCampus } from "../dhcp/host/campus.ts";
import { hardwareClient, ip } from "../dhcp/server/world.ts";
import { type RunningCli, runCli, startCli } from "./run-cli.ts";

const NETWORK = `127.${1 + ((process.pid >> 8) % 250)}.${process.pid % 256}`;
const LINK = {
  addresses: [`${NETWORK}.81`, `${NETWORK}.82`],
  metricsPort: 29_667,
  linkPort: 26_487,
} as const;
const RESERVED = `---
apiVersion: leasepair.io/v1alpha1
kind: DHCPReservationSet
metadata: { name: boards, namespace: default }
spec:
  scopeRef: { name: users }
  entries:
    - { address: 10.20.0.150, hardwareAddress: "02:00:00:00:00:51" }
`;
/** Buckets 13 and 133 of 256: of a share of 50 % the former is the primary's. */
const [OF_A, OF_B] = ["020000000005", "020000000001"];
const NOW = Math.floor(Date.now() / 1000);
const at = (offset: number) => unixSeconds(NOW + offset);

/** Leases that the partner knows, whose client was last heard 100 s ago. */
function lease(last: number, client: string, changes: Partial<Binding> = {}): Binding {
  return {
    ...freshBinding(ip(`10.20.0.${last}`)),
    status: "ACTIVE",
    client: hardwareClient(client),
    statusSince: at(-100),
    lastTransactionAt: at(-100),
    expiresAt: at(3_000),
    potentialSent: at(4_000),
    potentialAcked: at(4_000),
    acknowledged: true,
    ...changes,
  };
}

/** Ended after the partner had heard of it, so that it waits for its word. */
const ENDED = { expiresAt: at(-50), acknowledged: false } as const;
const BINDINGS: readonly Binding[] = [
  { ...freshBinding(ip("10.20.0.101")), status: "BACKUP", statusSince: at(-500), acknowledged: true },
  lease(102, OF_A),
  lease(103, OF_B),
  lease(104, "020000000061", { ...ENDED, status: "EXPIRED", statusSince: at(-40) }),
  lease(105, "020000000062", { ...ENDED, status: "RELEASED", statusSince: at(-45) }),
  { ...freshBinding(ip("10.20.0.106")), status: "ABANDONED", statusSince: at(-10), acknowledged: true },
  lease(20, "020000000063"),
];

/** The store of a primary that was in NORMAL a second ago. */
async function writeStore(path: string): Promise<void> {
  const { leases, release } = openDataDirectory(path);
  const config = compiledCampus(LINK);
  const random = { uint32: () => 7 };
  const opened = openStore({
    disk: new FileDisk(leases),
    relationship: "default/campus",
    relationshipUid: config.uid,
    member: "a",
    random,
    log: () => {},
  });
  assert.ok(opened.kind === "opened");
  const { store } = opened;
  const now = { wall: at(0), boot: bootMs(0) };
  const basis = {
    member: "a",
    config,
    identity: store.identity,
    records: [],
    bootId: "written",
    random,
    now,
  };
  const endpoint = {
    ...createEngine(basis).endpoint,
    state: "NORMAL",
    agreedMcltSeconds: 60,
    complete: true,
    lastAliveAt: at(-1),
    lastContactAt: at(-1),
    stateSince: at(-1_000),
    side: "primary",
    shape: config.shape,
  } as const;
  store.append({ kind: "endpoint", endpoint });
  for (const binding of BINDINGS) store.append({ kind: "binding", binding });
  await new Promise<void>((resolve, reject) =>
    store.flush((fault) => (fault === null ? resolve() : reject(fault))),
  );
  release();
}

let directory = "";
let engine: RunningCli;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "leasepair-explain-"));
  mkdirSync(join(directory, "manifests"));
  writeFileSync(join(directory, "manifests", "campus.yaml"), campusYaml(LINK) + RESERVED);
  await writeStore(join(directory, "data"));
  engine = startCli([
    "engine",
    ...["--relationship", "default/campus", "--member", "a", "--dhcp-port", "20087", "--clear-link"],
    ...["--manifests", join(directory, "manifests"), "--data-dir", join(directory, "data")],
  ]);
  await engine.until(/"to":"COMMUNICATIONS-INTERRUPTED"/);
});
after(async () => {
  engine.child.kill("SIGKILL");
  await engine.ended();
  rmSync(directory, { recursive: true, force: true });
});

async function explained(what: string): Promise<string> {
  const run = await runCli(["explain", what, "--data-dir", join(directory, "data")]);
  assert.equal(run.code, 0, run.stderr);
  return run.stdout;
}

const TIME = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ";
const re = (text: string) => new RegExp(text.replaceAll("TIME", TIME));

/** What is asked, and lines of the answer with their rules. */
const ASKED: readonly (readonly [kind: string, what: string, lines: readonly string[], never?: RegExp])[] = [
  [
    "a free address of its own",
    "10.20.0.100",
    [
      "^10\\.20\\.0\\.100, as a sees it in COMMUNICATIONS-INTERRUPTED\n",
      "owner: +FREE: a's to give, and was never used \\[S6, S7\\]",
      "promises: +none: W is never \\[S4\\]",
      "a lease now: +60 s of 600 s: ends at max\\(now\\) \\+ MCLT \\(60 s\\) at the latest \\[S3\\]",
      "a may give it to another client: +now \\[S6 i\\]",
      "b may give it to another client: +when a gives it; alone only after a grant.* \\[S6, W6\\]",
    ],
  ],
  [
    "a free address of the partner",
    "10.20.0.101",
    [
      "owner: +BACKUP: b's to give, since TIME \\[S6, S7\\]",
      "a may give it to another client: +when b gives it, or after a grant at max\\(W, entry\\).* \\[S6, W6\\]",
      "b may give it to another client: +now \\[S6 i\\]",
    ],
  ],
  [
    "a lease of a client that it answers",
    "10.20.0.102",
    [
      "owner: +ACTIVE: leased to 02:00:00:00:00:05 since TIME \\[S6, S7\\]",
      "answered by: +bucket 13 of 256: a answers it \\(the primary has 50 %\\) \\[RFC 3074\\]",
      "told to the client: +E = TIME \\[W4\\]",
      "told to the partner: +sent = TIME \\[S5\\]",
      "acknowledged by the partner: +acked = TIME \\[S5\\]",
      "told by the partner: +recv = never \\[S5\\]",
      "latest possible end: +W = TIME, the latest of the four \\[S4\\]",
      "a lease now: +600 s of 600 s: what the scope wants \\[S3\\]",
      "a may give it to another client: +when it has ended, not before TIME, and b agrees \\[W15, S6\\]",
    ],
  ],
  [
    "a lease of a client that its partner answers",
    "10.20.0.103",
    ["ACTIVE: leased to 02:00:00:00:00:01 since", "bucket 133 of 256: b answers it"],
  ],
  [
    "an ended lease that waits for the partner's word",
    "10.20.0.104",
    [
      "owner: +EXPIRED since TIME: 02:00:00:00:00:61's lease ended, and the two members have not settled it yet; b has not acknowledged that yet \\[S6, S7\\]",
      "a may give it to another client: +when b has agreed that the lease is over \\[S6\\]",
      "b may give it to another client: +when a agrees that the lease is over",
    ],
  ],
  [
    "a released one",
    "10.20.0.105",
    [
      "owner: +RELEASED since TIME: 02:00:00:00:00:62 gave it back, and the two members have not settled it yet; b has not",
      "a may give it to another client: +when b has agreed",
    ],
  ],
  [
    "an abandoned one",
    "10.20.0.106",
    [
      "owner: +ABANDONED since TIME: somebody uses it without a lease \\[S6, S7\\]",
      "a may give it to another client: +when it has rested long enough \\[RFC 2131 4.3.3\\]",
    ],
  ],
  [
    "a reserved one",
    "10.20.0.150",
    [
      "owner: +FREE: a's to give, and was never used",
      "reserved: +for 02:00:00:00:00:51 alone, in scope users; while it is free, its owner answers that client \\[RFC 2131 4.3.1\\]",
    ],
    /may give it to another client/,
  ],
  [
    "an address of the subnet that is in no range",
    "10.20.0.5",
    [
      "^10\\.20\\.0\\.5, as a sees it.*\n  address: +is in no range of scope users: nobody new is given it \\[design 2\\]\n$",
    ],
  ],
  [
    "a lease that its range was taken from",
    "10.20.0.20",
    [
      "ACTIVE: leased to 02:00:00:00:00:63",
      "address: +is in no range of scope users: nobody new is given it",
    ],
    /may give it to another client/,
  ],
  [
    "an address of no scope",
    "192.0.2.9",
    ["^192\\.0\\.2\\.9, as a sees it.*\n  address: +is in no scope of this relationship \\[design 2\\]\n$"],
  ],
  ["a client with a lease", "02:00:00:00:00:05", ["^10\\.20\\.0\\.102, as a sees it", "ACTIVE: leased to"]],
  ["a client with a reservation alone", "02-00-00-00-00-51", ["^10\\.20\\.0\\.150, as a", "reserved: +for"]],
  [
    "an unknown client by its hardware address",
    "02:00:00:00:00:0e",
    [
      "^No address, as a sees it in COMMUNICATIONS-INTERRUPTED\n",
      "address: +the client holds none and is not known here \\[S6\\]",
      "answered by: +bucket 0 of 256: a answers it",
    ],
  ],
  [
    "an unknown client by its identifier",
    "id:00636c69656e742d32",
    ["^No address", "bucket 159 of 256: b answers"],
  ],
];

describe("leasepair explain, asked of a running engine", () => {
  for (const [kind, what, lines, never] of ASKED) {
    test(`about ${kind}`, async () => {
      const text = await explained(what);
      for (const line of lines) assert.match(text, re(line));
      if (never !== undefined) assert.doesNotMatch(text, never);
      for (const line of text.trimEnd().split("\n").slice(1)) {
        assert.match(line, /^ {2}[a-z][^:]*: +\S.* \[[^\]]+\]$/, "every line ends with its rule");
      }
    });
  }

  test("as JSON it says the same", async () => {
    const flags = ["--data-dir", join(directory, "data"), "--output", "json"];
    const run = await runCli(["explain", "10.20.0.106", ...flags]);
    const [explanation] = JSON.parse(run.stdout);
    assert.deepEqual(
      [explanation.member, explanation.state, explanation.address],
      ["a", "COMMUNICATIONS-INTERRUPTED", "10.20.0.106"],
    );
    assert.match(explanation.facts[0].text, /^ABANDONED/);
  });

  test("about what is neither address nor client it ends with 1 and says what it can be asked", async () => {
    const run = await runCli(["explain", "printer", "--data-dir", join(directory, "data")]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /not an address, a hardware address such as .*, or id:/);
  });
});
