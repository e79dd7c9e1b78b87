// Breaches of the rules of failover and of the witness, each at the place in the engine that keeps the rule, and what notices
// them. Source: invariants S1-S15; docs/protocol/witness.md W1-W15; the traps of docs/protocol/draft-errata.md.

import type { Mutant } from "./mutant.ts";

export const RULE_MUTANTS: readonly Mutant[] = [
  {
    name: "no cap",
    rule: "W3",
    patches: [
      {
        file: "src/dhcp/engine/cap.ts",
        find: 'return state === "RECOVER-DONE" || (isFenced(engine) && state !== "PARTNER-DOWN");',
        replace: "return false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a quorum read counts from when it was sent, never from when it was answered",
    },
  },
  {
    name: "the cap also ends the holder's leases",
    rule: "W6",
    patches: [
      {
        file: "src/dhcp/engine/cap.ts",
        find: 'return state === "RECOVER-DONE" || (isFenced(engine) && state !== "PARTNER-DOWN");',
        replace: 'return state === "RECOVER-DONE" || isFenced(engine);',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "leases go on to max(now, acked, recv) + M; the partner's addresses only after max(W, entry) + M* + eps",
    },
  },
  {
    name: "the margin of the cap is left out",
    rule: "W3",
    patches: [{ file: "src/dhcp/engine/cap.ts", find: "lead - capMarginSeconds(lead)", replace: "lead" }],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a quorum read counts from when it was sent, never from when it was answered",
    },
  },
  {
    name: "a proof counts from the arrival of its answer of the API",
    rule: "W2",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "noteProof(engine, provenAt);",
        replace: "noteProof(engine, turn.now.boot);",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a quorum read counts from when it was sent, never from when it was answered",
    },
  },
  {
    name: "PARTNER-DOWN gives proofs",
    rule: "W2",
    patches: [
      {
        file: "src/dhcp/engine/echo.ts",
        find: 'engine.endpoint.state !== "PARTNER-DOWN" && engine.endpoint.complete',
        replace: "engine.endpoint.complete",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a partner in PARTNER-DOWN gives none, and neither does a start",
    },
  },
  {
    name: "a start counts as a proof",
    rule: "W2",
    patches: [
      {
        file: "src/dhcp/engine/startup.ts",
        find: "  turn.putClockMark();\n",
        replace: "  turn.putClockMark();\n  engine.proofAt = turn.now.boot;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a partner in PARTNER-DOWN gives none, and neither does a start",
    },
  },
  {
    name: "a store that the witness does not list gets proofs",
    rule: "W13",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "  if (stores[engine.member] !== engine.identity.store) return false;\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "what a watch showed proves nothing, nor does a read that does not list this store, or that shows the partner's grant",
    },
  },
  {
    name: "an epoch that was given back is entered again",
    rule: "W5",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "!isOurs || witness.epoch <= endpoint.returned ||",
        replace: "!isOurs ||",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "is declined in NORMAL, and never done on an epoch given back",
    },
  },
  {
    name: "another store's grant is entered",
    rule: "W5",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "  const isOurs = witness.holder === engine.member && witness.holderStore === engine.identity.store;\n  if (!isOurs ||",
        replace: "  const isOurs = witness.holder === engine.member;\n  if (!isOurs ||",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "needs the own grant, not another store's",
    },
  },
  {
    name: "an epoch lower than known is believed",
    rule: "W1",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "  if (epoch >= endpoint.seen && !isOlder) return true;\n",
        replace: "  return true;\n",
      },
    ],
    caught: { by: "test", file: "test/dhcp/engine/witness.test.ts", name: "an epoch lower than seen" },
  },
  {
    name: "no hold on hearing that an unseen grant was given back",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "return { clean: returned, hold: stampNow(engine, turn) };",
        replace: "return { clean: returned };",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/taken-unheard.test.ts",
      name: "W9: who hears on the link alone that its partner has given back a grant, and serves on, holds its free addresses",
    },
  },
  {
    name: "STARTUP out of NORMAL takes the holder's return for the end of it",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: 'const state = presentState(engine);\n  if (state === "NORMAL"',
        replace: 'const { state } = engine.endpoint;\n  if (state === "NORMAL"',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/taken-unheard.test.ts",
      name: "W9: who hears on the link alone that its partner has given back a grant, and is started again, out of NORMAL, holds its free addresses",
    },
  },
  {
    name: "no hold after a grant that came and went unseen",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "if (holder !== null || epoch <= clean || epoch === returned) return;",
        replace: "return;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "holds every free address, own ones included, and renews what runs",
    },
  },
  {
    name: "PARTNER-DOWN begins without the hold that it needs",
    rule: "W5",
    patches: [
      {
        file: "src/dhcp/engine/takeover.ts",
        find: "  if (!needsHold(engine, epoch)) return hold;",
        replace: "  return hold;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "begins a hold when a grant in between is unaccounted for",
    },
  },
  {
    name: "an empty store enters PARTNER-DOWN",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "return engine.endpoint.complete || (isLoneServer && !isFenced(engine));",
        replace: "return true;",
      },
      {
        file: "src/dhcp/engine/witness.ts",
        find: "if (isFenced(engine) && !endpoint.complete) return decline(engine, turn, witness.epoch);",
        replace: "",
      },
    ],
    caught: { by: "test", file: "test/dhcp/engine/witness.test.ts", name: "an empty store never enters" },
  },
  {
    name: "a grant is not declined in NORMAL",
    rule: "W5",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: 'if (state === "NORMAL" && engine.session !== null) return',
        replace: 'if (state === "SHUTDOWN" && engine.session !== null) return',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a grant that its holder has given back binds nobody",
    },
  },
  {
    name: "a holder that lost power serves without reading its grant again",
    rule: "W11",
    patches: [
      {
        file: "src/dhcp/engine/takeover.ts",
        find: "return entry.bootId !== engine.process.bootId && verifiedBoot !== engine.process.bootId;",
        replace: "return false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "reads its grant again before it serves",
    },
  },
  {
    name: "a superseded holder renews at once",
    rule: "W11",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "> now.wall + clockAhead + clockBehind && !superseded;",
        replace: "> now.wall + clockAhead + clockBehind;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "is superseded when the grant is gone: it recovers, and serves nobody even under a new grant before the wait",
    },
  },
  {
    name: "ended leases are renewed under hold",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "  if (!isHeld(engine, binding, now)) return true;\n  const { clockAhead",
        replace: "  return true;\n  const { clockAhead",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "is superseded when the grant is gone: it recovers, and serves nobody even under a new grant before the wait",
    },
  },
  {
    name: "the hold frees the own free addresses at once",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "      if (isHeld(engine, binding, now)) return false;\n      return binding.status === own",
        replace: "      return binding.status === own",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "begins a hold when a grant in between is unaccounted for",
    },
  },
  {
    name: "a hold is a timer of the engine, not a mark on each record",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/takeover.ts",
        find: "!isPast(engine, hold, latestPossibleEnd(binding), now)",
        replace: "!isPast(engine, hold, hold.wall, now)",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "lasts for each record until its own W + M* + eps: the mark is no timer",
    },
  },
  {
    name: "under hold ends are asked for and consented to",
    rule: "W9",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: "return engine.endpoint.complete && !isHeld(engine, binding, turn.early);",
        replace: "return true;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "asks for the end of no lease, and consents to none",
    },
  },
  {
    name: "serves on after hearing PARTNER-DOWN",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/failover/transition.ts",
        find: '    "PARTNER-DOWN": "RECOVER",\n    SHUTDOWN: stay,',
        replace: '    "PARTNER-DOWN": stay,\n    SHUTDOWN: stay,',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/transition.test.ts",
      name: "W5, W7: COMMUNICATIONS-INTERRUPTED hearing each state of the partner, under Witness",
    },
  },
  {
    name: "RECOVER-DONE of an older connection counts",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: '  if (state === "RECOVER-DONE" && partner === "PARTNER-DOWN" && !session.updatesReceived) return "RECOVER";\n',
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a RECOVER-DONE of an older connection is void",
    },
  },
  {
    name: "RECOVER-DONE without fencing renews from now on",
    rule: "W3",
    patches: [{ file: "src/dhcp/engine/cap.ts", find: 'state === "RECOVER-DONE" || ', replace: "" }],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "S6 without fencing: a member in RECOVER-DONE renews no further than its partner knows, which may be in PARTNER-DOWN",
    },
  },
  {
    name: "UPDDONE counts what the partner could not judge",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/failover/update-queue.ts",
        find: "    this.#request?.open.add(address);\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/update-queue.test.ts",
      name: "UPDDONE waits for what the partner could not judge, and not for what it refused",
    },
  },
  {
    name: "clocks a second apart are taken as equal",
    rule: "S11",
    patches: [
      {
        file: "src/dhcp/failover/clock-offset.ts",
        find: " && Math.max(-this.#low, this.#high) <= EQUAL_SECONDS",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/clocks.test.ts",
      name: "S11: wherever between two seconds the clocks move on, and however seldom CONTACT is due, one answer measures the partner's well enough",
    },
  },
  {
    name: "what was taken from the partner is renewed before the partner knows of it",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: '  if (binding.taken && engine.endpoint.state !== "PARTNER-DOWN") return false;\n',
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/taken-unheard.test.ts",
      name: "W7: what was taken from the partner is renewed by nobody until the partner knows of it",
    },
  },
  {
    name: "the grant is not given back on leaving PARTNER-DOWN",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "entered > returned ? { returned: entered, clean: Math.max(clean, entered) } : {}",
        replace: "{ clean }",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "the holder stays on hearing NORMAL or COMMUNICATIONS-INTERRUPTED; the partner recovers without a wait",
    },
  },
  {
    name: "a takeover does not wait for the MCLT",
    rule: "W6",
    patches: [
      {
        file: "src/dhcp/failover/waits.ts",
        find: "Math.max(latestPossibleEnd, entry.wall) + leadSeconds + marginSeconds",
        replace: "Math.max(latestPossibleEnd, entry.wall) + marginSeconds",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "lasts for each record until its own W + M* + eps: the mark is no timer",
    },
  },
  {
    name: "a takeover does not wait past what the partner was told",
    rule: "W6",
    patches: [
      {
        file: "src/dhcp/failover/waits.ts",
        find: "Math.max(latestPossibleEnd, entry.wall) + leadSeconds",
        replace: "entry.wall + leadSeconds",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "lasts for each record until its own W + M* + eps: the mark is no timer",
    },
  },
  {
    name: "a replaced store stays linked",
    rule: "W13",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "if (session === null || listed === undefined || linked === null || linked === listed) return;",
        replace: "return;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "a store that the witness has replaced is dropped for good",
    },
  },
  {
    name: "the partner of an empty store does not hold",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "if (!session.partnerIncomplete || session.isHeldForEmptyStore) return;",
        replace: "return;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "serves nobody until it has everything, then its free addresses wait on both sides",
    },
  },
  {
    name: "an empty store begins without a hold after its update",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "...(!complete && { hold: stampNow(engine, turn) }),",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "serves nobody until it has everything, then its free addresses wait on both sides",
    },
  },
  {
    name: "who recovers keeps nothing of addresses in no scope",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: " && !keepsStrays(engine)",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/unscoped-leases.test.ts",
      name: "goes to nobody else when the scope comes back",
    },
  },
  {
    name: "a queued reply leaves although the state changed",
    rule: "W12",
    patches: [
      {
        file: "src/dhcp/engine/runner.ts",
        find: "serial !== this.engine.decisionSerial;",
        replace: "false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "W12 a reply that was decided under another state, or without the hold, does not leave",
    },
  },
  {
    name: "a reply leaves however late it is",
    rule: "W12",
    patches: [
      {
        file: "src/dhcp/engine/runner.ts",
        find: "if (!isOfAnotherState && boot <= notAfter) return",
        replace: "if (!isOfAnotherState) return",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/runner.test.ts",
      name: "W12: an ACK whose record took longer than a second to become durable does not leave",
    },
  },
  {
    name: "a lease that is told again is told in full",
    rule: "W12",
    patches: [
      {
        file: "src/dhcp/server/commit.ts",
        find: "const leaseSeconds = seconds(Math.max(0, Math.min(term.leaseSeconds, left)));",
        replace: "const leaseSeconds = seconds(Math.max(0, left - left + term.leaseSeconds));",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/runner.test.ts",
      name: "W12: a client whose ACK came too late is told what is on disk when it asks again, without another record",
    },
  },
  {
    name: "fencing is switched off while somebody holds a grant",
    rule: "l",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: 'if (fencing === "None" && (provenAt === null || holder !== null)) return;',
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "on: capped at once, and a restart finds it so; off: only by a quorum read over a witness that nobody holds",
    },
  },
  {
    name: "a local word is followed while the API answers",
    rule: "h",
    patches: [
      {
        file: "src/dhcp/engine/local-word.ts",
        find: "return isFenced(engine) && apiAnsweredAt !== null &&",
        replace: "return isFenced(engine) && apiAnsweredAt === null && apiAnsweredAt !== null &&",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "is refused while the API answers",
    },
  },
  {
    name: "an update for the same client overwrites a later end",
    rule: "W4",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "const expiresAt = latest(old.expiresAt, theirs.leaseExpiration);",
        replace: "const expiresAt = theirs.leaseExpiration;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "W4: within a generation no time falls, and the partner's promise is remembered",
    },
  },
  {
    name: "the earlier of two crossing leases may win",
    rule: "W14, trap 7.1.3",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "return isLater && (mayBeOver(situation) || crossing) ?",
        replace: "return mayBeOver(situation) || crossing ?",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "W14: of two crossing leases of different clients, both sides keep the later one; at a tie the primary's",
    },
  },
  {
    name: "stale news ends a running lease",
    rule: "S10",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: 'return acceptEnd(situation, mine.status !== "ACTIVE" || ',
        replace: "return acceptEnd(situation, true || ",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "draft 7.1.3: what each status takes from an update",
    },
  },
  {
    name: "an old release ends a renewed lease",
    rule: "S10, trap 7.1.3",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "  return !crossing && theirs.lastTransaction >= mine.lastTransactionAt;",
        replace: "  return true;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "draft 7.1.3: what each status takes from an update",
    },
  },
  {
    name: "a release that seems later ends a lease that the partner has not heard of",
    rule: "S11",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "  return !crossing && theirs.lastTransaction >= mine.lastTransactionAt;",
        replace: "  return theirs.lastTransaction >= mine.lastTransactionAt;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "S11: a release ends no lease that the partner has not heard of, however late the clocks say it came",
    },
  },
  {
    name: "no grace at a lease's end",
    rule: "W15",
    patches: [
      {
        file: "src/dhcp/lease/lead-time.ts",
        find: "return now >= after(binding.expiresAt, graceSeconds(binding, uncertainty));",
        replace: "return now >= binding.expiresAt;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/lease/lead-time.test.ts",
      name: "a lease counts as running past its end for the clocks' error, the answer's way and the client's drift",
    },
  },
  {
    name: "sent is a base of the lead",
    rule: "S3",
    patches: [
      {
        file: "src/dhcp/lease/lead-time.ts",
        find: "binding.potentialAcked, binding.potentialReceived)",
        replace: "binding.potentialAcked, binding.potentialReceived, binding.potentialSent)",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/lease/lead-time.test.ts",
      name: "the cap of what was told the partner, which is none either is 3600 s from now",
    },
  },
  {
    name: "the lease's own end is a base of the lead",
    rule: "S3, trap 9.9.2",
    patches: [
      {
        file: "src/dhcp/lease/lead-time.ts",
        find: "binding.potentialAcked, binding.potentialReceived)",
        replace: "binding.potentialAcked, binding.potentialReceived, binding.expiresAt)",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/lease/lead-time.test.ts",
      name: "the cap of the lease's own end, which is no base is 3600 s from now",
    },
  },
  {
    name: "RECOVER serves",
    rule: "S9",
    patches: [
      { file: "src/dhcp/engine/authority.ts", find: '  RECOVER: "None",', replace: '  RECOVER: "All",' },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "two of them wait for a human, even at epoch 0",
    },
  },
  {
    name: "POTENTIAL-CONFLICT serves",
    rule: "S9",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: '  "POTENTIAL-CONFLICT": "None",',
        replace: '  "POTENTIAL-CONFLICT": "All",',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/state-cells.test.ts",
      name: "POTENTIAL-CONFLICT: nobody, to one who comes and one who renews",
    },
  },
  {
    name: "a clock that went back silences nobody",
    rule: "S11",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "engine.isStopping || engine.clockIsBehind ||",
        replace: "engine.isStopping ||",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/clocks.test.ts",
      name: "a machine that comes up with its clock behind the mark is silent and says so, until it has caught up",
    },
  },
  {
    name: "the partner's times are not put on the own clock",
    rule: "S11",
    patches: [
      {
        file: "src/dhcp/engine/echo.ts",
        find: "return latest(FIRST_SECOND, after(time, seconds(-(session.offset.seconds ?? 0))));",
        replace: "return time;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/clocks.test.ts",
      name: "-4000 s off is corrected: both hold the same lease end, each on its own clock",
    },
  },
  {
    name: "RECOVER-WAIT is skipped",
    rule: "S13",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "  if (!bothNew && turn.early.wall < recoverWaitEndsAt(engine)) return;\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "a member that lost its disk serves nobody until it has everything and MCLT has passed",
    },
  },
  {
    name: "NORMAL with two shapes",
    rule: "S14",
    patches: [
      {
        file: "src/dhcp/engine/shape.ts",
        find: "    partnerShape === null ||\n",
        replace: "    partnerShape !== undefined ||\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "S14: a member that comes back with another shape than its partner's does not run NORMAL until both have one",
    },
  },
  {
    name: "a restart runs on a shape that the partner may not hold",
    rule: "S14",
    patches: [
      {
        file: "src/dhcp/engine/shape.ts",
        find: "  if (inForce === undefined) return;\n",
        replace: "  if (inForce !== null) return;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "S14: a member that restarts while a shape waits, or after one came, goes on with the shape in force",
    },
  },
  {
    name: "a rejected update counts as acknowledged",
    rule: "S5",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: 'return withoutPromises(binding, "FREE", now);',
        replace:
          'return { ...withoutPromises(binding, "FREE", now), acknowledged: true, potentialAcked: now };',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "a released address is free on both sides once the partner has acknowledged it",
    },
  },
  {
    name: "a promise is told and not stored",
    rule: "S5",
    patches: [
      {
        file: "src/dhcp/engine/clients.ts",
        find: "engine.session === null || told < base.potentialSent ? base.potentialSent : told",
        replace: "base.potentialSent",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "a lease costs the giver one record before its update leaves, and one more for the answer",
    },
  },
  {
    name: "the taker's free address is the giver's too",
    rule: "S7",
    patches: [
      {
        file: "src/dhcp/engine/balance.ts",
        find: 'status: engine.role === "primary" ? "BACKUP" : "FREE",\n    statusSince',
        replace: "status: binding.status,\n    statusSince",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pools-and-updates.test.ts",
      name: "changes whose clients are whose, and no address changes hands by it",
    },
  },
  {
    name: "whose free addresses are whose changes hands with the configured primary",
    rule: "S7",
    patches: [
      {
        file: "src/dhcp/engine/shape.ts",
        find: "  if (shapeChanged) turn.putEndpoint({ shape: config.shape });\n",
        replace:
          '  engine.role = config.primary === engine.member ? "primary" : "secondary";\n  if (shapeChanged) turn.putEndpoint({ shape: config.shape, side: engine.role });\n',
      },
    ],
    caught: {
      by: "test",
      file: "test/simulation/scenarios.test.ts",
      name: "a change of the primary that one member alone has in force: the free addresses stay whose they are",
    },
  },
  {
    name: "nobody checks who owns a free address",
    rule: "S6",
    patches: [
      {
        file: "src/dhcp/engine/authority.ts",
        find: "return binding.status === ownFreeStatus(engine) || isTakeoverDue(engine, binding, now);",
        replace: "return true;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "PARTNER-DOWN by grant: entered, the partner's addresses taken after the wait, given back when the partner returns",
    },
  },
  {
    name: "a lease that ended becomes free before the partner agrees",
    rule: "S6",
    patches: [
      {
        file: "src/dhcp/engine/sweep.ts",
        find: '    status: "EXPIRED",\n    statusSince',
        replace: '    status: "FREE",\n    statusSince',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pools-and-updates.test.ts",
      name: "one that the partner heard of waits for its word",
    },
  },
  {
    name: "secs with swapped bytes are taken literally",
    rule: "trap",
    patches: [
      {
        file: "src/dhcp/server/client-request.ts",
        find: "return secs > 255 && (secs & 255) === 0 ? secs >>> 8 : secs;",
        replace: "return secs;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pair.test.ts",
      name: "a client is answered in its member's place once it has tried for maxSeconds, also by secs with swapped bytes",
    },
  },
  {
    name: "a new state is announced before it is durable",
    rule: "S8",
    patches: [
      {
        file: "src/dhcp/engine/runner.ts",
        find: "this.#waiting.push(waiting);\n    this.#ports",
        replace:
          "this.#perform(waiting);\n    this.#waiting.push({ ...waiting, effects: [] });\n    this.#ports",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/runner.test.ts",
      name: "what was decided with a record leaves only when the record is durable, and in order",
    },
  },
  {
    name: "a proof counts from the arrival of its answer on the link",
    rule: "W2",
    patches: [
      {
        file: "src/dhcp/engine/echo.ts",
        find: "noteProof(engine, askedAt);",
        replace: "noteProof(engine, turn.now.boot);",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "a proof by the link is as old as its question, however long the answer took",
    },
  },
  {
    name: "an empty store gives proofs",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/echo.ts",
        find: "engine.endpoint.complete && !engine.isStopping",
        replace: "!engine.isStopping",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "W10: an empty store proves nothing to its partner before it has everything",
    },
  },
  {
    name: "what a watch showed proves and grants",
    rule: "W2",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "  if (provenAt === null) return;\n",
        replace: "  engine.apiAnsweredAt = turn.now.boot;\n",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "what a watch shows is no answer of the API: a local word is followed all the same",
    },
  },
  {
    name: "two restored stores call each other old copies",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "  if (!complete && extras.incomplete === true) return { own: false, partners: false };\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-restored.test.ts",
      name: "two restored stores drop nothing and tell each other all they have, without fencing, that of a the younger",
    },
  },
  {
    name: "two restored stores wait for nobody under Witness",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "const areBothBereft = isBereft(engine) && engine.session?.partnerIncomplete === true;",
        replace: "const areBothBereft = false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-restored.test.ts",
      name: "two restored stores drop nothing and tell each other all they have, under Witness, that of a the younger",
    },
  },
  {
    name: "a restored store that had never met its partner counts as new",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: " || endpoint.lostLeases) return false;",
        replace: ") return false;",
      },
      {
        file: "src/dhcp/engine/state-change.ts",
        find: "neverNormal: engine.endpoint.agreedMcltSeconds === 0 && !engine.endpoint.lostLeases,",
        replace: "neverNormal: engine.endpoint.agreedMcltSeconds === 0,",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-restored.test.ts",
      name: "two stores that were backed up before they were ever in NORMAL wait for a human as well",
    },
  },
  {
    name: "a restored store keeps the grant of what it was before",
    rule: "W5",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "  if (isFenced(engine) && !endpoint.complete) return decline(engine, turn, witness.epoch);\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-restored.test.ts",
      name: "of two restored stores the one that held a grant gives it back, else fencing could not be switched off",
    },
  },
  {
    name: "who waits for a human goes on without asking a complete partner",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: '  if (state === "RECOVER-WAIT" && isBereft(engine) && !session.partnerIncomplete) return "RECOVER";\n',
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/both-restored.test.ts",
      name: "a restored store that waits for a human fetches everything once its partner has a complete one",
    },
  },
  {
    name: "a full update's progress is kept past what the partner has not got",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "open === null ? fullUpdateCursor : open - 1",
        replace: "open === null ? fullUpdateCursor : open + 400",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pools-and-updates.test.ts",
      name: "keeps its progress over 20 cuts: nothing is sent twice but what was under way",
    },
  },
  {
    name: "an UPDREQALL is forgotten with its connection",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/partner-store.ts",
        find: "    fullUpdateCursor: open === null ? fullUpdateCursor : open - 1,",
        replace: '    fullUpdateCursor: 0,\n    ...{ fullUpdateStore: "" },',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/full-update.test.ts",
      name: "an UPDREQ on the next connection is sent everything, and the one after its UPDDONE nothing",
    },
  },
  {
    name: "PARTNER-DOWN is left for a partner that has not got everything",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: "  if (!session.partnerUpdated) return false;\n  for",
        replace: "  for",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "W7: PARTNER-DOWN is left only for a partner that got everything on this very connection",
    },
  },
  {
    name: "addresses are taken while the partner recovers on the link",
    rule: "W6",
    patches: [
      {
        file: "src/dhcp/engine/takeover.ts",
        find: "entry === null || isPartnerRecovering(engine)) return false;",
        replace: "entry === null) return false;",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "takes nothing while the partner recovers on the link",
    },
  },
  {
    name: "no margin past every promise",
    rule: "W6",
    patches: [
      {
        file: "src/dhcp/failover/waits.ts",
        find: "return (clockUncertainty + Math.ceil",
        replace: "return (0 * Math.ceil",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/waits.test.ts",
      name: "the margin is the clocks' uncertainty, 200 ppm since the last contact and 500 ppm of the longest lease",
    },
  },
  {
    name: "a wait is over by the wall clock alone",
    rule: "W6",
    patches: [
      {
        file: "src/dhcp/failover/waits.ts",
        find: "now.wall >= stamp.wall + duration && now.boot >=",
        replace: "now.wall >= stamp.wall + duration || now.boot >=",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/waits.test.ts",
      name: "a wait is over when both clocks say so, neither alone",
    },
  },
  {
    name: "a shorter renewal lowers the recorded end",
    rule: "W4",
    patches: [
      {
        file: "src/dhcp/server/grant.ts",
        find: "expiresAt: sameGeneration ? latest(base.expiresAt, told) : told,",
        replace: "expiresAt: told,",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "W4: a shorter lease told at a renewal does not lower the recorded end",
    },
  },
  {
    name: "who refuses does not send its own record",
    rule: "W14",
    patches: [
      {
        file: "src/dhcp/engine/owe.ts",
        find: "  if (!engine.updates.isInFlight(address) && !engine.updates.isResting(address)) owe(engine, address);\n",
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/dhcpd-leases.test.ts",
      name: "W14: a lease that runs is told to a dhcpd that holds its address for free",
    },
  },
  {
    name: "updates are taken before the clocks are compared",
    rule: "S11",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: "if (!isClockKnown(engine, turn, session)) {",
        replace: "if (false) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/reject-reasons.test.ts",
      name: "4, times of a clock that is not measured yet: to the byte, with the record as it was, and counted",
    },
  },
  {
    name: "waits reckon with a lower MCLT at once",
    rule: "S12",
    patches: [
      {
        file: "src/dhcp/engine/takeover.ts",
        find: "Math.max(engine.endpoint.mcltSeconds, engine.config.mcltSeconds)",
        replace: "engine.config.mcltSeconds",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "lowered while apart: a wait reckons with the larger one, under which the partner may have given",
    },
  },
  {
    name: "a raised MCLT counts before both run under it",
    rule: "S12",
    patches: [
      {
        file: "src/dhcp/engine/takeover.ts",
        find: "agreedMcltSeconds === 0 ? configured : seconds(Math.min(configured, agreedMcltSeconds))",
        replace: "configured",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "raised while apart: no lease is longer before both ran NORMAL under it",
    },
  },
  {
    name: "the end of a lease tells a dhcpd of what was promised before it",
    rule: "S6",
    patches: [
      {
        file: "src/dhcp/engine/updates.ts",
        find: "if (isEnd(binding.status) && engine.dialect.timesMayFall) return",
        replace: "if (isEnd(binding.status) && engine.dialect.hasExtras) return",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/dhcpd-settings.test.ts",
      name: "we are secondary: with a release nothing is promised any more, for the dhcpd keeps that with the free address",
    },
  },
  {
    name: "a dhcpd is told a lower MCLT before it has heard of the leases under the larger one",
    rule: "S12",
    patches: [
      {
        file: "src/dhcp/engine/terms.ts",
        find: "pending.mcltSeconds >= config.mcltSeconds",
        replace: "pending.shape !== config.shape",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/dhcpd-terms.test.ts",
      name: "a smaller MCLT is not told while the dhcpd has not heard of a lease under the larger one",
    },
  },
  {
    name: "another MCLT counts beside a dhcpd that was not told of it",
    rule: "S12",
    patches: [
      {
        file: "src/dhcp/engine/shape.ts",
        find: "areSameTerms(engine, termsOf(config), termsOf(other)) ||",
        replace: "areSameTerms(engine, termsOf(config), termsOf(config)) ||",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/dhcpd-terms.test.ts",
      name: "a larger MCLT is told by a new CONNECT, and no lease is given by it before",
    },
  },
  {
    name: "a long absence is no reason to wait for the partner",
    rule: "S13, trap 9.3.2",
    patches: [
      {
        file: "src/dhcp/engine/startup.ts",
        find: "  if (isFenced(engine)) return true;\n  const away",
        replace: "  if (Number(1) > 0) return true;\n  const away",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "after more than that waits for its partner, which may have been given its addresses",
    },
  },
  {
    name: "client transactions are dated by a doubt about the clock",
    rule: "S10",
    patches: [
      {
        file: "src/dhcp/engine/clients.ts",
        find: "  { now }: Turn,\n  next: Binding,",
        replace: "  { late: now }: Turn,\n  next: Binding,",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "S10: when a client spoke is told by the clock itself, not by the end of a doubt about it",
    },
  },
  {
    name: "a datagram that waited counts from when it was read",
    rule: "W14",
    patches: [
      {
        file: "src/dhcp/engine/clients.ts",
        find: "latest(before, wallAt(now, heardAt))",
        replace: "latest(before, now.wall)",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/pools-and-updates.test.ts",
      name: "does not end what the partner gave the client meanwhile, read before it hears of that",
    },
  },
  {
    name: "an end is agreed on while the partner may yet take that the lease runs",
    rule: "W14",
    patches: [
      {
        file: "src/dhcp/failover/acceptance.ts",
        find: "if (situation.leaseInFlight) return",
        replace: 'if (situation.leaseInFlight && situation.mine.status === "RESET") return',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/failover/acceptance.test.ts",
      name: "W14: no end of a lease is agreed on while the partner may yet take that it runs, whoever's client spoke last",
    },
  },
  {
    name: "an address that was taken, freed and given anew is the partner's no more",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/clients.ts",
        find: "const wasTaken = previous?.taken === true || ",
        replace: "const wasTaken = ",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/waits-and-proofs.test.ts",
      name: "W7: an address that was taken, freed and given anew is no less taken: a partner that refuses it is waited for",
    },
  },
  {
    name: "a word counts as a lost grant after a loss of power",
    rule: "W7",
    patches: [
      {
        file: "src/dhcp/engine/witness.ts",
        find: "if (isWord || (isOurs && epoch === entered)) {",
        replace: "if (isOurs && epoch === entered) {",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/witness.test.ts",
      name: "stands after a loss of power once the API shows that nobody was granted anything since, else ends",
    },
  },
  {
    name: "a lost store settles a conflict by what it has not acknowledged",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/partner.ts",
        find: 'const type = engine.endpoint.complete ? "UPDREQ" : "UPDREQALL";',
        replace: 'const type = engine.endpoint.complete || state !== "RECOVER" ? "UPDREQ" : "UPDREQALL";',
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/conflict-after-loss.test.ts",
      name: "has every lease when it serves again, as secondary",
    },
  },
  {
    name: "a lost store serves alone out of a conflict",
    rule: "W10",
    patches: [
      {
        file: "src/dhcp/engine/state-change.ts",
        find: 'if (next === "RESOLUTION-INTERRUPTED" && !endpoint.complete) return "RECOVER";',
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/conflict-after-loss.test.ts",
      name: "is in RECOVER again when it loses the link, or starts again, before it has them, as primary",
    },
  },
  {
    name: "PARTNER-DOWN without a moment of its entry",
    rule: "S6",
    patches: [
      {
        file: "src/dhcp/engine/state-change.ts",
        find: 'if (next === "PARTNER-DOWN" && isNew) return { entry: stampNow(engine, turn) };',
        replace: "",
      },
    ],
    caught: {
      by: "test",
      file: "test/dhcp/engine/dhcpd-states.test.ts",
      name: "the addresses of a dhcpd that says SHUTDOWN are taken over an MCLT after it has said so, whatever was before",
    },
  },
];
