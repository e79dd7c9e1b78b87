// What crosses the link, recorded on the bridge and judged by Wireshark's dissector, which knows the draft from elsewhere.

import { execFileSync } from "node:child_process";
import { readFrame } from "../../src/dhcp/wire-failover/frame.ts";
import { readMessage } from "../../src/dhcp/wire-failover/read-message.ts";
import type { Network } from "./network.ts";
import { eventually, Program } from "./program.ts";

export class Capture {
  readonly #network: Network;
  readonly #file: string;
  #program: Program | null = null;

  constructor(network: Network, file: string) {
    this.#network = network;
    this.#file = file;
  }

  async start(): Promise<void> {
    const filter = "tcp port 647 or tcp port 847";
    const words = [
      "tcpdump",
      "-i",
      "br0",
      "-U",
      "--immediate-mode",
      "-s",
      "0",
      "-Z",
      "root",
      "-w",
      this.#file,
      filter,
    ];
    const program = new Program([...this.#network.inside("bridge"), ...words]);
    this.#program = program;
    await eventually(
      "the recording runs",
      () => program.said.includes("listening on"),
      20,
      () => program.said,
    );
  }

  /** What Wireshark and our own decoder do not agree on in what crossed the link, in words. */
  disagreements(ports: readonly number[]): readonly string[] {
    const malformed = this.#tshark(ports, ["-Y", "_ws.malformed || dhcpfo.bad_length"]).trim();
    const theirs = this.#typesByWireshark(ports);
    const ours = this.#typesByOurselves(ports);
    const types = [...new Set([...theirs.keys(), ...ours.keys()])].sort();
    return [
      ...(malformed === "" ? [] : malformed.split("\n")),
      ...(theirs.size === 0 ? ["nothing was recorded"] : []),
      ...types
        .filter((type) => theirs.get(type) !== ours.get(type))
        .map((type) => `type ${type}: ${theirs.get(type) ?? 0} by Wireshark, ${ours.get(type) ?? 0} by us`),
    ];
  }

  #typesByWireshark(ports: readonly number[]): ReadonlyMap<string, number> {
    const text = this.#tshark(ports, ["-Y", "dhcpfo", "-T", "fields", "-e", "dhcpfo.type"]);
    return countOf(text.split(/[\n,]/).filter((word) => word !== ""));
  }

  /** The same, with every stream put together by Wireshark and read by our codec. */
  #typesByOurselves(ports: readonly number[]): ReadonlyMap<string, number> {
    const streams = new Set(
      this.#tshark(ports, ["-Y", "dhcpfo", "-T", "fields", "-e", "tcp.stream"]).split("\n"),
    );
    const types: string[] = [];
    for (const stream of streams) {
      if (stream === "") continue;
      const text = this.#tshark(ports, ["-q", "-z", `follow,tcp,raw,${stream}`]);
      const lines = text.split("\n").filter((line) => /^\t?[0-9a-f]+$/.test(line));
      for (const isAnswer of [false, true]) {
        const hex = lines.filter((line) => line.startsWith("\t") === isAnswer).map((line) => line.trim());
        types.push(...typesIn(Buffer.from(hex.join(""), "hex")));
      }
    }
    return countOf(types);
  }

  async stop(): Promise<void> {
    await this.#program?.end("SIGINT");
  }

  #tshark(ports: readonly number[], args: readonly string[]): string {
    const decoding = ports.flatMap((port) => ["-d", `tcp.port==${port},dhcpfo`]);
    const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
    return execFileSync("tshark", ["-r", this.#file, ...decoding, ...args], { encoding: "utf8", stdio });
  }
}

function typesIn(stream: Uint8Array): string[] {
  const types: string[] = [];
  for (let offset = 0; ; ) {
    const read = readFrame(stream, offset);
    if (read.kind !== "frame")
      return read.kind === "malformed" ? [...types, `malformed ${read.field}`] : types;
    const message = readMessage(read.frame);
    types.push(message.kind === "message" ? String(read.frame.type) : `unread ${read.frame.type}`);
    offset += read.bytesConsumed;
  }
}

function countOf(words: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
