// The page of reasons and the code hold each other: every CamelCase word in the files that judge is either on the page, or known here
// to be something else.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readTrackedFiles } from "../../dev/lib/tidy/tracked-text.ts";
import { CONDITION_TYPES } from "../../src/api/conditions.ts";
import { API_STATES, SERVING } from "../../src/api/failover-state.ts";
import { CAUSE_WORDS } from "../../src/controller/decide/words.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const JUDGES = [
  /^src\/controller\/(decide\/|apply|read-objects)/,
  /^src\/api\/(compile(-[a-z-]+)?|client-class-compile|mass-deletion)\.ts$/,
  /^src\/base\/link-refusal\.ts$/,
  /^src\/dhcp\/host\/(member-status|news-events)\.ts$/,
];

/** Words of the same files that are no reasons, beside those below. */
const EXCUSED = [
  ...["CarrierPresent", "ClockSound", "LinkRefused", "StoreDamaged"],
  ...["True", "False", "Unknown", "Normal", "Warning"],
  // Values of fields.
  ...["Allowed", "Disabled", "Enabled", "HotStandby", "LoadBalance", "Primary", "Secondary", "Witness"],
  ...["DeclarePartnerDown", "Soft", "Stop", "Switchover", "TestFailover"],
  // How a link is secured, how an operation stands, which phase a pod or a claim has.
  ...["Clear", "Pending", "Running", "Succeeded"],
  // Kubernetes' kinds, and its own reasons.
  ...["Opaque", "PersistentVolumeClaim", "Pod", "Secret", "StatefulSet"],
  ...["WaitForFirstConsumer", "WaitForPodScheduled"],
  // What events name as the act.
  ...[
    "Apply",
    "ChangeState",
    "JudgeReconciling",
    "MoveClient",
    "Observe",
    "OfferOtherAddress",
    "Quarantine",
    "RemoveStore",
    "Restart",
    "WriteWitness",
  ],
];
/** Reasons of a rollout that waits, and elsewhere a state and the cause of a silence. */
const REASONS_TOO = ["NodeCordoned", "Paused"];
const OTHERS = new Set<string>([
  ...EXCUSED,
  ...Object.keys(CONDITION_TYPES),
  ...Object.values(CONDITION_TYPES).flat(),
  ...API_STATES,
  ...SERVING,
  ...Object.keys(CAUSE_WORDS),
]);

const judged = new Set(
  readTrackedFiles(ROOT)
    .filter(({ path }) => JUDGES.some((judge) => judge.test(path)))
    .flatMap(({ text }) =>
      [...text.matchAll(/"([A-Z][a-z]+(?:[A-Z][A-Za-z]*)?)"/g)].map(([, word = ""]) => word),
    ),
);

/** Of each table the cells of the column `reason`. */
const listed = new Set(
  readFileSync(`${ROOT}docs/reference/conditions.md`, "utf8")
    .split(/\n\n/)
    .filter((block) => block.startsWith("| "))
    .flatMap((table) => {
      const [head = [], , ...rows] = table.split("\n").map((line) => line.split(" | "));
      const column = head.findIndex((cell) => cell.replaceAll(/[| ]/g, "") === "reason");
      return rows
        .flatMap((row) => (row[column] ?? "").replaceAll("|", "").split(","))
        .map((word) => word.trim());
    })
    .filter((word) => /^[A-Z][A-Za-z]+$/.test(word)),
);

test("every reason that the code gives is on the page", () => {
  assert.ok(judged.size > 150, `${judged.size} words found`);
  const reasons = [...[...judged].filter((word) => !OTHERS.has(word)), ...REASONS_TOO];
  assert.deepEqual(reasons.filter((word) => !listed.has(word)).sort(), []);
});

test("every reason on the page is one that the code gives", () => {
  const known = (word: string) => judged.has(word) || SERVING.some((serving) => serving === word);
  assert.deepEqual([...listed].filter((word) => !known(word)).sort(), []);
});

test("no word is excused that the code does not have", () => {
  assert.deepEqual(
    EXCUSED.filter((word) => !judged.has(word)),
    [],
  );
});
