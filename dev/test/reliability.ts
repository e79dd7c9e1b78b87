// Writes docs/reliability.md from what the tests measured: one line of JSON for each measurement, in the file that
// LEASEPAIR_FIGURES names. Only `npm run test:all` does that, so that the page always shows one whole run.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";

/** What clients saw of a fault. */
interface FaultFigures {
  readonly fault: string;
  readonly seconds: number;
  readonly longestWaitMs: number;
  readonly newcomers: number;
  readonly renewals: number;
  readonly rebinds: number;
  readonly lost: number;
  readonly violations: readonly string[];
}

/** Anything else, in words. */
interface Fact {
  readonly what: string;
  readonly figure: string;
}

type Measurement = { readonly suite: string } & (FaultFigures | Fact);

const HEAD = `# Reliability, measured

Written by \`npm run test:all\`, from what that run measured on a real Kubernetes (etcd, API server, kubelets and containerd, with its three
nodes in namespaces of one machine). *Rounds* says how often each thing was done; LEASEPAIR_ROUNDS sets it, 20 unless told otherwise.

Clients lease all the while, behind a relay: 60 that stay, with leases of 60 s, renewing after 5 s and rebinding after 10 s, and new ones,
five a second, that try every 250 ms. The MCLT is 60 s.

- *Longest wait*: from a new client's first DISCOVER to its ACK, the worst of all. Half a second is what a kill may cost, 3 s what a cut
  or a lost node may: a server that does not answer is passed over once \`secs\` has reached \`maxSeconds\`, which is 2 s here. A member whose cable
  to the clients takes the carrier with it says so to its partner, which then answers all at once, within 1 s here. A pair that is deleted serves nobody until its new pods run,
  and after a power cut of everything, which counts here with the 3 s without power, nobody serves before the API does.
  After a wrong partner-down the side that is cut off stops, as the witness rule says: new clients that reach it alone wait until healing.
- *Lost*: clients whose lease ended under them. *Only by rebinding*: the share of renewals for which the other server had to step in.
- *Duplicates*: addresses that two clients held at once, by a ledger of every ACK, kept outside of the servers.
- *Until NORMAL*: from the blow, healing by hand included, until both members are NORMAL again; the slowest round.

An engine is killed in a pod in which nothing has died before: the kubelet lets a container that dies again and again wait ever longer,
up to minutes, while the partner serves. So each pod is deleted, and counted as that, after its kill.

Up to three such clusters share the machine's processors; the kills, lost carriers and the large configurations have it to themselves.
`;

/** The page's text for measurements as lines of JSON. */
export function reliabilityPage(lines: string, machine: string): string {
  const all = lines
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Measurement);
  const sections = [...Map.groupBy(all, ({ suite }) => suite)].map(([suite, ofSuite]) => {
    const faults = ofSuite.filter((one) => "fault" in one);
    const facts = ofSuite.filter((one) => "what" in one);
    return `\n## On a real ${suite}\n${faults.length > 0 ? `\n${table(faults)}` : ""}${facts.length > 0 ? `\n${list(facts)}` : ""}`;
  });
  return `${HEAD}\nMachine: ${machine}.\n${sections.join("")}`;
}

/** Each fact once, with all its figures in the order in which they were measured. */
function list(facts: readonly Fact[]): string {
  const rows = [...Map.groupBy(facts, ({ what }) => what)].map(
    ([what, same]) => `| ${what} | ${same.map(({ figure }) => figure).join("; ")} |`,
  );
  return `${["| what | figure |", "| --- | --- |", ...rows].join("\n")}\n`;
}

function table(figures: readonly FaultFigures[]): string {
  const rows = [...Map.groupBy(figures, ({ fault }) => fault)].map(([fault, rounds]) => {
    const worst = (value: (figure: FaultFigures) => number) => Math.max(...rounds.map(value));
    const sum = (value: (figure: FaultFigures) => number) =>
      rounds.reduce((total, round) => total + value(round), 0);
    const renewals = sum((round) => round.renewals);
    const rebound = renewals === 0 ? 0 : (100 * sum((round) => round.rebinds)) / renewals;
    const cells = [
      fault,
      rounds.length,
      `${worst((round) => round.longestWaitMs).toFixed(0)} ms`,
      sum((round) => round.newcomers),
      renewals,
      sum((round) => round.lost),
      `${rebound.toFixed(0)} %`,
      sum((round) => round.violations.length),
      `${worst((round) => round.seconds).toFixed(1)} s`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const names =
    "what happened,rounds,longest wait,new clients,renewals,lost,only by rebinding,duplicates,until NORMAL";
  const head = `| ${names.split(",").join(" | ")} |`;
  const rule = `|${" --- |".repeat(names.split(",").length)}`;
  return `${[head, rule, ...rows].join("\n")}\n`;
}

/** Writes the page, when anything was measured. */
export function writeReliabilityPage(figuresFile: string, page: string): void {
  if (!existsSync(figuresFile)) return;
  const machine = `${cpus().length} processors ${arch()}, Linux ${release()}, ${new Date().toISOString().slice(0, 10)}`;
  writeFileSync(page, reliabilityPage(readFileSync(figuresFile, "utf8"), machine));
}
