// Real DHCP clients, started as an administrator starts them. Each calls the same event script, which sets the address and
// appends one line per event: reason, address, lease seconds, server. What is in that file is what the tests believe.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientLab } from "./client-lab.ts";

export interface ClientKind {
  readonly name: string;
  readonly package: string;
  readonly program: string;
  /** Seconds after which the client renews and rebinds on its own: udhcpc heeds neither T1 nor T2. */
  readonly renewSeconds: number;
  readonly rebindSeconds: number;
  /** What it logs when it asks for its remembered address after a restart; null when it remembers none. */
  readonly rebootLog: RegExp | null;
  readonly command: (paths: ClientPaths) => readonly string[];
  /** What makes it release and end; null: SIGUSR2 and SIGTERM to the process. */
  readonly release: ((paths: ClientPaths) => readonly string[]) | null;
}

export interface ClientPaths {
  readonly script: string;
  /** Kept over restarts. */
  readonly state: string;
}

/** Refuses an address that stands in the file $REFUSED (dhclient leaves the check to its script). dhclient and dhcpcd hand on
 *  no environment of ours, so the paths are written into it. */
const SCRIPT = `#!/bin/sh
EVENTS=@STATE@/events REFUSED=@STATE@/refused OWN_ADDRESSES=@OWN@
reason=\${reason:-$1}
address=\${new_ip_address:-$ip}
case $reason in
deconfig|EXPIRE|FAIL|RELEASE|STOP|PREINIT) [ -n "$OWN_ADDRESSES" ] || ip -4 addr flush dev lan ;;
bound|renew|BOUND|RENEW|REBIND|REBOOT)
  if grep -qxF "$address" "$REFUSED" 2>/dev/null; then exit 1; fi
  [ -n "$OWN_ADDRESSES" ] || { ip -4 addr flush dev lan; ip addr add "$address/24" dev lan
    ip route replace default via "\${new_routers:-$router}"; }
  echo "$reason $address \${new_dhcp_lease_time:-$lease} \${new_dhcp_server_identifier:-$serverid}" >> "$EVENTS" ;;
esac
exit 0
`;

export const CLIENT_KINDS: readonly ClientKind[] = [
  {
    name: "udhcpc",
    package: "busybox-static",
    program: "busybox",
    renewSeconds: 30,
    rebindSeconds: 53,
    rebootLog: null,
    command: ({ script }) => [
      "busybox",
      "udhcpc",
      "-f",
      "-i",
      "lan",
      "-s",
      script,
      "-t",
      "4",
      "-T",
      "2",
      "-A",
      "2",
      "-a",
    ],
    release: null,
  },
  {
    name: "dhclient",
    package: "isc-dhcp-client",
    program: "dhclient",
    renewSeconds: 4,
    rebindSeconds: 8,
    rebootLog: /DHCPREQUEST for \S+ on lan to 255\.255\.255\.255/,
    command: (paths) => ["dhclient", "-d", ...dhclientFiles(paths), "lan"],
    release: (paths) => ["dhclient", "-r", ...dhclientFiles(paths), "lan"],
  },
  {
    name: "dhcpcd",
    package: "dhcpcd-base",
    program: "dhcpcd",
    renewSeconds: 4,
    rebindSeconds: 8,
    rebootLog: /rebinding lease of/,
    command: (paths) => inOwnDirectories(paths, `exec dhcpcd -B -4 -L -f /dev/null -c ${paths.script} lan`),
    release: null,
  },
];

function dhclientFiles({ script, state }: ClientPaths): string[] {
  const file = (name: string) => join(state, name);
  return ["-4", "-sf", script, "-lf", file("leases"), "-pf", file("pid"), "-cf", "/dev/null"];
}

