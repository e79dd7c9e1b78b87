// The table of options against what other people's programs know: Wireshark's names for every code, Kea's definitions of the values.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { unmet } from "../../../dev/lib/requirements.ts";
import { OPTION, OPTION_TABLE, optionDefinition } from "../../../src/dhcp/wire/option-table.ts";
import { writeCapture } from "../../fuzz/pcap.ts";

const CODES = Array.from({ length: 254 }, (_, i) => i + 1);
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
/** Newer than Debian 12's Wireshark: RFC 8539, 8973, 9463. */
const NEWER = [109, 147, 148, 162];
/** Their values have an inner form that a row of ones does not have. */
const WITH_FORM: readonly number[] = [
  OPTION.VENDOR_IDENTIFYING_CLASS,
  OPTION.VENDOR_IDENTIFYING_OPTIONS,
  OPTION.RDNSS_SELECTION,
  ...OPTION_TABLE.filter(({ type }) => type === "domain-names").map(({ code }) => code),
];

function inDirectory<T>(act: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "leasepair-options-"));
  try {
    return act(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The shortest value that the table allows and that is not empty. */
function shortest(code: number): Buffer {
  const row = optionDefinition(code);
  return Buffer.alloc(row === null ? 4 : Math.max(1, row.bytesMin, row.bytesStep), 1);
}

function packetWith(code: number): Buffer {
  const header = Buffer.alloc(240);
  header.set([1, 1, 6, 0]);
  header.set([0x63, 0x82, 0x53, 0x63], 236);
  const value = shortest(code);
  return Buffer.concat([header, Buffer.of(code, value.length), value, Buffer.of(255)]);
}

/** Wireshark's name of each code. */
function namesOfWireshark(): ReadonlyMap<number, string> {
  return inDirectory((directory) => {
    const file = join(directory, "options.pcap");
    const packets = CODES.map((code) => ({ payload: packetWith(code), sourcePort: 68, destinationPort: 67 }));
    writeFileSync(file, writeCapture("udp", packets));
    const run = spawnSync("tshark", ["-n", "-r", file, "-V"], {
      encoding: "utf8",
      maxBuffer: 1 << 26,
      env: { ...process.env, HOME: directory, PATH },
    });
    const lines = run.stdout.matchAll(/^ {4}Option: \((\d+)\) (.*)$/gm);
    return new Map([...lines].map(([, code, name]) => [Number(code), name ?? ""]));
  });
}

test("every code that Wireshark has a name for is in the table, and no other", {
  skip: unmet("tshark"),
}, () => {
  const names = namesOfWireshark();
  const isAssigned = (code: number) =>
    !/^(removed|unassigned|private)/i.test(names.get(code) ?? "Unassigned");
  const assigned = CODES.filter((code) => isAssigned(code) || NEWER.includes(code));
  const listed = OPTION_TABLE.map(({ code }) => code).filter((code) => code > 0 && code < 255);
  // Private use, though known everywhere.
  assert.deepEqual(
    listed.filter((code) => code !== OPTION.PROXY_AUTODISCOVERY),
    assigned,
  );
  assert.match(names.get(OPTION.PROXY_AUTODISCOVERY) ?? "", /proxy autodiscovery/i);
});

test("Kea takes the shortest value of every option of the table", { skip: unmet("kea-dhcp4") }, () => {
  const options = OPTION_TABLE.filter(({ code }) => code > 0 && code < 255 && !WITH_FORM.includes(code)).map(
    ({ code }) => ({
      code,
      data: shortest(code).toString("hex"),
      "csv-format": false,
    }),
  );
  const Dhcp4 = { "lease-database": { type: "memfile", persist: false }, "option-data": options };
  inDirectory((directory) => {
    const file = join(directory, "kea.json");
    writeFileSync(file, JSON.stringify({ Dhcp4 }));
    const env = { ...process.env, KEA_LOCKFILE_DIR: "none", KEA_PIDFILE_DIR: directory, PATH };
    const run = spawnSync("kea-dhcp4", ["-t", file], { encoding: "utf8", env });
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
  });
});
