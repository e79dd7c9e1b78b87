// The demo as a newcomer runs it, in both modes, and that it can fail and leaves nothing behind.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { unmet } from "../../dev/lib/requirements.ts";

const RUN = fileURLToPath(new URL("../../dev/run.mjs", import.meta.url));
const DEMO = fileURLToPath(new URL("../../dev/demo/main.ts", import.meta.url));
/** The user and group "nobody". */
const NOBODY = 65_534;
const LIMIT_MS = 240_000;

interface Demo {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function startDemo(args: readonly string[], user: { uid?: number; gid?: number } = {}): Demo {
  const child = spawn(process.execPath, [RUN, DEMO, ...args], { stdio: ["ignore", "pipe", "pipe"], ...user });
  let text = "";
  const take = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  return { child, output: () => text };
}

async function ended(demo: Demo): Promise<{ code: number | null; output: string }> {
  const timer = setTimeout(() => demo.child.kill("SIGTERM"), LIMIT_MS);
  const [code] = (await once(demo.child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, output: demo.output() };
}

/** Directories, namespaces and processes that demos left behind: theirs whose own process is gone, and that were not there
 *  `before`. What was may be gone by now: a demo removes what earlier ones left. */
function remains(before: readonly string[] = []): string[] {
  const namespaces = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout ?? "";
  const commands = readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
    } catch {
      return [];
    }
  });
  return [...readdirSync(tmpdir()), ...namespaces.split("\n"), ...commands].filter((text) => {
    const owner = /(?:lpdemo|lpd)(\d+)-/.exec(text)?.[1];
    return owner !== undefined && !existsSync(`/proc/${owner}`) && !before.includes(text);
  });
}

test("as root the demo passes in network namespaces with a real DHCP client and leaves nothing behind", {
  skip: unmet("root", "ip", "busybox"),
}, async () => {
  const before = remains();
  const { code, output } = await ended(startDemo([]));
  assert.equal(code, 0, output);
  assert.match(output, /network namespaces/);
  assert.match(output.trimEnd().split("\n").at(-1) ?? "", /^demo: PASS in \d+ s$/);
  assert.deepEqual(remains(before), []);
});

test("without privileges the demo passes on loopback and leaves nothing behind", async () => {
  const before = remains();
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const { code, output } = await ended(startDemo([], user));
  assert.equal(code, 0, output);
  assert.match(output, /loopback/);
  assert.match(output.trimEnd().split("\n").at(-1) ?? "", /^demo: PASS in \d+ s$/);
  assert.deepEqual(remains(before), []);
});

test("one altered lease in one store makes the demo fail, naming the address and where the logs are", async () => {
  const { code, output } = await ended(startDemo(["--loopback", "--alter-one-record"]));
  assert.equal(code, 1, output);
  assert.match(output, /seen: +10\.20\.0\.\d+: expiresAt is/);
  assert.match(output, /logs: +\//);
  assert.match(output.trimEnd().split("\n").at(-1) ?? "", /^demo: FAIL after \d+ s$/);
  const directory = /logs: +(\/\S+)\/logs/.exec(output)?.[1] ?? "";
  assert.notEqual(directory, "");
  spawnSync("rm", ["-rf", directory]);
});

test("Ctrl-C in the middle leaves no process, namespace or file behind", async () => {
  const before = remains();
  const demo = startDemo([]);
  const end = Date.now() + LIMIT_MS;
  while (!demo.output().includes("StatefulSets")) {
    assert.ok(Date.now() < end && demo.child.exitCode === null, demo.output());
    await pause(100);
  }
  demo.child.kill("SIGINT");
  const { code } = await ended(demo);
  assert.notEqual(code, 0);
  assert.deepEqual(remains(before), []);
});

test("a flag that does not exist is refused with the usage", async () => {
  const { code, output } = await ended(startDemo(["--lopback"]));
  assert.equal(code, 2);
  assert.match(output, /--lopback/);
  assert.match(output, /npm run demo/);
});
