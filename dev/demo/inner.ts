// The demo's inner process: surroundings up, story told, everything down again. Started by main.ts, in the switch's
// namespace or on loopback. Arguments: directory, pid of the outer process, flags.

import { setTimeout as pause } from "node:timers/promises";
import { Environment } from "./environment.ts";
import { loopbackLab } from "./loopback-lab.ts";
import { namespaceLab } from "./namespace-lab.ts";
import { tellStory } from "./story.ts";
import { ClaimError, Teller } from "./teller.ts";

const [directory = "", outerPid = "", ...flags] = process.argv.slice(2);
const keep = flags.includes("--keep");
/** Loopback runs side by side get ports of their own, below those that the kernel gives to whoever asks for any. */
const basePort = 20_000 + (Number(outerPid) % 340) * 32;

const lab = flags.includes("--loopback")
  ? loopbackLab({ basePort })
  : namespaceLab(Number(outerPid), directory);
const teller = new Teller((line) => process.stdout.write(`${line}\n`));
const stopped = Promise.withResolvers<never>();
stopped.promise.catch(() => {});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => stopped.reject(new Error(`stopped by ${signal}`)));
}

let env: Environment | null = null;
let exitCode = 1;
try {
  teller.say(`Leasepair demo: ${lab.description}.`);
  const starting = Environment.start(lab, directory);
  env = await Promise.race([starting, stopped.promise]);
  const story = tellStory(env, teller, { alterOneRecord: flags.includes("--alter-one-record"), keep });
  story.catch(() => {});
  await Promise.race([story, stopped.promise]);
  teller.say(`demo: PASS in ${Math.round(teller.elapsedSeconds)} s`);
  exitCode = 0;
  if (keep) await staysUp(env);
} catch (error) {
  if (!(keep && exitCode === 0)) tellFailure(error);
} finally {
  await env?.stop();
}
process.exit(exitCode);

function tellFailure(error: unknown): void {
  exitCode = 1;
  if (error instanceof ClaimError) {
    teller.say(`      expected: ${error.expected}`);
    teller.say(`      seen:     ${error.seen}`);
  } else teller.say(`      ${error instanceof Error ? error.message : String(error)}`);
  if (env !== null) teller.say(`      logs:     ${env.logs}`);
  teller.say(`demo: FAIL after ${Math.round(teller.elapsedSeconds)} s`);
}

/** Says what to type next, then waits for Ctrl-C. */
async function staysUp(running: Environment): Promise<void> {
  const spec = running.relationship("campus").spec;
  const [a] = spec.members;
  const enter = lab.kind === "namespaces" ? `ip netns exec lpdemo${outerPid}-sw ` : "";
  const pid = running.agent.pid("default", running.podOf("campus", "a"));
  teller.say("");
  teller.say("Everything keeps running. In another terminal:");
  teller.say(`  ${enter}npm run -s leasepair -- status --kubeconfig ${running.kubeConfigFile}`);
  teller.say(`  npm run -s leasepair -- leases --data-dir ${running.dataDirectory("campus", "a")}`);
  teller.say(
    `  ${enter}curl -s http://${a?.address}:${a?.metricsPort}/metrics | grep leasepair_failover_state`,
  );
  teller.say(`  kill -9 ${pid}        # member a of campus; it comes back by itself`);
  teller.say(`Logs: ${running.logs}`);
  teller.say("Ctrl-C ends it and removes everything.");
  for (;;) await Promise.race([pause(3_600_000), stopped.promise]);
}
