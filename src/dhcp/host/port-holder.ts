// Who holds a port: the question everybody asks after "address already in use", answered from /proc.
// Best effort: without the rights to look into other processes it names the user, and it never fails.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { formatIpv4, type Ipv4, ipv4 } from "../../base/ipv4.ts";

export interface PortHolder {
  readonly address: Ipv4;
  /** Null when this process may not see whose socket it is. */
  readonly process: { readonly pid: number; readonly name: string } | null;
  readonly uid: number;
}

/** The sockets that stand in the way of binding `address:port`: on that address or on every address. */
export function findPortHolders(protocol: "udp" | "tcp", address: Ipv4, port: number): readonly PortHolder[] {
  const holders: PortHolder[] = [];
  for (const line of readText(`/proc/net/${protocol}`).split("\n").slice(1)) {
    const socket = parseSocketLine(line);
    if (socket === null || socket.port !== port) continue;
    if (protocol === "tcp" && socket.state !== TCP_LISTEN) continue;
    if (socket.address !== address && socket.address !== 0 && address !== 0) continue;
    holders.push({ address: socket.address, uid: socket.uid, process: processOfSocket(socket.inode) });
  }
  return holders;
}

/** The holders in words, e.g. `dnsmasq (pid 812) on 0.0.0.0:67`. */
export function describePortHolders(protocol: "udp" | "tcp", address: Ipv4, port: number): string {
  const texts = findPortHolders(protocol, address, port).map((holder) => {
    const who =
      holder.process === null
        ? `a process of user ${holder.uid}`
        : `${holder.process.name} (pid ${holder.process.pid})`;
    return `${who} on ${formatIpv4(holder.address)}:${port}`;
  });
  return texts.length === 0 ? "another process" : texts.join(", ");
}

const TCP_LISTEN = "0A";

/** Reads a line of /proc/net/udp or tcp: `sl local_address rem_address st queues tr retrnsmt uid timeout inode ...`. */
function parseSocketLine(line: string) {
  const fields = line.trim().split(/\s+/);
  const [hexAddress, hexPort] = (fields[1] ?? "").split(":");
  if (hexAddress?.length !== 8 || hexPort === undefined) return null;
  // The kernel prints the address as it lies in memory: byte by byte reversed on the machines we run on.
  const address = ipv4(Buffer.from(hexAddress, "hex").readUInt32LE(0));
  const port = Number.parseInt(hexPort, 16);
  return { address, port, state: fields[3] ?? "", uid: Number(fields[7]), inode: fields[9] ?? "" };
}

function processOfSocket(inode: string): PortHolder["process"] {
  for (const pid of listDirectory("/proc").filter((name) => /^[0-9]+$/.test(name))) {
    for (const fd of listDirectory(`/proc/${pid}/fd`)) {
      if (readLink(`/proc/${pid}/fd/${fd}`) !== `socket:[${inode}]`) continue;
      return { pid: Number(pid), name: processName(pid) };
    }
  }
  return null;
}

const NAME_CHARACTERS_MAX = 80;

/** A process's command line, without the directories of its paths, cut; its short name for kernel threads and the like;
 *  "unknown" when it is gone. */
export function processName(pid: string): string {
  const words = readText(`/proc/${pid}/cmdline`).split("\0");
  const name = words
    .map((word) => (word.startsWith("/") ? basename(word) : word))
    .join(" ")
    .trim();
  if (name === "") return readText(`/proc/${pid}/comm`).trim() || "unknown";
  return name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX)}...` : name;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
