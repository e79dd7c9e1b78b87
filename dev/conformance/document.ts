// docs/protocol/conformance.md: every MUST, MUST NOT, SHOULD and SHOULD NOT of the RFCs that bind a DHCPv4 server here, and every
// MUST of the failover draft, with the tests that hold it. Made from the tests' titles; nothing in it is written by hand.

import { type DraftMust, draftChapter } from "./failover-draft.ts";
import { levelOf, type Requirement } from "./requirements.ts";
import { cell } from "./table-cell.ts";

const TITLES: Readonly<Record<number, string>> = {
  1534: "Interoperation Between DHCP and BOOTP",
  1542: "Clarifications and Extensions for BOOTP",
  2131: "Dynamic Host Configuration Protocol",
  2132: "DHCP Options and BOOTP Vendor Extensions",
  2563: "Disabling Stateless Auto-Configuration",
  3004: "The User Class Option",
  3011: "The Subnet Selection Option",
  3046: "DHCP Relay Agent Information Option",
  3074: "DHC Load Balancing Algorithm",
  3396: "Encoding Long Options",
  3397: "The Domain Search Option",
  3442: "The Classless Static Route Option",
  3527: "Link Selection sub-option",
  3925: "Vendor-Identifying Vendor Options",
  3993: "Subscriber-ID Suboption",
  4039: "The Rapid Commit Option",
  4361: "Node-specific Client Identifiers",
  4388: "DHCP Leasequery",
  4578: "DHCP Options for PXE",
  4702: "The Client FQDN Option",
  5010: "Relay Agent Flags Suboption",
  5107: "Server Identifier Override Suboption",
  6842: "Client Identifier Option in Server Replies",
  8357: "Generalized UDP Source Port for Relays",
  8925: "IPv6-Only Preferred Option",
};

/** What this server does not claim to speak, and what it does with it. */
const NOT_CLAIMED: readonly (readonly [rfc: string, title: string, instead: string])[] = [
  ["3118", "Authentication for DHCP Messages", "option 90 is ignored: the message counts as if it had none"],
  ["3203, 6704", "DHCP reconfigure extension", "no FORCERENEW is sent, and one that comes is dropped"],
  ["4030", "Authentication of relay information", "sub-option 8 comes back as it came and is not checked"],
  ["4701, 4703, 2136", "DNS updates", "none are made, and option 81 says so by its N bit (RFC 4702)"],
  ["6607", "Virtual Subnet Selection", "sub-options 151 and 152 come back as they came and choose nothing"],
  ["6656", "Subnet Allocation Option", "option 220 is ignored"],
  ["6926", "Bulk Leasequery", "nothing listens for it on TCP, and its messages on UDP are dropped"],
  ["7724", "Active Leasequery", "as bulk leasequery; the lease history in JSON lines is there instead"],
];

/** The document. `files` names the file of each test title. */
export function conformanceDocument(
  requirements: readonly Requirement[],
  files: ReadonlyMap<string, string>,
  draftMusts: readonly DraftMust[],
): string {
  const rfcs = [...new Set(requirements.map(({ rfc }) => rfc))];
  const ours = requirements.filter(({ party }) => party === "server");
  const held = ours.filter(({ tests }) => (tests?.length ?? 0) > 0);
  return [
    "<!-- Made by `npm run conformance` from test/conformance/requirements.json, failover-draft.json beside it and the tests' titles. Do not edit. -->",
    "# Conformance",
    "",
    "Every sentence of these RFCs that says MUST, MUST NOT, SHOULD, SHOULD NOT (or SHALL, REQUIRED) and binds a DHCPv4 server, with the",
    "tests that hold it. A sentence without a test says why. That a test fails when its sentence is broken is itself tested, by",
    "planting the violation (test/conformance/planted.e2e.test.ts).",
    "",
    `${ours.length} sentences bind a server; ${held.length} are held by tests. ${requirements.length - ours.length} more bind clients, relays or others.`,
    "",
    ...summary(rfcs, requirements),
    ...notClaimed(),
    ...draftChapter(draftMusts),
    ...rfcs.flatMap((rfc) =>
      chapter(
        rfc,
        requirements.filter((row) => row.rfc === rfc),
        files,
      ),
    ),
  ].join("\n");
}

function summary(rfcs: readonly number[], requirements: readonly Requirement[]): string[] {
  const rows = rfcs.map((rfc) => {
    const ours = requirements.filter((row) => row.rfc === rfc && row.party === "server");
    const must = ours.filter((row) => levelOf(row).startsWith("MUST"));
    const count = (rows: readonly Requirement[]) => rows.filter((row) => !isOpen(row) && !row.departs).length;
    const should = ours.filter((row) => !must.includes(row));
    return `| RFC ${rfc} | ${TITLES[rfc] ?? ""} | ${count(must)} of ${must.length} | ${count(should)} of ${should.length} |`;
  });
  return ["| RFC | title | MUST held | SHOULD held |", "| --- | --- | --- | --- |", ...rows, ""];
}

function notClaimed(): string[] {
  return [
    "## Not claimed",
    "",
    "| RFC | title | what is done with it |",
    "| --- | --- | --- |",
    ...NOT_CLAIMED.map(([rfc, title, instead]) => `| ${rfc} | ${title} | ${instead} |`),
    "",
  ];
}

function isOpen({ tests = [], void: isVoid, departs }: Requirement): boolean {
  return tests.length === 0 && isVoid === undefined && departs === undefined;
}

function chapter(rfc: number, rows: readonly Requirement[], files: ReadonlyMap<string, string>): string[] {
  const ours = rows.filter(({ party }) => party === "server");
  return [
    `## RFC ${rfc}: ${TITLES[rfc] ?? ""}`,
    "",
    "| section | level | sentence | held by |",
    "| --- | --- | --- | --- |",
    ...ours.map((row) => `| ${row.section} | ${levelOf(row)} | ${cell(row.text)} | ${holder(row, files)} |`),
    "",
  ];
}

function holder(row: Requirement, files: ReadonlyMap<string, string>): string {
  if (row.void !== undefined) return `Never arises: ${cell(row.void)}`;
  if (row.departs !== undefined) return `**Departs:** ${cell(row.departs)}`;
  if (isOpen(row)) return "**Not held yet.**";
  return (row.tests ?? [])
    .map((title) => `${cell(title)} (${files.get(title) ?? "no such test"})`)
    .join("<br>");
}
