import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { parseIpv4 } from "../../../src/base/ipv4.ts";
import { PROBE_WAIT_MS } from "../../../src/dhcp/host/probe.ts";
import {
  arpClaim,
  arpProbe,
  echoRequest,
  isEchoReply,
  withoutIpHeader,
} from "../../../src/dhcp/host/probe-packet.ts";
import { createSegment, MAY_CREATE_NAMESPACES } from "./netns.ts";

const run = promisify(execFile);
const ip = (text: string) => parseIpv4(text)!;

interface Result {
  readonly address: string;
  readonly answered: boolean;
  readonly hardwareAddress: string | null;
}

async function probe(namespace: string, segment: string, ...addresses: string[]): Promise<readonly Result[]> {
  return probeAs([], namespace, segment, ...addresses);
}

/** `wrapper`: a command that runs the program with fewer rights. */
async function probeAs(
  wrapper: readonly string[],
  namespace: string,
  segment: string,
  ...addresses: string[]
): Promise<readonly Result[]> {
  const program = `${import.meta.dirname}/probe-runner.ts`;
  const args = ["netns", "exec", namespace, ...wrapper, process.execPath, program, segment, ...addresses];
  const { stdout } = await run("ip", args, { timeout: 60_000 });
  const results = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Result);
  return results.toSorted((a, b) => (a.address < b.address ? -1 : 1));
}

test("an echo request has a good checksum, and only a reply with our identifier counts", () => {
  const packet = Buffer.from(echoRequest(0x1234, 7));
  let sum = 0;
  for (let i = 0; i < packet.length; i += 2) sum += packet.readUInt16BE(i);
  assert.equal(((sum & 0xffff) + (sum >>> 16)) & 0xffff, 0xffff);
  assert.equal(isEchoReply(packet, 0x1234), false, "a request is none");
  const reply = Uint8Array.from(packet, (byte, i) => (i === 0 ? 0 : byte));
  assert.deepEqual(
    [0x1234, null, 0x4321].map((id) => isEchoReply(reply, id)),
    [true, true, false],
  );
  const withHeader = Buffer.concat([Buffer.from([0x46]), Buffer.alloc(23), reply]);
  assert.deepEqual(withoutIpHeader(withHeader), Buffer.from(reply));
  for (let length = 0; length < 16; length++) isEchoReply(withoutIpHeader(packet.subarray(0, length)), 1);
});

test("an ARP probe claims no address, and a claim is read from requests and replies alike", () => {
  const own = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const packet = Buffer.from(arpProbe(own, ip("10.0.0.7")));
  assert.equal(arpClaim(packet), null);
  assert.equal(packet.readUInt32BE(24), ip("10.0.0.7"));
  packet.writeUInt32BE(ip("10.0.0.9"), 14);
  assert.deepEqual(arpClaim(packet), { address: ip("10.0.0.9"), hardwareAddress: own });
  for (let length = 0; length < 28; length++) assert.equal(arpClaim(packet.subarray(0, length)), null);
});

test("on a segment, who uses an address is found by ARP with its hardware address", async (t) => {
  if (!MAY_CREATE_NAMESPACES) return t.skip("needs root");
  const segment = createSegment({ serverAddress: "10.99.0.1" });
  try {
    await run("ip", ["-n", segment.client, "addr", "add", "10.99.0.50/24", "dev", "lan"]);
    // A machine that does not answer pings is found all the same.
    await run("ip", ["netns", "exec", segment.client, "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1"]);
    const results = await probe(segment.server, "lan", "10.99.0.50", "10.99.0.51");
    assert.deepEqual(results, [
      {
        address: "10.99.0.50",
        answered: true,
        hardwareAddress: segment.clientHardwareAddress.replaceAll(":", ""),
      },
      { address: "10.99.0.51", answered: false, hardwareAddress: null },
    ]);
  } finally {
    segment.remove();
  }
});

test("behind a relay, who uses an address is found by ICMP, by a ping socket or a raw one", async (t) => {
  if (!MAY_CREATE_NAMESPACES) return t.skip("needs root");
  const segment = createSegment({ serverAddress: "10.99.0.1" });
  try {
    await run("ip", ["-n", segment.client, "addr", "add", "10.99.0.50/24", "dev", "lan"]);
    // "1 0" is the kernel's default: no group may open ping sockets.
    for (const groups of ["1 0", "0 2147483647"]) {
      const range = ["netns", "exec", segment.server, "sysctl", "-qw", `net.ipv4.ping_group_range=${groups}`];
      await run("ip", range);
      const results = await probe(segment.server, "-", "10.99.0.50", "10.99.0.51");
      assert.deepEqual(
        results.map(({ address, answered }) => [address, answered]),
        [
          ["10.99.0.50", true],
          ["10.99.0.51", false],
        ],
        `ping_group_range ${groups}`,
      );
    }
  } finally {
    segment.remove();
  }
});

test("an answer that came while the process was held up for longer than it waits counts all the same", async (t) => {
  if (!MAY_CREATE_NAMESPACES) return t.skip("needs root");
  const segment = createSegment({ serverAddress: "10.99.0.1" });
  try {
    await run("ip", ["-n", segment.client, "addr", "add", "10.99.0.50/24", "dev", "lan"]);
    const wrapper = ["env", `HELD_MS=${2 * PROBE_WAIT_MS}`];
    for (const where of ["-", "lan"]) {
      const results = await probeAs(wrapper, segment.server, where, "10.99.0.50", "10.99.0.51");
      assert.deepEqual(
        results.map(({ answered }) => answered),
        [true, false],
        where,
      );
    }
  } finally {
    segment.remove();
  }
});

test("without CAP_NET_RAW a ping socket does, and where it is not allowed either that is said once", async (t) => {
  if (!MAY_CREATE_NAMESPACES) return t.skip("needs root");
  const segment = createSegment({ serverAddress: "10.99.0.1" });
  try {
    await run("ip", ["-n", segment.client, "addr", "add", "10.99.0.50/24", "dev", "lan"]);
    const wrapper = ["setpriv", "--bounding-set=-net_raw"];
    const allow = (groups: string) =>
      run("ip", ["netns", "exec", segment.server, "sysctl", "-qw", `net.ipv4.ping_group_range=${groups}`]);
    await allow("0 2147483647");
    const [found] = await probeAs(wrapper, segment.server, "-", "10.99.0.50");
    assert.deepEqual(found, { address: "10.99.0.50", answered: true, hardwareAddress: null });
    await allow("1 0");
    const told = (await probeAs(
      wrapper,
      segment.server,
      "-",
      "10.99.0.50",
      "10.99.0.51",
    )) as readonly object[];
    const events = told.filter((line) => "event" in line && line.event === "probe-unavailable");
    assert.equal(events.length, 1);
    assert.equal(told.filter((line) => "answered" in line && line.answered === false).length, 2);
  } finally {
    segment.remove();
  }
});

test("a segment that is gone is silence", async (t) => {
  if (!MAY_CREATE_NAMESPACES) return t.skip("needs root");
  const segment = createSegment({ serverAddress: "10.99.0.1" });
  try {
    const results = await probe(segment.server, "nope0", "10.99.0.51");
    assert.deepEqual(results, [{ address: "10.99.0.51", answered: false, hardwareAddress: null }]);
  } finally {
    segment.remove();
  }
});
