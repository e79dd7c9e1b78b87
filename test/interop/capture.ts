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
      "-B",
      "16384",
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
    const byStream = this.#typesByWireshark(ports);
    const wrong = [...byStream].flatMap(([stream, theirs]) => {
      const ours = this.#typesByOurselves(ports, stream);
      return ours === null || ours === theirs
        ? []
        : [`stream ${stream}: ${theirs} by Wireshark, ${ours} by us`];
    });
    return [
      ...(malformed === "" ? [] : malformed.split("\n")),
      ...(byStream.size === 0 ? ["nothing was recorded"] : []),
      ...wrong,
    ];
  }

  /** Per connection, how often each message type comes, as text. */
  #typesByWireshark(ports: readonly number[]): ReadonlyMap<string, string> {
    const fields = ["-T", "fields", "-e", "tcp.stream", "-e", "dhcpfo.type"];
    const types = new Map<string, string[]>();
    for (const line of this.#tshark(ports, ["-Y", "dhcpfo", ...fields]).split("\n")) {
      const [stream = "", list = ""] = line.split("\t");
      if (stream !== "") types.set(stream, [...(types.get(stream) ?? []), ...list.split(",")]);
    }
    return new Map([...types].map(([stream, list]) => [stream, countOf(list)]));
  }

  /** The same, the stream put together by Wireshark and read by our codec; null where the recording has a hole. */
  #typesByOurselves(ports: readonly number[], stream: string): string | null {
    const text = this.#tshark(ports, ["-q", "-z", `follow,tcp,raw,${stream}`]);
    if (text.includes("missing in capture file")) return null;
    const lines = text.split("\n").filter((line) => /^\t?[0-9a-f]+$/.test(line));
    const types = [false, true].flatMap((isAnswer) => {
      const hex = lines.filter((line) => line.startsWith("\t") === isAnswer).map((line) => line.trim());
      return typesIn(Buffer.from(hex.join(""), "hex"));
    });
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

function countOf(types: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts]
    .sort()
    .map(([type, count]) => `${count} of type ${type}`)
    .join(", ");
}
