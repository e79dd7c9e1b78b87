import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LeaseEvent, LogEntry } from "../../../src/dhcp/engine/event.ts";
import { HISTORY_FILE, type HistoryOptions, LeaseHistory } from "../../../src/dhcp/host/lease-history.ts";

function event(i: number): LeaseEvent {
  return {
    time: "2030-01-01T00:00:00.000Z",
    event: "grant",
    address: `10.0.0.${i}`,
    hardwareAddress: "020000000001",
    clientIdentifier: null,
    hostname: 'a"\n',
    relayInformation: null,
    expires: null,
    by: "self",
  };
}

async function withHistory(
  options: Partial<HistoryOptions>,
  act: (history: LeaseHistory, directory: string, logged: readonly LogEntry[]) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "lease-history-"));
  const logged: LogEntry[] = [];
  const directory = `${root}/history`;
  const history = new LeaseHistory({
    directory,
    log: (entry) => void logged.push(entry),
    freeBytesMin: 0,
    ...options,
  });
  try {
    await act(history, directory, logged);
  } finally {
    await history.stop();
    rmSync(root, { recursive: true });
  }
}

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("each event is one line of JSON in order, in a file that others cannot read", async () => {
  await withHistory({}, async (history, directory) => {
    for (let i = 0; i < 5_000; i++) history.note(event(i));
    await history.idle();
    const lines = linesOf(`${directory}/${HISTORY_FILE}`);
    assert.deepEqual(
      lines.map(({ address }) => address),
      Array.from({ length: 5_000 }, (_, i) => `10.0.0.${i}`),
    );
    assert.deepEqual(lines[0], { ...event(0) });
    assert.equal(statSync(`${directory}/${HISTORY_FILE}`).mode & 0o777, 0o600);
    assert.deepEqual([history.written, history.lost], [5_000, 0]);
  });
});

test("noting does nothing within the call: whoever acknowledges a lease does not wait for it", async () => {
  await withHistory({}, async (history, directory) => {
    history.note(event(1));
    assert.throws(() => readdirSync(directory), /ENOENT/);
    await history.idle();
    assert.deepEqual(readdirSync(directory), [HISTORY_FILE]);
  });
});

test("a full file makes room for a new one, the oldest goes, and a restart goes on in the last", async () => {
  await withHistory({ fileBytesMax: 1_000, filesMax: 3 }, async (history, directory) => {
    for (let i = 0; i < 40; i++) {
      history.note(event(i));
      await history.idle();
    }
    await history.stop();
    const files = readdirSync(directory).sort();
    assert.ok(
      !files.includes(`${HISTORY_FILE}.3`) && files.length <= 3 && files.includes(`${HISTORY_FILE}.2`),
      files.join(),
    );
    const kept = [".2", ".1", ""].flatMap((end) =>
      files.includes(`${HISTORY_FILE}${end}`) ? linesOf(`${directory}/${HISTORY_FILE}${end}`) : [],
    );
    const numbers = kept.map(({ address }) => Number(String(address).split(".")[3]));
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, i) => 40 - numbers.length + i),
      "no hole",
    );
    assert.ok(numbers.length >= 10);
    history.note(event(40));
    await history.idle();
    assert.equal(linesOf(`${directory}/${HISTORY_FILE}`).at(-1)?.["address"], "10.0.0.40");
  });
});

test("a queue that is full loses the newest lines, counts them and shows the gap in the file", async () => {
  await withHistory({ linesQueuedMax: 10 }, async (history, directory) => {
    for (let i = 0; i < 25; i++) history.note(event(i));
    await history.idle();
    history.note(event(99));
    await history.idle();
    assert.deepEqual([history.written, history.lost], [11, 15]);
    const lines = linesOf(`${directory}/${HISTORY_FILE}`);
    const gaps = lines.filter(({ event: name }) => name === "gap");
    assert.deepEqual(gaps, [{ event: "gap", lost: 15 }], "told once");
    assert.equal(lines.at(-1)?.["address"], "10.0.0.99");
  });
});

test("a disk that refuses costs lines, one warning, and nothing else; it goes on when the disk does", async () => {
  await withHistory({}, async (history, directory, logged) => {
    writeFileSync(directory, "a file where the directory should be");
    for (let i = 0; i < 3; i++) {
      history.note(event(i));
      await history.idle();
    }
    assert.deepEqual([history.written, history.lost], [0, 3]);
    assert.deepEqual(
      logged.map(({ event: id, level }) => [id, level]),
      [["lease-history-gap", "warn"]],
    );
    rmSync(directory);
    history.note(event(4));
    await history.idle();
    assert.deepEqual(linesOf(`${directory}/${HISTORY_FILE}`)[0], { event: "gap", lost: 3 });
  });
});

test("the last space of a disk is left to the lease store", async () => {
  await withHistory({ freeBytesMin: Number.MAX_SAFE_INTEGER }, async (history, _directory, logged) => {
    history.note(event(1));
    await history.idle();
    assert.equal(history.lost, 1);
    assert.match(logged[0]?.message ?? "", /less than .* bytes are free/);
  });
});
