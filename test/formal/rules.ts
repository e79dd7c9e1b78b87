// All rules together, what they do to both holders of an address, and the invariants. The rules are docs/protocol/witness.md;
// this is the model that found them, so that every change of the rule can be tried before it is built.

import { clientRules } from "./client-rules.ts";
import { controllerRules } from "./controller-rules.ts";
import { faultRules } from "./fault-rules.ts";
import { linkRules } from "./link-rules.ts";
import type { Model } from "./model.ts";
import {
  BACKUP,
  BINDING_NAMES,
  CLIENTS,
  FREE,
  NORMAL,
  PARTNER_DOWN,
  STATE_NAMES,
  type State,
} from "./state.ts";
import { storeRules } from "./store-rules.ts";
import type { Successors } from "./successors.ts";
import { updateRules } from "./update-rules.ts";
import { witnessRules } from "./witness-rules.ts";

/** Fills `out` with everything that may happen next. */
export function successors(model: Model, s: State, out: Successors): void {
  out.count = 0;
  clientRules(model, s, out);
  updateRules(model, s, out);
  linkRules(model, s, out);
  witnessRules(model, s, out);
  controllerRules(model, s, out);
  faultRules(model, s, out);
  storeRules(model, s, out);
}

/** The invariant that a state breaks, or null. */
export function broken(model: Model, s: State): string | null {
  const { options } = model;
  for (let a = 0; a < options.addresses; a++) {
    let holders = 0;
    for (let c = 0; c < CLIENTS; c++) if (s.holds(a, c) > 0) holders++;
    if (holders < 2 || s.world.excused) continue;
    return "S1";
  }
  if (s.world.excused) return silentDuplicate(model, s);
  return options.strict ? strictly(model, s) : null;
}

/** Both were declared down by people: S1 cannot hold, but POTENTIAL-CONFLICT must report every duplicate. */
function silentDuplicate(model: Model, s: State): string | null {
  if (s.engine(0).state !== NORMAL || s.engine(1).state !== NORMAL || !s.world.link) return null;
  for (let a = 0; a < model.options.addresses; a++) {
    const both = s.holds(a, 0) > 0 && s.holds(a, 1) > 0;
    if (both && !s.reportedDuplicate(a)) return "SILENT-DUPLICATE";
  }
  return null;
}

function strictly({ options }: Model, s: State): string | null {
  const twoDown = s.engine(0).state === PARTNER_DOWN && s.engine(1).state === PARTNER_DOWN;
  if (twoDown && options.engines === 2 && options.locals === 0 && options.transfers === 0)
    return "TWO-PARTNER-DOWN";
  for (let a = 0; a < options.addresses; a++) {
    const both = s.binding(0, a).status === FREE && s.binding(1, a).status === BACKUP;
    if (both && options.wipes === 0) return "S7";
  }
  return null;
}

/** One line for people. */
export function describeState({ options }: Model, s: State): string {
  const { link, holder, epoch } = s.world;
  const parts = [`link ${link}, witness {${holder}, epoch ${epoch}}`];
  for (let e = 0; e < options.engines; e++) {
    const x = s.engine(e);
    parts.push(
      `${e}${x.up ? "" : " (down)"} ${STATE_NAMES[x.state]} proof ${x.proof} entry ${x.entry} entered ${x.entered}` +
        ` returned ${x.returned} hold ${x.held ? x.hold : "-"}`,
    );
    for (let a = 0; a < options.addresses; a++) {
      const r = s.binding(e, a);
      const marks = `${r.owed ? " owed" : ""}${r.taken ? " taken" : ""}`;
      parts.push(
        `[${BINDING_NAMES[r.status]} c${r.client} E ${r.end} sent ${r.sent} acked ${r.acked} recv ${r.received}${marks}]`,
      );
    }
  }
  for (let a = 0; a < options.addresses; a++) parts.push(`held for ${s.holds(a, 0)} and ${s.holds(a, 1)}`);
  return parts.join(" | ");
}
