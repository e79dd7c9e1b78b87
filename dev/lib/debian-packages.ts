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
  program("ip", "iproute2"),
  program("strace", "strace"),
];

function program(name: string, from: string): Need {
  return { package: from, isPresent: () => hasProgram(name) };
}

/** The DHCP clients, relays and tools that the tests drive; where one is missing its test is skipped. */
const CLIENTS: readonly Need[] = [
  program("dhclient", "isc-dhcp-client"),
  program("dhcpcd", "dhcpcd-base"),
  program("networkctl", "systemd"),
  program("NetworkManager", "network-manager"),
  program("dbus-daemon", "dbus-daemon"),
  program("dhcrelay", "isc-dhcp-relay"),
  program("dhcpd", "isc-dhcp-server"),
  program("dnsmasq", "dnsmasq-base"),
  program("tcpdump", "tcpdump"),
  program("tshark", "tshark"),
  program("faketime", "faketime"),
  program("qemu-system-x86_64", "qemu-system-x86"),
  { package: "ipxe-qemu", isPresent: () => existsSync(IPXE_ROM) },
];

/** What the real cluster of dev/cluster consists of besides Kubernetes itself. */
export const CLUSTER_PACKAGES: readonly Need[] = [
  { package: "busybox-static", isPresent: hasDhcpClient },
  program("conntrack", "conntrack"),
  program("containerd", "containerd"),
  { package: "containernetworking-plugins", isPresent: () => existsSync("/usr/lib/cni/bridge") },
  program("ip", "iproute2"),
  program("iptables", "iptables"),
  program("dhcrelay", "isc-dhcp-relay"),
  program("nft", "nftables"),
  program("promtool", "prometheus"),
  program("prometheus-alertmanager", "prometheus-alertmanager"),
  program("runc", "runc"),
  program("skopeo", "skopeo"),
];

/** iPXE for the network card that QEMU emulates most simply. */
export const IPXE_ROM = "/usr/lib/ipxe/qemu/pxe-e1000.rom";

/** Other DHCP servers and judges that the tests compare ours with. */
const PEERS: readonly Need[] = [
  program("kea-dhcp4", "kea-dhcp4-server"),
  program("perfdhcp", "kea-admin"),
  program("dhcpd", "isc-dhcp-server"),
  program("tshark", "tshark"),
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

/** A machine that has just booted updates itself, and holds dpkg's lock meanwhile; a mirror may be away for a moment. */
const PATIENTLY = ["-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=5"];

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
  const get = (...words: readonly string[]) => spawnSync("apt-get", [...PATIENTLY, ...words], { env, stdio });
  get("update", "-qq");
  get("install", "-y", "-qq", "--no-install-recommends", ...missing);
  return missingPackages(needs);
}

/** The same for what the tests need beyond that. */
export function installTestPackages(): string[] {
  return installMissingPackages([...NEEDS, ...CLIENTS, ...PEERS, ...CLUSTER_PACKAGES]);
}
