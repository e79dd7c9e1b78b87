// Real DHCP clients, started as an administrator starts them, each in a namespace of its own. What they do is seen on the
// wire (tap.ts) and in the addresses of their interface; how they are started and told to release differs and is here.

import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endProcess } from "../../dev/lib/end-process.ts";
import { ip, until } from "./network.ts";
import type { PairLab } from "./pair-lab.ts";

/** Where a client keeps its things; the directory outlives its processes. */
export interface ClientPaths {
  readonly state: string;
  readonly script: string;
}

export interface ClientKind {
  readonly name: string;
  readonly package: string;
  readonly programs: readonly string[];
  /** Writes what the client needs before its first start. */
  readonly prepare?: (paths: ClientPaths) => void;
  readonly command: (paths: ClientPaths) => readonly string[];
  /** Sent when T1 is up, for the client that does not heed T1 and T2. */
  readonly renewSignal?: NodeJS.Signals;
  /** What makes it release: a signal or a command; null when it never does. */
  readonly release: NodeJS.Signals | ((paths: ClientPaths) => readonly string[]) | null;
  /** Whether it tells the server of a conflict; others start anew in silence. */
  readonly declines: boolean;
  /** Whether it asks for its old address after a restart (INIT-REBOOT); others start anew. */
  readonly remembers: boolean;
}

/** Sets the address that udhcpc or dhclient got. dhclient leaves the check for a conflict to its script. */
const SCRIPT = `#!/bin/sh
reason=\${reason:-$1}
address=\${new_ip_address:-$ip}
case $reason in
deconfig|EXPIRE|FAIL|RELEASE|STOP|PREINIT) ip -4 addr flush dev lan ;;
bound|renew|BOUND|RENEW|REBIND|REBOOT)
  ip -4 -o addr show dev lan | grep -q "inet $address/" && exit 0
  busybox arping -q -D -c 1 -w 1 -I lan "$address" || exit 1
  ip -4 addr flush dev lan; ip addr add "$address/24" dev lan
  ip route replace default via "\${new_routers:-$router}" ;;
esac
exit 0
`;

export const CLIENT_KINDS: readonly ClientKind[] = [
  {
    name: "udhcpc",
    package: "busybox-static",
    programs: ["busybox"],
    command: ({ script }) => [
      ...["busybox", "udhcpc", "-f", "-i", "lan", "-s", script],
      ...["-t", "4", "-T", "2", "-A", "2", "-a"],
    ],
    renewSignal: "SIGUSR1",
    release: "SIGUSR2",
    declines: true,
    remembers: false,
  },
  {
    name: "dhclient",
    package: "isc-dhcp-client",
    programs: ["dhclient", "busybox"],
    command: (paths) => ["dhclient", "-d", ...dhclientFiles(paths), "lan"],
    release: (paths) => ["dhclient", "-r", ...dhclientFiles(paths), "lan"],
    declines: true,
    remembers: true,
  },
  {
    name: "dhcpcd",
    package: "dhcpcd-base",
    programs: ["dhcpcd"],
    // It knows no options for where its files are: they are mounted over.
    command: ({ state }) =>
      inOwnDirectories(
        state,
        ["/var/lib/dhcpcd", "/run/dhcpcd"],
        "exec dhcpcd -B -4 -L -f /dev/null -c /bin/true lan",
      ),
    release: "SIGALRM",
    declines: true,
    remembers: true,
  },
  {
    name: "networkd",
    package: "systemd",
    programs: ["networkctl"],
    prepare: ({ state }) => writeFileSync(join(state, "lan.network"), NETWORKD_CONFIG, { mode: 0o644 }),
    // A read-only /sys tells it that there is no udev to wait for. It gives up root for its own user.
    command: ({ state }) =>
      inOwnDirectories(
        state,
        ["/run/systemd/netif", "/etc/systemd/network"],
        [
          "mount -o remount,ro,bind /sys",
          `cp ${state}/lan.network /etc/systemd/network`,
          "mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp",
          "chown -R systemd-network /run/systemd/netif",
          "SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec /lib/systemd/systemd-networkd",
        ].join(" && "),
      ),
    release: "SIGTERM",
    // Version 252 fails to even when told to (SendDecline=yes): "Failed to send DHCP DECLINE: Network is unreachable".
    declines: false,
    remembers: false,
  },
  {
    name: "NetworkManager",
    package: "network-manager",
    programs: ["NetworkManager", "dbus-daemon"],
    prepare: prepareNetworkManager,
    // With a bus of its own, which ends with it.
    command: ({ state }) =>
      inOwnDirectories(
        state,
        ["/run/dbus", "/run/NetworkManager", "/var/lib/NetworkManager"],
        [
          "mount -o remount,ro,bind /sys",
          "rm -f /run/dbus/system_bus_socket",
          `{ setpriv --pdeathsig KILL dbus-daemon --config-file=${state}/bus.conf --nofork --nopidfile & }`,
          "until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done",
          `exec NetworkManager --debug --config ${state}/NetworkManager.conf --config-dir /nonexistent --system-config-dir /nonexistent`,
        ].join(" && "),
      ),
    // Version 1.42 has no RELEASE in its internal client.
    release: null,
    declines: true,
    remembers: true,
  },
];

