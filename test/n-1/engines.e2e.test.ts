// A rolling upgrade is one member at a time: an engine of the version before is the partner of one of this version for as long
// as it lasts. Real engines of both, over TLS, under client load, there and back again on the same stores.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runCli } from "../cli/run-cli.ts";
import { LIVE_RELATIONSHIP, MEMBERS, type Member } from "../durability/live-pair.ts";
import {
  expectHolds,
  expectKept,
  expectNoViolation,
  type LiveRun,
  withPair,
} from "../durability/live-run.ts";
import { untilAcks } from "../durability/live-store-loss.ts";
import { type FirstGreen, unpackFirstGreen } from "./first-green.ts";

const LOAD = { clients: 120, requestsPerSecond: 300, thinkMs: 300 };
/** Enough that both members have renewed leases, given new ones and taken some back. */
const ACKS = 150;

describe("the first green version's engine and this one as partners", () => {
  let old: FirstGreen;
  let certificates: string;
  before(async () => {
    old = unpackFirstGreen();
    certificates = join(old.root, "link");
    const made = await runCli([
      ...["certs", "--relationship", LIVE_RELATIONSHIP, "--member", ...MEMBERS],
      ...["--out", certificates],
    ]);
    assert.equal(made.code, 0, made.stderr);
  });
  after(() => old?.remove());

  it("are NORMAL either way round, lease, survive kill -9, and both know every lease, up and back again", async (t) => {
    await withPair(t, { ...LOAD, certificates }, async (run) => {
      const { pair, load } = run;
      const trees = { old: { project: old.root }, new: {} };
      await Promise.all(MEMBERS.map((member) => pair.start(member, trees.old).untilState("NORMAL")));
      await load.start();
      await untilAcks(run, ACKS);
      for (const version of ["new", "old"] as const) {
        // The secondary first, as the controller does it: once the old one is the primary, once the new one.
        await change(run, "b", trees[version]);
        for (const member of MEMBERS) {
          const own = version === (member === "b" ? "new" : "old") ? trees.new : trees.old;
          await killAndReturn(run, member, own);
        }
        await growPools(run);
        await change(run, "a", trees[version]);
      }
      assert.ok((await expectHolds(run)) > LOAD.clients / 2);
    });
  });
});

interface Tree {
  readonly project?: string;
}

/** Stopped in order, and started as another version with the store it had. */
async function change(run: LiveRun, member: Member, tree: Tree): Promise<void> {
  const { pair } = run;
  const engine = pair.engine(member);
  engine.signal("SIGTERM");
  assert.equal(await engine.ended(), 0, engine.story());
  expectKept(run, member, `${member} stopped`);
  await comeBack(run, member, tree);
}

async function killAndReturn(run: LiveRun, member: Member, tree: Tree): Promise<void> {
  await run.pair.engine(member).kill();
  await run.load.drained();
  expectKept(run, member, `${member} killed`);
  // From its partner, which is of the other version.
  await untilAcks(run, ACKS);
  await comeBack(run, member, tree);
}

async function comeBack(run: LiveRun, member: Member, tree: Tree): Promise<void> {
  const { pair } = run;
  await pair.start(member, tree).untilState("NORMAL");
  await Promise.all(MEMBERS.map((one) => pair.engine(one).untilIn("NORMAL")));
  await untilAcks(run, ACKS);
  expectNoViolation(run, `${member} is back`);
}

/** One address more in the range: part of the shape, on which both must agree, each by the digest it reckons itself. */
async function growPools({ pair }: LiveRun): Promise<void> {
  const file = join(pair.directory, "manifests", "pair.yaml");
  const grown = readFileSync(file, "utf8").replace(/(?<= end: 10\.20\.2\.)\d+/, (last) =>
    String(Number(last) + 1),
  );
  writeFileSync(file, grown);
  const isInForce = (line: Readonly<Record<string, unknown>>) =>
    line["event"] === "configuration-activated" && line["shapeChanged"] === true;
  await Promise.all(MEMBERS.map((member) => pair.engine(member).until("the new shape", isInForce)));
}
