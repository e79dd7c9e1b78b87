// What crosses the link, recorded on the bridge and judged by Wireshark's dissector, which knows the draft from elsewhere.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { readFrame } from "../../src/dhcp/wire-failover/frame.ts";
import { readMessage } from "../../src/dhcp/wire-failover/read-message.ts";
import type { Network } from "./network.ts";
import { eventually, Program } from "./program.ts";

const run = promisify(execFile);
/** Of what Wireshark says at once; a recording of minutes is far below. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

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
  async disagreements(ports: readonly number[]): Promise<readonly string[]> {
    const malformed = (await this.#tshark(ports, ["-Y", "_ws.malformed || dhcpfo.bad_length"])).trim();
    const byStream = await this.#typesByWireshark(ports);
    const wrong: string[] = [];
    for (const [stream, theirs] of byStream) {
      const ours = await this.#typesByOurselves(ports, stream);
      if (ours !== null && ours !== theirs)
        wrong.push(`stream ${stream}: ${theirs} by Wireshark, ${ours} by us`);
    }
    return [
      ...(malformed === "" ? [] : malformed.split("\n")),
      ...(byStream.size === 0 ? ["nothing was recorded"] : []),
      ...wrong,
    ];
  }

  /** Per connection, how often each message type comes, as text. */
  async #typesByWireshark(ports: readonly number[]): Promise<ReadonlyMap<string, string>> {
    const fields = ["-T", "fields", "-e", "tcp.stream", "-e", "dhcpfo.type"];
    const types = new Map<string, string[]>();
    const lines = (await this.#tshark(ports, ["-Y", "dhcpfo", ...fields])).split("\n");
    for (const line of lines) {
      const [stream = "", list = ""] = line.split("\t");
      if (stream !== "") types.set(stream, [...(types.get(stream) ?? []), ...list.split(",")]);
    }
    return new Map([...types].map(([stream, list]) => [stream, countOf(list)]));
  }

  /** The same, the stream put together by Wireshark and read by our codec; null where the recording has a hole. */
  async #typesByOurselves(ports: readonly number[], stream: string): Promise<string | null> {
    const text = await this.#tshark(ports, ["-q", "-z", `follow,tcp,raw,${stream}`]);
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

  /** Beside other labs of the same process, whose clients must not wait for it. */
  async #tshark(ports: readonly number[], args: readonly string[]): Promise<string> {
    const decoding = ports.flatMap((port) => ["-d", `tcp.port==${port},dhcpfo`]);
    const words = ["-r", this.#file, ...decoding, ...args];
    return (await run("tshark", words, { encoding: "utf8", maxBuffer: TEXT_BYTES_MAX })).stdout;
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
