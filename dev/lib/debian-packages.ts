// The few programs beyond Node that the namespace mode of the demo and of some tests needs. As root they are
// installed on Debian and its relatives; without root nothing is changed and the caller is told what is missing.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";

export interface Need {
  readonly package: string;
  readonly isPresent: () => boolean;
}

/** The Debian package that brings each program. */
const NEEDS: readonly Need[] = [
  { package: "busybox-static", isPresent: hasDhcpClient },
  { package: "iproute2", isPresent: () => hasProgram("ip") },
  { package: "strace", isPresent: () => hasProgram("strace") },
];

/** The DHCP clients that the tests drive; whoever lacks one skips its test. */
const CLIENTS: readonly Need[] = [
  { package: "isc-dhcp-client", isPresent: () => hasProgram("dhclient") },
  { package: "dhcpcd-base", isPresent: () => hasProgram("dhcpcd") },
];

/** What the real cluster of dev/cluster consists of besides Kubernetes itself. */
export const CLUSTER_PACKAGES: readonly Need[] = [
  { package: "busybox-static", isPresent: hasDhcpClient },
  { package: "conntrack", isPresent: () => hasProgram("conntrack") },
  { package: "containerd", isPresent: () => hasProgram("containerd") },
  { package: "containernetworking-plugins", isPresent: () => existsSync("/usr/lib/cni/bridge") },
  { package: "iproute2", isPresent: () => hasProgram("ip") },
  { package: "iptables", isPresent: () => hasProgram("iptables") },
  { package: "isc-dhcp-relay", isPresent: () => hasProgram("dhcrelay") },
  { package: "nftables", isPresent: () => hasProgram("nft") },
  { package: "prometheus", isPresent: () => hasProgram("promtool") },
  { package: "prometheus-alertmanager", isPresent: () => hasProgram("prometheus-alertmanager") },
  { package: "runc", isPresent: () => hasProgram("runc") },
  { package: "skopeo", isPresent: () => hasProgram("skopeo") },
];

/** The places an unprivileged PATH often lacks. */
const SYSTEM_PATHS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/** Whether a program of that name can be run. */
export function hasProgram(name: string): boolean {
  return [...(process.env["PATH"] ?? "").split(":"), ...SYSTEM_PATHS].some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
}

function hasDhcpClient(): boolean {
  const listing = spawnSync("busybox", ["--list"], { encoding: "utf8" });
  return listing.status === 0 && listing.stdout.split("\n").includes("udhcpc");
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Names of the Debian packages whose programs are absent. */
export function missingPackages(needs: readonly Need[] = NEEDS): string[] {
  return needs.filter((need) => !need.isPresent()).map((need) => need.package);
}

/** Installs what is missing, when that is possible; gives what is missing still. Progress goes to standard error. */
export function installMissingPackages(needs: readonly Need[] = NEEDS): string[] {
  const missing = missingPackages(needs);
  if (missing.length === 0 || !isRoot() || !hasProgram("apt-get")) return missing;
  process.stderr.write(`Installing Debian packages: ${missing.join(" ")}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const stdio: ["ignore", number, number] = ["ignore", 2, 2];
  spawnSync("apt-get", ["update", "-qq"], { env, stdio });
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env, stdio });
  return missingPackages(needs);
}

/** The same for what the tests need beyond that. */
export function installTestPackages(): string[] {
  return installMissingPackages([...NEEDS, ...CLIENTS, ...CLUSTER_PACKAGES]);
}
