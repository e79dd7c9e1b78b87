// What Wireshark's dissectors read in the same bytes: one tshark run per capture, a row of fields per packet.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const OUTPUT_BYTES_MAX = 1 << 28;

export interface Dissected {
  /** By name of the field, every occurrence in order. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  readonly isMalformed: boolean;
}

/** One row per packet of the capture. `decodeAs` is tshark's -d. */
export function dissect(capture: Buffer, fields: readonly string[], decodeAs: string): readonly Dissected[] {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-tshark-"));
  try {
    const file = join(directory, "packets.pcap");
    writeFileSync(file, capture);
    const columns = [...fields, "_ws.malformed"].flatMap((field) => ["-e", field]);
    const args = ["-n", "-r", file, "-d", decodeAs, "-T", "fields", "-E", "separator=;", ...columns];
    // No configuration of the user's, no profile, no name lookups.
    const env = { ...process.env, HOME: directory, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
    const text = execFileSync("tshark", args, {
      env,
      maxBuffer: OUTPUT_BYTES_MAX,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return text
      .toString("utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const values = line.split(";").map((value) => (value === "" ? [] : value.split(",")));
        const named = Object.fromEntries(fields.map((field, i) => [field, values[i] ?? []]));
        return { fields: named, isMalformed: (values[fields.length] ?? []).length > 0 };
      });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
