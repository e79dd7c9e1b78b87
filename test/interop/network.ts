// Three network namespaces on one bridge: two servers and a relay with its clients. Names carry the process id; removing
// the namespaces removes every interface in them.

import { execFileSync } from "node:child_process";

export const ADDRESS = { one: "10.77.0.2", two: "10.77.0.3", relay: "10.77.0.1" } as const;
export type Place = keyof typeof ADDRESS;

let made = 0;

export class Network {
  readonly #id = `lpi${process.pid.toString(36)}${(made++).toString(36)}`;

  constructor() {
    try {
      for (const name of [...Object.keys(ADDRESS), "bridge"]) ip(["netns", "add", `${this.#id}${name}`]);
      const bridge = this.namespace("bridge");
      ip(["-n", bridge, "link", "add", "br0", "type", "bridge"]);
      ip(["-n", bridge, "link", "set", "br0", "up"]);
      for (const [place, address] of Object.entries(ADDRESS)) {
        const own = this.namespace(place as Place);
        ip(["-n", own, ..."link add lan type veth peer name".split(" "), place, "netns", bridge]);
        ip(["-n", bridge, "link", "set", place, "master", "br0", "up"]);
        ip(["-n", own, "addr", "add", `${address}/24`, "dev", "lan"]);
        ip(["-n", own, "link", "set", "lan", "up"]);
        ip(["-n", own, "link", "set", "lo", "up"]);
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  namespace(place: Place | "bridge"): string {
    return `${this.#id}${place}`;
  }

  /** The words that run a program there. */
  inside(place: Place | "bridge"): readonly string[] {
    return ["ip", "netns", "exec", this.namespace(place)];
  }

  /** Cuts or mends the cable of a server: no reset and no end reaches the other side. */
  cable(place: Place, state: "up" | "down"): void {
    ip(["-n", this.namespace("bridge"), "link", "set", place, state]);
  }

  remove(): void {
    for (const name of [...Object.keys(ADDRESS), "bridge"]) {
      try {
        execFileSync("ip", ["netns", "delete", `${this.#id}${name}`], { stdio: "ignore" });
      } catch {
        // It was never made.
      }
    }
  }
}

function ip(args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
}
