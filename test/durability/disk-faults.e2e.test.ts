// Disks that fail under a serving engine, and engines that stand still: what was acknowledged is kept, nothing is
// acknowledged after the failure, the partner serves on, and the engine comes back from its log.
// Failing system calls are made by strace, full and read-only file systems are small tmpfs mounts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { unmet } from "../../dev/lib/requirements.ts";
import { type LivePair, MEMBERS } from "./live-pair.ts";
import { expectAgreement, expectKept, expectNoViolation, type LiveRun, withPair } from "./live-run.ts";
import { checkTrace, parseTrace, sentAfterSeconds, straceInto } from "./live-trace.ts";

const LOAD = { clients: 120, requestsPerSecond: 500, thinkMs: 200 };
const FREEZES = 8;
/** One second is promised; test/dhcp/engine/runner.test.ts asserts it by a simulated clock. Here strace and other work on
 *  the machine delay the loop that hears of the failure. */
const SILENT_SECONDS_MAX = 5;

/** The failed engine is gone: nothing is lost, the partner serves, and after a restart all agree. */
async function expectRecovery(run: LiveRun): Promise<void> {
  const { pair, load } = run;
  await load.drained();
  const kept = expectKept(run, "a", "after the failure");
  assert.ok(kept > 10, `${kept} leases were compared`);
  await pair.engine("b").untilIn("COMMUNICATIONS-INTERRUPTED");
  const before = load.ledger.acks;
  for (const end = performance.now() + 20_000; load.ledger.acks < before + 50; await pause(20))
    assert.ok(performance.now() < end, "the partner does not serve");
  await pair.start("a").untilState("NORMAL");
  await expectAgreement(run);
}

for (const [error, name] of [
  ["EIO", "an I/O error"],
  ["EROFS", "a file system that turned read-only"],
] as const) {
  test(`a sync that fails with ${name} is final: no ACK after it, no write, silence, exit 1, nothing lost`, {
    skip: unmet("strace"),
  }, async (t) => {
    await withPair(t, LOAD, async (run) => {
      const { pair, load } = run;
      const file = join(pair.directory, "trace");
      const traced = "write,writev,fdatasync,fsync,sendmmsg,sendmsg,sendto";
      const inject = `inject=fdatasync:error=${error}:when=250`;
      const strace = straceInto(file, traced, ["-ttt", "-e", inject]);
      const a = pair.start("a", { wrapper: strace });
      const b = pair.start("b");
      await Promise.all([a.untilState("NORMAL"), b.untilState("NORMAL")]);
      await load.start();
      assert.equal(await a.ended(), 1, a.story());
      assert.match(a.errors, /cannot sync .*segment-/);
      const calls = parseTrace(readFileSync(file, "utf8"));
      const { acks, failedAt, problems } = checkTrace(calls);
      assert.ok(failedAt !== null && acks > 10, `${acks} ACKs, failed at ${failedAt}`);
      assert.deepEqual(problems.slice(0, 5), []);
      const after = calls.filter(
        (call) => call.begin > failedAt && call.name === "write" && /segment-/.test(call.file),
      );
      assert.deepEqual(after, [], "nobody knows what the disk holds: nothing is written after it");
      const sentFor = sentAfterSeconds(calls, failedAt);
      t.diagnostic(`silent ${(sentFor * 1000).toFixed(1)} ms after the failure`);
      assert.ok(sentFor < SILENT_SECONDS_MAX, `something was sent ${sentFor} s after the failure`);
      await expectRecovery(run);
    });
  });
}

/** Mounts a small file system where member a keeps its data; unmounts it in the end. */
async function withSmallDisk(pair: LivePair, body: (disk: string) => Promise<void>): Promise<void> {
  const disk = pair.dataDirectory("a");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  try {
    await body(disk);
  } finally {
    await pair.engine("a").kill();
    execFileSync("umount", [disk]);
  }
}

/** Takes all the space that is left. */
function fill(disk: string): void {
  for (let size = 1 << 20, file = 0; size >= 4096; ) {
    try {
      writeFileSync(join(disk, `filler-${file++}`), Buffer.alloc(size));
    } catch {
      size /= 2;
    }
  }
}

function empty(disk: string): void {
  for (const name of readdirSync(disk)) if (name.startsWith("filler-")) rmSync(join(disk, name));
}

const asRoot = { skip: unmet("root", "mount") };

test(
  "a disk that fills up under load: the engine ends with exit 1, nothing lost, and serves again",
  asRoot,
  async (t) => {
    await withPair(t, LOAD, async (run) => {
      const { pair, load } = run;
      await withSmallDisk(pair, async (disk) => {
        await pair.startBoth();
        await load.start();
        await pause(1000);
        fill(disk);
        const a = pair.engine("a");
        assert.equal(await a.ended(), 1, a.story());
        assert.match(a.errors, /ENOSPC/);
        empty(disk);
        await expectRecovery(run);
      });
    });
  },
);

test(
  "a file system that is mounted read-only: the start is refused with exit 1, the store stays as it is",
  asRoot,
  async (t) => {
    await withPair(t, LOAD, async (run) => {
      const { pair, load } = run;
      await withSmallDisk(pair, async (disk) => {
        await pair.startBoth();
        await load.start();
        await pause(1000);
        await pair.engine("a").kill();
        execFileSync("mount", ["-o", "remount,ro", disk]);
        const before = pair.dumpText("a");
        const refused = pair.start("a");
        assert.equal(await refused.ended(), 1, refused.story());
        assert.match(refused.errors, /EROFS.*writable/s);
        assert.equal(pair.dumpText("a"), before);
        execFileSync("mount", ["-o", "remount,rw", disk]);
        await expectRecovery(run);
      });
    });
  },
);

test("a new pair on disks that take a second for every sync becomes NORMAL and stays it", {
  skip: unmet("strace"),
}, async (t) => {
  await withPair(t, LOAD, async ({ pair }) => {
    for (const member of MEMBERS) {
      const file = join(pair.directory, `trace-${member}`);
      const delay = ["-e", "inject=fdatasync,fsync:delay_enter=1s"];
      pair.start(member, { wrapper: straceInto(file, "fdatasync,fsync", delay) });
    }
    await Promise.all(MEMBERS.map((member) => pair.engine(member).untilState("NORMAL")));
    await pause(10_000);
    for (const member of MEMBERS) {
      const lost = pair
        .engine(member)
        .lines()
        .filter(({ event }) => event === "link-down");
      assert.deepEqual(lost, []);
    }
  });
});

test(`${FREEZES} times an engine stands still (SIGSTOP, SIGCONT): nothing lost, no duplicate, both come to terms`, async (t) => {
  await withPair(t, LOAD, async (run) => {
    const { pair, load } = run;
    await pair.startBoth();
    await load.start();
    for (let freeze = 1; freeze <= FREEZES; freeze++) {
      await pause(500 + Math.random() * 1000);
      const engine = pair.engine(MEMBERS[freeze % 2]!);
      // From a hiccup to well past the contact loss.
      const frozenMs = 200 + (freeze / FREEZES) * 4000 * Math.random();
      engine.signal("SIGSTOP");
      await pause(frozenMs);
      engine.signal("SIGCONT");
      expectNoViolation(run, `freeze ${freeze}, ${frozenMs.toFixed(0)} ms`);
    }
    assert.ok(load.ledger.acks > 200, `${load.ledger.acks} ACKs`);
    await expectAgreement(run);
  });
});
