// What the checker demands of who enters PARTNER-DOWN under Witness: a grant that its process was shown and has not given back,
// or a human's word on its own machine, which counts only where the API has not answered for a while.
// Source: docs/protocol/witness.md W5 and "Without the API".

import type { CheckContext } from "./check-binding.ts";
import { ACTED_ON_MS, type StoredEndpoint } from "./ledger.ts";
import type { NodeIndex } from "./network.ts";

/** An engine counts the API as answering for a minute; of two answers that overtake each other the older one does not count. */
const SILENT_MS_MIN = 40_000;

/** `record` is about to be the first in PARTNER-DOWN; the books are those of before. */
export function checkEntry(context: CheckContext, node: NodeIndex, record: StoredEndpoint): void {
  const ledger = context.nodes[node];
  const { answeredBeforeWord, fenced, grantShown, returned, stalledMs, wordAt } = ledger;
  if (!fenced || (record.entered > returned && record.entered <= grantShown)) return;
  if (ledger.decidedBy(context.now()) - wordAt > ACTED_ON_MS + stalledMs) {
    const grant = `epoch ${record.entered}, of which ${returned} is given back and ${grantShown} was shown`;
    context.violated("W5", `PARTNER-DOWN without a word, on a grant of ${grant}`, 0);
  } else if (wordAt - answeredBeforeWord < SILENT_MS_MIN) {
    const seconds = ((wordAt - answeredBeforeWord) / 1000).toFixed(1);
    context.violated("W5", `a word was followed ${seconds} s after the API had been asked and answered`, 0);
  }
}
