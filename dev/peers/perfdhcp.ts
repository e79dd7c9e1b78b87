// Runs perfdhcp (Debian's kea-admin) in a lab's relay namespace against one of its servers, and reads its report.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type PeerLab, relayAddress, type ServerName, serverAddress } from "./peer-lab.ts";

export interface PerfdhcpOptions {
  readonly server: ServerName;
  /** Different clients. */
  readonly clients: number;
  /** 4-way exchanges begun per second. */
  readonly rate: number;
  readonly renewRate: number;
  readonly releaseRate: number;
  readonly seconds: number;
  /** An answer that takes longer counts as lost. */
  readonly dropSeconds: number;
}

/** One kind of exchange, e.g. DISCOVER-OFFER. */
export interface ExchangeCount {
  readonly sent: number;
  readonly received: number;
  readonly drops: number;
  /** Milliseconds. */
  readonly averageDelay: number;
}

export interface PerfdhcpReport {
  /** 4-way exchanges finished per second. */
  readonly rate: number;
  /** By perfdhcp's name. */
  readonly exchanges: Readonly<Record<string, ExchangeCount>>;
  /** Answers that reached perfdhcp's host and found its receive buffer full: lost by perfdhcp, not by the server. */
  readonly overflowed: number;
  readonly output: string;
}

/** Resolves once perfdhcp has ended by itself. */
export async function runPerfdhcp(lab: PeerLab, options: PerfdhcpOptions): Promise<PerfdhcpReport> {
  const { server, clients, rate, renewRate, releaseRate, seconds, dropSeconds } = options;
  const flags = [
    ...[
      "-4",
      "-l",
      relayAddress(server),
      "-R",
      clients,
      "-r",
      rate,
      "-p",
      seconds,
      "-d",
      dropSeconds,
      "-s",
      1,
    ],
    // What is under way at the end may still arrive.
    ...["-W", 1_000_000 * Math.min(dropSeconds, 2)],
    ...(renewRate > 0 ? ["-f", renewRate] : []),
    ...(releaseRate > 0 ? ["-F", releaseRate] : []),
  ].map(String);
  const overflowedBefore = lab.receiveOverflows();
  const child = spawn(
    "ip",
    ["netns", "exec", lab.relayNamespace, "perfdhcp", ...flags, serverAddress(server)],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` },
    },
  );
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  const overflowed = lab.receiveOverflows() - overflowedBefore;
  return { ...readReport(Buffer.concat(chunks).toString()), overflowed };
}

export function readReport(output: string): Omit<PerfdhcpReport, "overflowed"> {
  const number = (text: string, field: RegExp) => Number(field.exec(text)?.[1] ?? Number.NaN);
  const exchanges: Record<string, ExchangeCount> = {};
  for (const [, name = "", body = ""] of output.matchAll(/\*\*\*Statistics for: (.+?)\*\*\*\n([^*]*)/g)) {
    exchanges[name] = {
      sent: number(body, /sent packets: (\d+)/),
      received: number(body, /received packets: (\d+)/),
      drops: number(body, /^drops: (-?\d+)/m),
      averageDelay: number(body, /avg delay: ([\d.]+)/),
    };
  }
  return { rate: number(output, /^Rate: ([\d.]+)/m), exchanges, output };
}