const NETWORKD_CONFIG = `[Match]
Name=lan
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

const BUS_CONFIG = `<busconfig>
<listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
</policy></busconfig>
`;

const CONNECTION = `[connection]
id=lan
uuid=11111111-2222-3333-4444-555555555555
type=ethernet
interface-name=lan
[ipv4]
method=auto
dad-timeout=300
[ipv6]
method=disabled
`;

function prepareNetworkManager({ state }: ClientPaths): void {
  const connections = join(state, "connections");
  mkdirSync(connections);
  writeFileSync(join(connections, "lan.nmconnection"), CONNECTION, { mode: 0o600 });
  writeFileSync(join(state, "bus.conf"), BUS_CONFIG);
  const main = "plugins=keyfile\ndhcp=internal\nno-auto-default=*\nauth-polkit=false\nrc-manager=unmanaged";
  const config = `[main]\n${main}\n[keyfile]\npath=${connections}\n[connectivity]\nenabled=false\n`;
  writeFileSync(join(state, "NetworkManager.conf"), config);
}

function dhclientFiles({ script, state }: ClientPaths): string[] {
  const file = (name: string) => join(state, name);
  return ["-4", "-sf", script, "-lf", file("leases"), "-pf", file("pid"), "-cf", "/dev/null"];
}

/** Runs the command with own directories in the place of the machine's. */
function inOwnDirectories(state: string, paths: readonly string[], command: string): string[] {
  const mounts = paths.map((path) => {
    const own = join(state, path.replaceAll("/", "-"));
    return `mkdir -p ${own} ${path} && chmod 777 ${own} && mount --bind ${own} ${path}`;
  });
  return ["sh", "-c", [...mounts, command].join(" && ")];
}

const GRACE_MS = 10_000;

export class RealClient {
  readonly kind: ClientKind;
  readonly hardwareAddress: string;
  /** The switch's port its cable is in. */
  readonly port: string;
  readonly #lab: PairLab;
  readonly #namespace: string;
  readonly #paths: ClientPaths;
  #process: ChildProcess | null = null;

  /** Plugged into the segment, not started. The last bytes of the hardware address tell it from the lab's other clients. */
  constructor(lab: PairLab, kindName: string, hardwareAddress: string, segment: string) {
    const kind = CLIENT_KINDS.find(({ name }) => name === kindName);
    if (kind === undefined) throw new Error(`no client ${kindName}`);
    this.kind = kind;
    this.hardwareAddress = hardwareAddress;
    this.#lab = lab;
    const name = `${kind.name}${hardwareAddress.slice(-5).replace(":", "")}`;
    this.#namespace = lab.network.namespace(name);
    this.port = lab.network.connect(this.#namespace, "lan", segment, { hardwareAddress });
    const state = join(lab.directory, name);
    mkdirSync(state, { mode: 0o777 });
    this.#paths = { state, script: join(state, "script") };
    writeFileSync(this.#paths.script, SCRIPT, { mode: 0o755 });
    kind.prepare?.(this.#paths);
  }

  /** What the client itself has written so far. */
  log(): string {
    return readFileSync(join(this.#paths.state, "log"), "utf8");
  }

  /** What its interface has. */
  addresses(): readonly string[] {
    return this.#lab.network.addresses(this.#namespace, "lan");
  }

  /** Resolves once the interface has this address, or, for null, none. */
  async untilUses(address: string | null, limitMs = 30_000): Promise<void> {
    const isSo = () =>
      address === null ? this.addresses().length === 0 : this.addresses().includes(address);
    await until(() => `${this.kind.name} uses ${address}\n${this.log().slice(-2_000)}`, limitMs, isSo);
  }

  start(): void {
    const log = join(this.#paths.state, "log");
    this.#process = this.#lab.network.start(this.#namespace, this.kind.command(this.#paths), log);
  }

  /** T1 has come, for a client that does not heed it. */
  renewNow(): void {
    if (this.kind.renewSignal !== undefined) this.#process?.kill(this.kind.renewSignal);
  }

  /** kill -9: the machine lost its power. Its address is gone with it. */
  async crash(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.stop();
  }

  /** Makes it release its lease; follow with stop(). */
  release(): void {
    const { release } = this.kind;
    if (typeof release === "string") this.#process?.kill(release);
    else if (release !== null) this.#lab.network.run(this.#namespace, ...release(this.#paths));
  }

  /** Ends it, and takes its address off the interface. */
  async stop(): Promise<void> {
    if (this.#process !== null) await endProcess(this.#process, GRACE_MS);
    this.#process = null;
    ip("-n", this.#namespace, "-4", "addr", "flush", "dev", "lan");
  }

  /** Lets unicast to one server fail, or work again. A wrong neighbour rather than a missing route: Linux ignores its routing
   *  table for sockets that are bound to an interface. */
  cutOff(server: string, action: "replace" | "del"): void {
    const neighbour = [server, "lladdr", "02:00:00:00:00:99", "nud", "permanent"];
    ip("-n", this.#namespace, "neigh", action, ...neighbour, "dev", "lan");
  }
}
