// Two network namespaces joined by a bridge, for tests that need interfaces of their own. Names carry the process id,
// so that runs never meet; removing the namespaces removes every interface in them.

import { execFileSync } from "node:child_process";

export const MAY_CREATE_NAMESPACES = process.getuid?.() === 0;

export interface Segment {
  /** Namespace with interface `lan` on a bridge with the client's; its address is `serverAddress`/24 unless null. */
  readonly server: string;
  /** Namespace with the unaddressed interface `lan`. */
  readonly client: string;
  readonly clientHardwareAddress: string;
  remove(): void;
}

export function createSegment(options: { readonly serverAddress: string | null }): Segment {
  const id = `lp${process.pid.toString(36)}${(created++).toString(36)}`;
  const names = { server: `${id}s`, bridge: `${id}b`, client: `${id}c` };
  const remove = () => {
    for (const name of Object.values(names)) run(["netns", "delete", name], true);
  };
  try {
    for (const name of Object.values(names)) run(["netns", "add", name]);
    run(["-n", names.bridge, "link", "add", "br0", "type", "bridge"]);
    run(["-n", names.bridge, "link", "set", "br0", "up"]);
    for (const side of ["server", "client"] as const) {
      run([
        "-n",
        names[side],
        "link",
        "add",
        "lan",
        "type",
        "veth",
        "peer",
        "name",
        side,
        "netns",
        names.bridge,
      ]);
      run(["-n", names.bridge, "link", "set", side, "master", "br0", "up"]);
      run(["-n", names[side], "link", "set", "lan", "up"]);
      run(["-n", names[side], "link", "set", "lo", "up"]);
    }
    // The member's address may sit on another interface than the one it serves.
    run([
      "-n",
      names.server,
      "addr",
      "add",
      `${options.serverAddress ?? "10.99.0.1"}/24`,
      "dev",
      serverDevice(options),
    ]);
    const links: unknown = JSON.parse(run(["-n", names.client, "-j", "link", "show", "lan"]));
    const clientHardwareAddress = (links as { address: string }[])[0]?.address ?? "";
    return { server: names.server, client: names.client, clientHardwareAddress, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

let created = 0;

function serverDevice(options: { readonly serverAddress: string | null }): string {
  return options.serverAddress === null ? "lo" : "lan";
}

function run(args: readonly string[], mayFail = false): string {
  try {
    return execFileSync("ip", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", mayFail ? "ignore" : "inherit"],
    });
  } catch (error) {
    if (mayFail) return "";
    throw error;
  }
}
