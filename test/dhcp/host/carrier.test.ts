// The watch on real interfaces: what the kernel says of a cable, of an interface that is down and of one that is gone.
//
// It runs in a process of its own within the namespace, where /sys shows that namespace's interfaces.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { endProcess } from "../../../dev/lib/end-process.ts";
import { createSegment, MAY_CREATE_NAMESPACES, type Segment } from "./netns.ts";

const skip = MAY_CREATE_NAMESPACES ? false : "needs root";
const ADDRESS = "10.99.0.1";

describe("carrier on real interfaces", { skip }, () => {
  let segment: Segment;
  before(() => {
    segment = createSegment({ serverAddress: ADDRESS });
  });
  after(() => segment.remove());

  const ip = (...args: readonly string[]) => execFileSync("ip", ["-n", segment.server, ...args]);
  /** The other end of the member's cable. */
  const cable = (state: "up" | "down") =>
    execFileSync("ip", ["-n", segment.server.replace(/s$/, "b"), "link", "set", "server", state]);

  /** One more interface, with its other end beside it. */
  const plug = (name: string) => {
    ip("link", "add", name, "type", "veth", "peer", "name", `${name}-end`);
    for (const end of [name, `${name}-end`]) ip("link", "set", end, "up");
  };

  it("tells of a cable that is out, of an interface that is down or gone, and takes its time to believe in its return", async () => {
    plug("spare");
    const main = join(import.meta.dirname, "carrier-main.ts");
    const enter = ["netns", "exec", segment.server, process.execPath, main, ADDRESS, "spare"];
    const child = spawn("ip", enter, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    /** Lets the watch look, at this moment of its own clock; what it told. */
    const look = async (atMs: number): Promise<unknown> => {
      child.stdin.write(`${atMs}\n`);
      const [line] = (await once(lines, "line")) as [string];
      return JSON.parse(line);
    };
    try {
      assert.equal(await look(0), null);
      // The interface with the member's address counts, although no local segment is served on it.
      cable("down");
      assert.deepEqual(await look(250), ["lan"]);
      ip("link", "set", "spare", "down");
      assert.deepEqual(await look(500), ["lan", "spare"]);
      cable("up");
      assert.equal(await look(2_250), null, "not back before it has been there for 2 s");
      assert.deepEqual(await look(2_750), ["spare"]);
      ip("link", "delete", "spare");
      assert.equal(await look(9_000), null);
      cable("down");
      assert.deepEqual(await look(9_250), ["lan", "spare"]);
      // The address moves to an interface that has a carrier: what becomes of the first one matters no more.
      plug("other");
      ip("addr", "del", `${ADDRESS}/24`, "dev", "lan");
      ip("addr", "add", `${ADDRESS}/24`, "dev", "other");
      assert.deepEqual(await look(20_000), ["spare"]);
      ip("link", "set", "other-end", "down");
      assert.deepEqual(await look(20_250), ["other", "spare"]);
    } finally {
      await endProcess(child, 1_000);
    }
  });
});