/** dhcpcd knows no options for where its files are: they are mounted over. */
function inOwnDirectories({ state }: ClientPaths, command: string): string[] {
  const mounts = ["/var/lib/dhcpcd", "/run/dhcpcd"].map((path) => {
    const own = join(state, path.replaceAll("/", "-"));
    return `mkdir -p ${own} ${path} && chmod 777 ${own} && mount --bind ${own} ${path}`;
  });
  return ["sh", "-c", [...mounts, command].join(" && ")];
}

export interface ClientEvent {
  readonly reason: string;
  readonly address: string;
  readonly seconds: number;
  readonly server: string;
}

export class RealClient {
  readonly kind: ClientKind;
  readonly namespace: string;
  readonly #lab: ClientLab;
  readonly #paths: ClientPaths;
  readonly #events: string;
  readonly #refused: string;
  #process: ChildProcess | null = null;

  constructor(lab: ClientLab, kind: ClientKind) {
    this.kind = kind;
    this.#lab = lab;
    this.namespace = lab.clientNamespace(kind.name);
    const state = join(lab.directory, kind.name);
    mkdirSync(state, { mode: 0o777 });
    this.#paths = { script: join(state, "script"), state };
    this.#events = join(state, "events");
    this.#refused = join(state, "refused");
    const script = SCRIPT.replaceAll("@STATE@", state).replace("@OWN@", kind.name === "dhcpcd" ? "1" : "");
    writeFileSync(this.#paths.script, script, { mode: 0o755 });
    writeFileSync(this.#events, "", { mode: 0o666 });
  }

  events(): readonly ClientEvent[] {
    return readFileSync(this.#events, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [reason = "", address = "", seconds, server = ""] = line.split(" ");
        return { reason: reason.toUpperCase(), address, seconds: Number(seconds), server };
      });
  }

  /** The first event after `count` that fits. */
  async next(
    what: string,
    count: number,
    limitMs: number,
    fits: (event: ClientEvent) => boolean = () => true,
  ) {
    const find = () => this.events().slice(count).find(fits);
    try {
      await this.#lab.until(`${this.kind.name}: ${what}`, limitMs, () => find() !== undefined);
    } catch (error) {
      const log = join(this.#paths.state, "log");
      const tail = existsSync(log) ? readFileSync(log, "utf8").slice(-1_500) : "";
      throw new Error(`${(error as Error).message}\nevents: ${JSON.stringify(this.events())}\n${tail}`);
    }
    return find() as ClientEvent;
  }

  /** What the client itself has written so far. */
  log(): string {
    return readFileSync(join(this.#paths.state, "log"), "utf8");
  }

  start(): void {
    const log = openSync(join(this.#paths.state, "log"), "a");
    this.#process = spawn("ip", ["netns", "exec", this.namespace, ...this.kind.command(this.#paths)], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** kill -9: the machine lost its power. Its address is gone with it. */
  async crash(): Promise<void> {
    await this.#end("SIGKILL");
    spawnSync("ip", ["-n", this.namespace, "-4", "addr", "flush", "dev", "lan"]);
  }

  async release(): Promise<void> {
    if (this.kind.release !== null) {
      const args = ["netns", "exec", this.namespace, ...this.kind.release(this.#paths)];
      spawnSync("ip", args, { timeout: 10_000 });
      await this.#end("SIGTERM");
    } else if (this.kind.name === "dhcpcd") {
      await this.#end("SIGALRM");
    } else {
      this.signal("SIGUSR2");
      await this.#lab.until("udhcpc logs its release", 5_000, () => this.log().includes("sending release"));
      await this.#end("SIGTERM");
    }
    spawnSync("ip", ["-n", this.namespace, "-4", "addr", "flush", "dev", "lan"]);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const closed = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), 8_000);
    await closed;
    clearTimeout(timer);
  }

  /** Lets unicast to one server fail, or work again, as a broken route does. */
  blackhole(server: string, action: "add" | "del"): void {
    spawnSync("ip", ["-n", this.namespace, "route", action, "blackhole", `${server}/32`]);
  }

  refuse(address: string): void {
    writeFileSync(this.#refused, `${address}\n`, { mode: 0o666 });
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }
}
