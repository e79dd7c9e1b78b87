// Runs one file of this project on the Node it needs: `node dev/run.mjs FILE.ts ARGS`. Every npm script starts here.
// Installs the packages first when node_modules does not match package-lock.json, then hands over: same terminal,
// same signals, same exit code. Plain JavaScript for Node 20 and newer, without packages, because it has to run
// before anything is installed. Must never write to standard output: that belongs to the file it runs.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NODE_MAJOR_MIN = 26;
const LOCK_WAIT_MS = 15 * 60_000;
const LOCK_POLL_MS = 250;
const FORWARDED_SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
const SIGNAL_NUMBERS = /** @type {Record<string, number>} */ ({
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
});

/** Ends the program with a message that names the remedy. */
class SetupError extends Error {}

/** Brings node_modules under `root` in line with package-lock.json; does nothing when it already is.
 *  @param {string} root
 *  @param {(arguments_: string[]) => number | null} [npm] runs npm, gives its exit status */
export async function installPackages(root, npm = (arguments_) => runNpm(root, arguments_)) {
  const wanted = lockDigest(root);
  if (stampedDigest(root) === wanted) return;
  const release = await takeInstallLock(root);
  try {
    if (stampedDigest(root) === wanted) return;
    if (!installedMatchesLock(root)) {
      process.stderr.write("Installing the packages of package-lock.json (npm ci) ...\n");
      const status = npm([
        "ci",
        "--ignore-scripts",
        "--include=dev",
        "--include=optional",
        "--no-audit",
        "--no-fund",
      ]);
      if (status !== 0) {
        throw new SetupError(
          `npm ci failed (exit ${status ?? "by a signal"}); its messages are above.\n` +
            "Check the network or the npm configuration (npm config get registry), then run the same command again.",
        );
      }
    }
    writeFileSync(stampPath(root), `${wanted}\n`);
  } finally {
    release();
  }
}

/** @param {string} root @returns {string} */
function stampPath(root) {
  return join(root, "node_modules", ".leasepair-lock-digest");
}

/** @param {string} root @returns {string} */
function lockDigest(root) {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

/** @param {string} root @returns {string | null} */
function stampedDigest(root) {
  try {
    return readFileSync(stampPath(root), "utf8").trim();
  } catch {
    return null;
  }
}

/** True when npm itself already installed exactly what the lock names, so that an install by hand is not repeated.
 *  @param {string} root @returns {boolean} */
function installedMatchesLock(root) {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const found = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    for (const [path, entry] of Object.entries(wanted)) {
      if (path === "") continue;
      const installed = found[path];
      if (installed === undefined ? !isForAnotherPlatform(entry) : installed.integrity !== entry.integrity)
        return false;
    }
    return Object.keys(found).every((path) => wanted[path] !== undefined);
  } catch {
    return false;
  }
}

/** Whether npm leaves this package out here. One for another C library names the same system and processor as ours.
 *  @param {{ optional?: boolean, os?: string | string[], cpu?: string | string[], libc?: string[] }} entry */
function isForAnotherPlatform(entry) {
  const names = (/** @type {string | string[] | undefined} */ value, /** @type {string} */ own) =>
    value === undefined || [value].flat().includes(own);
  const fits =
    names(entry.os, process.platform) && names(entry.cpu, process.arch) && entry.libc === undefined;
  return entry.optional === true && !fits;
}

/** Holds off a second install in the same checkout; a lock whose process is gone is taken over.
 *  @param {string} root @returns {Promise<() => void>} */
async function takeInstallLock(root) {
  const path = join(root, ".cache", "install.lock");
  mkdirSync(dirname(path), { recursive: true });
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  let announced = false;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
    const holder = lockHolder(path);
    if (holder !== null && !isAlive(holder)) {
      rmSync(path, { force: true });
      continue;
    }
    if (Date.now() > giveUpAt) {
      throw new SetupError(
        `Process ${holder} has been installing for too long. If it hangs, end it and remove ${path}.`,
      );
    }
    if (!announced) process.stderr.write(`Waiting for process ${holder}, which installs the packages ...\n`);
    announced = true;
    await new Promise((done) => setTimeout(done, LOCK_POLL_MS));
  }
}

/** The process named in the lock, or null while its writer has created but not yet filled it.
 *  @param {string} path @returns {number | null} */
function lockHolder(path) {
  try {
    return Number.parseInt(readFileSync(path, "utf8"), 10) || null;
  } catch {
    return null;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/** @param {string} root @param {string[]} arguments_ @returns {number | null} */
function runNpm(root, arguments_) {
  const script = process.env["npm_execpath"];
  const [program, first] = script?.endsWith(".js") ? [process.execPath, [script]] : ["npm", []];
  // npm writes its progress to our standard error, so that the output of the file we run stays clean.
  const result = spawnSync(program, [...first, ...arguments_], { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error)
    throw new SetupError(`npm could not be started (${result.error.message}). Install npm, then try again.`);
  return result.status;
}

/** The Node to run our files with: the installed package, this very process, or one on PATH.
 *  @param {string} root
 *  @param {{ execPath: string, version: string, path: string }} [here]
 *  @returns {string} */
export function findNode(root, here = currentNode()) {
  const packaged = join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");
  if (isExecutable(packaged)) return packaged;
  if (majorOf(here.version) >= NODE_MAJOR_MIN) return here.execPath;
  for (const directory of here.path.split(":")) {
    const candidate = join(directory, "node");
    if (directory === "" || !isExecutable(candidate)) continue;
    const version = spawnSync(candidate, ["--version"], { encoding: "utf8" }).stdout ?? "";
    if (majorOf(version) >= NODE_MAJOR_MIN) return candidate;
  }
  throw new SetupError(
    `Node ${NODE_MAJOR_MIN} or newer is needed; this is Node ${here.version} and the package ` +
      `node-linux-${process.arch} is not installed.\nRemedy: remove node_modules and run the command again ` +
      `(npm installs Node ${NODE_MAJOR_MIN} as an optional package), or put a newer Node on PATH.`,
  );
}

/** @returns {{ execPath: string, version: string, path: string }} */
function currentNode() {
  return { execPath: process.execPath, version: process.versions.node, path: process.env["PATH"] ?? "" };
}

/** @param {string} version */
function majorOf(version) {
  return Number.parseInt(version.replace(/^v/, ""), 10) || 0;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs the file and ends as it ends. @param {string} node @param {string[]} arguments_ @param {string} cache */
function handOver(node, arguments_, cache) {
  // Types are stripped and code is compiled once, not in every process and thread again: a third of an engine's memory,
  // and most of the time of its start.
  const env = { NODE_COMPILE_CACHE: cache, ...process.env };
  // The image is built with Node's own type stripping, which is experimental: nothing that a user can act on.
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", ...arguments_], {
    stdio: "inherit",
    env,
  });
  for (const signal of FORWARDED_SIGNALS) {
    // A terminal sends Ctrl-C to the whole foreground group: the child already has it, and must not get it twice.
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    process.stderr.write(`${node} could not be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + (SIGNAL_NUMBERS[signal] ?? 0);
  });
}

async function main() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const [file, ...rest] = process.argv.slice(2);
  if (file === undefined)
    throw new SetupError("Usage: node dev/run.mjs FILE.ts ARGS   (npm run help lists the scripts)");
  await installPackages(root);
  handOver(findNode(root), [resolve(root, file), ...rest], join(root, ".cache", "compiled"));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof SetupError ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
