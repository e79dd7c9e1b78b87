// A machine without a disk: a real iPXE ROM in QEMU, behind a real relay, boots a script that our options name, by TFTP and
// then by HTTP. The script speaks on the serial console: what stands there has really run.
// Source: RFC 4578 (93, 94, 97), RFC 2132 9.4, 9.5 (66, 67), RFC 3004 (77).

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { IPXE_ROM } from "../../dev/lib/debian-packages.ts";
import { unmet } from "../../dev/lib/requirements.ts";
import { uint16Option } from "../../src/dhcp/wire/options.ts";
import { ip, until } from "./network.ts";
import { PairLab } from "./pair-lab.ts";
import { Tap } from "./tap.ts";

const programs = unmet("root", "ip", "busybox", "tcpdump", "dhcrelay", "dnsmasq", "qemu-system-x86_64");
const skip = existsSync(IPXE_ROM) ? programs : `needs ${IPXE_ROM}`;
const FILES = "10.20.0.5";
/** Bounds a machine emulated in software on a busy host. */
const BOOT_MS = 240_000;

const MANIFESTS = `
apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: campus, namespace: default }
spec:
  mode: LoadBalance
  primary: a
  members:
    - { name: a, nodeName: node-1, address: 10.20.0.11 }
    - { name: b, nodeName: node-2, address: 10.20.0.12 }
  clientClasses:
    - name: ipxe
      match: userClasses.exists(c, c == "iPXE") && options.number(93) == 0
      boot: { nextServer: ${FILES}, fileName: boot.ipxe }
    - name: bios
      match: vendorClass.startsWith("PXEClient:Arch:00000")
      boot: { nextServer: ${FILES}, fileName: undionly.kpxe }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: lab, namespace: default }
spec:
  relationshipRef: { name: campus }
  subnet: 10.40.1.0/24
  ranges: [{ start: 10.40.1.100, end: 10.40.1.199 }]
  options: { routers: [10.40.1.1] }
`;

describe("network boot", { skip }, () => {
  let lab: PairLab;
  let tap: Tap;

  before(async () => {
    lab = new PairLab([{ name: "core", network: "10.20.0" }]);
    const { network, directory } = lab;
    const building = lab.relayHost("building", 21, { bench: "10.40.1" });
    const dhcrelay = ["dhcrelay", "-d", "--no-pid", "-a", "-id", "bench", "-iu", "core"];
    network.start(building, [...dhcrelay, "10.20.0.11", "10.20.0.12"], join(directory, "dhcrelay.log"));
    const files = network.namespace("files");
    network.connect(files, "lan", "core", { address: `${FILES}/24` });
    ip("-n", files, "route", "add", "default", "via", "10.20.0.21");
    const root = join(directory, "files");
    mkdirSync(root, { mode: 0o755 });
    const first = [
      "#!ipxe",
      `echo FIRST: \${filename} from \${next-server}`,
      `chain http://${FILES}/second.ipxe`,
    ];
    writeFileSync(join(root, "boot.ipxe"), first.join("\n"), { mode: 0o644 });
    const second = ["#!ipxe", `echo SECOND: \${net0/mac} has \${ip} by \${dhcp-server}`, "sleep 3600"];
    writeFileSync(join(root, "second.ipxe"), second.join("\n"), { mode: 0o644 });
    const tftp = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"];
    const settings = ["--enable-tftp", `--tftp-root=${root}`, `--pid-file=${directory}/tftp.pid`];
    network.start(files, [...tftp, ...settings, "--log-facility=-"], join(directory, "tftp.log"));
    network.start(files, ["busybox", "httpd", "-f", "-p", "80", "-h", root], join(directory, "httpd.log"));
    tap = await Tap.open(network, "core");
    await lab.start(MANIFESTS);
  });
  after(() => lab?.stop());

  /** Switches a machine on; resolves to its console once the second script has spoken. */
  async function boot(hardwareAddress: string): Promise<string> {
    const { network } = lab;
    const link = `pc${hardwareAddress.slice(-2)}`;
    ip("-n", network.sw, "tuntap", "add", link, "mode", "tap");
    ip("-n", network.sw, "link", "set", link, "master", "bench", "up");
    const machine = ["-machine", "pc,accel=tcg,graphics=off", "-m", "64", "-nodefaults", "-display", "none"];
    const network0 = ["-netdev", `tap,id=net0,ifname=${link},script=no,downscript=no`];
    const card = ["-device", `e1000,netdev=net0,mac=${hardwareAddress},romfile=${IPXE_ROM}`];
    const command = [
      "qemu-system-x86_64",
      ...machine,
      "-serial",
      "stdio",
      "-boot",
      "n",
      ...network0,
      ...card,
    ];
    const pc = network.start(network.sw, command, null);
    let console = "";
    for (const stream of [pc.stdout, pc.stderr]) {
      stream?.on("data", (bytes: Buffer) => {
        console += bytes.toString("latin1");
      });
    }
    await until(
      () => `the machine boots:\n${console}`,
      BOOT_MS,
      () => /SECOND: .* by \S+\r/.test(console),
    );
    pc.kill("SIGKILL");
    return console;
  }

  test("iPXE behind a relay runs the script of its class, by TFTP and from there by HTTP", async () => {
    const console = await boot("02:00:00:00:0c:01");
    assert.match(console, new RegExp(`FIRST: boot\\.ipxe from ${FILES}`));
    assert.match(console, /SECOND: 02:00:00:00:0c:01 has 10\.40\.1\.1\d\d by 10\.20\.0\.1[12]/);
    const asked = tap.seen.find(({ what }) => what === "DISCOVER");
    assert.ok(asked !== undefined && asked.relayInformation !== null);
    assert.equal(uint16Option(asked.message.options, 93), 0, "a BIOS machine");
  });

  test("the same with the partner gone (COMMUNICATIONS-INTERRUPTED)", async () => {
    await lab.endEngine("b", "SIGKILL");
    await lab.untilLogged("a", /"to":"COMMUNICATIONS-INTERRUPTED"/);
    const console = await boot("02:00:00:00:0c:02");
    assert.match(console, /SECOND: 02:00:00:00:0c:02 has 10\.40\.1\.1\d\d by 10\.20\.0\.11/);
  });
});
