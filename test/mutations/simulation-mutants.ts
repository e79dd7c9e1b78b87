// Breaches that the simulator must find by itself: bugs of the kind that it exists for. The first seed is one that bites at
// once. When the engine's doings move, one of the runs that follow bites instead, sooner among the sparse ones, which are many
// in a minute. The first five are planted in every test run. Source: the invariants of docs/simulation.md.

import type { Caught, Mutant } from "./mutant.ts";
import { RULE_MUTANTS } from "./rule-mutants.ts";
import { TRAP_MUTANTS } from "./trap-mutants.ts";

/** A lease that is too long is one at the giver, by the cap, or by what the partner knows, whichever is seen first. */
const LEAD = ["S3", "S4", "W3"];

export const SIMULATION_MUTANTS: readonly Mutant[] = [
  {
    name: "an ACK leaves before its record is on disk",
    rule: "S2",
    patches: [
      {
        file: "src/dhcp/engine/runner.ts",
        find: "const waiting: WaitingTurn = { effects, done, durable: false };\n",
        replace:
          'const isReply = ({ kind }: VisibleEffect): boolean => kind === "reply";\n    this.#perform({ effects: effects.filter(isReply), done: () => {} });\n    const later = effects.filter((effect) => !isReply(effect));\n    const waiting: WaitingTurn = { effects: later, done, durable: false };\n',
      },
    ],
    caught: bite(["S2"], 3),
  },
  found("the lease's own end is a base of the lead", LEAD, 20),
  found("nobody checks who owns a free address", ["S6"], 3),
  found("a lease that ended becomes free before the partner agrees", ["S6"], 2),
  found("a takeover does not wait past what the partner was told", ["S6"], 1_600_000_016),
  {
    name: "STARTUP serves",
    rule: "S9",
    patches: [
      { file: "src/dhcp/engine/authority.ts", find: '  STARTUP: "None",', replace: '  STARTUP: "All",' },
    ],
    caught: bite(["S9"], 3),
  },
  {
    name: "who answers for a partner without carrier gives that one's addresses, too",
    rule: "S6",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "return binding.status === ownFreeStatus(engine) || isTakeoverDue",
        replace:
          "return engine.session?.partnerCarrierLost === true || binding.status === ownFreeStatus(engine) || isTakeoverDue",
      },
      {
        file: "src/dhcp/engine/authority.ts",
        find: 'if (engine.endpoint.state !== "PARTNER-DOWN") return [own];',
        replace:
          'if (engine.endpoint.state !== "PARTNER-DOWN" && engine.session?.partnerCarrierLost !== true) return [own];',
      },
    ],
    caught: bite(["S6"], 1_600_000_081),
  },
  found("RECOVER serves", ["S9"], 1_600_000_006),
  {
    name: "an end that was told is given again",
    rule: "S6",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "if (sameClient && !binding.endAnnounced && !isHeld(engine, binding, now)) return true;",
        replace: "if (sameClient && !isHeld(engine, binding, now)) return true;",
      },
    ],
    caught: bite(["S6"], 1_600_000_007),
  },
  found("a takeover does not wait for the MCLT", ["S6"], 1_600_000_016),
  found("sent is a base of the lead", LEAD, 1_600_000_006),
  found("serves on after hearing PARTNER-DOWN", ["L1"], 1_600_000_008),
  found("stale news ends a running lease", ["S10"], 21),
  {
    name: "RECOVER-DONE gives new leases",
    rule: "S9",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: '  "RECOVER-DONE": "RenewOnly",',
        replace: '  "RECOVER-DONE": "All",',
      },
    ],
    caught: bite(["S9"], 1_600_000_057),
  },
  found("no cap", ["W3"], 1),
  found("the margin of the cap is left out", ["W3"], 1),
  found("a start counts as a proof", ["W3"], 1_600_000_006),
  found("a proof counts from the arrival of its answer of the API", ["W3"], 20),
  found("PARTNER-DOWN gives proofs", ["W2"], 6),
  {
    name: "what the partner has acknowledged is sent again and again",
    rule: "L2",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: "  const next = afterAcknowledgement(binding, update, turn.late.wall);\n",
        replace:
          "  const next = afterAcknowledgement(binding, update, turn.late.wall);\n  engine.updates.refused(ack.address, turn.now.boot);\n",
      },
    ],
    caught: bite(["L2"], 1),
  },
  {
    name: "packets put off the look at what time brings about",
    rule: "L3",
    patches: [
      {
        file: "src/dhcp/engine/wake.ts",
        find: "let next = bootAfter(engine.tickedAt, IDLE_TICK_MS);",
        replace: "let next = bootAfter(now.boot, IDLE_TICK_MS);",
      },
    ],
    caught: bite(["TICKS"], 500),
  },
  {
    name: "what cannot be done yet wakes the engine again and again",
    rule: "L3",
    patches: [
      {
        file: "src/dhcp/engine/wake.ts",
        find: "wish !== null && wish > engine.tickedAt && wish < next",
        replace: "wish !== null && wish < next",
      },
    ],
    caught: bite(["TICKS"], 1_600_000_006),
  },
  found(
    "whose free addresses are whose changes hands with the configured primary",
    ["S6", "S7"],
    3_100_000_106,
  ),
  found("an address in use goes to whoever asks for it", ["S6"], 1),
  found("what the partner promised is acknowledged and not kept", ["S6"], 1),
  {
    name: "a client whose ACK came too late waits for the disk again",
    rule: "L4",
    patches: [
      {
        file: "src/dhcp/server/commit.ts",
        find: "if (view.untold?.has(address, request.message.xid) !== true) return null;",
        replace: "if (view.untold?.has(address, request.message.xid) !== null) return null;",
      },
    ],
    caught: bite(["L4"], 1_600_000_035),
  },
  {
    name: "nobody is told of an address that two clients have",
    rule: "S1",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: 'turn.log("error", "duplicate-found", ',
        replace: 'turn.log("error", "update-refused", ',
      },
    ],
    caught: bite(["S1"], 1_600_000_485),
  },
  {
    name: "a record that was set back is written anew with an epoch that was given before",
    rule: "W8",
    patches: [
      { file: "src/controller/decide/witness.ts", find: "epoch: highest + 1,", replace: "epoch: highest," },
    ],
    caught: bite(["W8"], 50_011),
  },
  found("two restored stores wait for nobody under Witness", ["W10"], 50_138),
  {
    name: "a local word is followed although the API answers",
    rule: "W5",
    patches: [
      {
        file: "src/dhcp/engine/local-word.ts",
        find: "return isFenced(engine) && apiAnsweredAt !== null && now.boot",
        replace: "return isFenced(engine) && apiAnsweredAt === null && now.boot",
      },
    ],
    caught: bite(["W5"], 3_100_000_039),
  },
];

/** A breach that a test notices, too. Throws when there is none of that name. */
function found(name: string, invariants: readonly string[], firstSeed: number): Mutant {
  const breach = [...RULE_MUTANTS, ...TRAP_MUTANTS].find((mutant) => mutant.name === name);
  if (breach === undefined) throw new Error(`no breach "${name}" that a test notices`);
  return { ...breach, caught: bite(invariants, firstSeed) };
}

function bite(invariants: readonly string[], firstSeed: number): Caught {
  return { by: "simulation", invariants, firstSeed };
}
