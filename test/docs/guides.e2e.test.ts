// The guides' manifests on a real pair, one guide after the other, each judged by what a real client then gets.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unmet } from "../../dev/lib/requirements.ts";
import { MEMBERS, PairLab } from "../interop-clients/pair-lab.ts";
import { type Seen, Tap } from "../interop-clients/tap.ts";
import { manifestsIn } from "./guide-manifests.ts";

const GUIDES = join(import.meta.dirname, "../../docs/guides");
const STEP_MS = 60_000;

interface Client {
  readonly hardwareAddress: string;
  /** More arguments of udhcpc. */
  readonly asks?: readonly string[];
  /** What the OFFER or ACK must say. */
  readonly gets: (seen: Seen) => void;
}

const text = (bytes: Uint8Array | null) =>
  Buffer.from(bytes ?? [])
    .toString()
    .replace(/\0+$/, "");

/** By guide: clients and what it promises them. */
const PROMISES: Readonly<Record<string, readonly Client[]>> = {
  "local-segments.md": [
    {
      hardwareAddress: "02:00:00:00:10:01",
      gets: ({ yourAddress }) => assert.match(yourAddress, /^10\.20\.0\.1\d\d$/),
    },
  ],
  "reservations.md": [
    {
      hardwareAddress: "02:00:00:00:20:50",
      gets: ({ yourAddress }) => assert.equal(yourAddress, "10.20.0.50"),
    },
    {
      hardwareAddress: "02:00:00:00:20:60",
      gets: ({ yourAddress, message }) => {
        assert.equal(yourAddress, "10.20.0.60");
        assert.equal(text(message.options.get(15) ?? null), "print.example.org");
      },
    },
    {
      hardwareAddress: "02:00:00:00:20:61",
      asks: ["-x", "0x3d:ff00200061", "-C"],
      gets: ({ yourAddress }) => assert.equal(yourAddress, "10.20.0.61"),
    },
  ],
  "classes.md": [
    {
      hardwareAddress: "02:00:00:00:10:02",
      asks: ["-V", "Acme-Phone 7", "-O", "42"],
      gets: ({ yourAddress, message }) => {
        assert.match(yourAddress, /^10\.20\.0\.2[0-4]\d$/);
        assert.equal(Buffer.from(message.options.get(42) ?? []).join("."), "10.20.0.5");
        assert.equal(text(message.file), "phone.cfg");
      },
    },
    {
      hardwareAddress: "02:00:00:00:10:03",
      gets: ({ yourAddress }) => assert.match(yourAddress, /^10\.20\.0\.1\d\d$/),
    },
  ],
  "pxe.md": [
    {
      hardwareAddress: "02:00:00:00:10:04",
      asks: ["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000"],
      gets: ({ message }) => assert.equal(text(message.file), "undionly.kpxe"),
    },
    {
      hardwareAddress: "02:00:00:00:10:05",
      asks: ["-V", "PXEClient:Arch:00007:UNDI:003016", "-x", "0x5d:0007"],
      gets: ({ message }) => assert.equal(text(message.file), "ipxe.efi"),
    },
    {
      hardwareAddress: "02:00:00:00:10:06",
      asks: ["-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000", "-x", "0x4d:69505845"],
      gets: ({ message }) => assert.equal(text(message.file), "http://10.20.0.5/boot.ipxe"),
    },
    {
      hardwareAddress: "02:00:00:00:10:07",
      asks: ["-V", "HTTPClient:Arch:00016:UNDI:003001", "-x", "0x5d:0010", "-O", "67", "-O", "60"],
      gets: ({ message }) => {
        assert.equal(text(message.options.get(67) ?? null), "http://10.20.0.5/ipxe.efi");
        assert.equal(text(message.options.get(60) ?? null), "HTTPClient");
      },
    },
  ],
};

describe("guides", { skip: unmet("root", "ip", "busybox", "tcpdump") }, () => {
  let lab: PairLab;
  let tap: Tap;
  before(async () => {
    lab = new PairLab([
      { name: "lan0", network: "10.20.0" },
      { name: "lan1", network: "10.30.0" },
    ]);
    tap = await Tap.open(lab.network, "lan0");
  });
  after(() => lab?.stop());

  for (const [guide, clients] of Object.entries(PROMISES)) {
    test(`${guide}: a pair takes the manifests, and clients get what the guide says`, async () => {
      // The guide on classes speaks of relays alone; here its clients are on the members' segment.
      const manifests = manifestsIn(readFileSync(join(GUIDES, guide), "utf8")).replace(
        /(address: 10\.20\.0\.1[12])\n(?! +interfaces)/g,
        "$1\n      interfaces: [lan0]\n",
      );
      const since = MEMBERS.map((member) => lab.output(member).length);
      if (lab.output("a") === "") await lab.start(manifests);
      else {
        lab.configure(manifests);
        const active = /"event":"configuration-activated"/;
        await Promise.all(MEMBERS.map((member, i) => lab.untilLogged(member, active, since[i] ?? 0)));
      }
      for (const [i, member] of MEMBERS.entries()) {
        assert.doesNotMatch(lab.output(member).slice(since[i]), /configuration-rejected/);
      }
      await Promise.all(
        clients.map(async ({ hardwareAddress, asks = [], gets }) => {
          const namespace = lab.network.namespace(`c${hardwareAddress.slice(-5).replace(":", "")}`);
          lab.network.connect(namespace, "lan", "lan0", { hardwareAddress });
          const args = ["-i", "lan", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", "/bin/true", ...asks];
          lab.network.start(namespace, ["busybox", "udhcpc", ...args], join(lab.directory, "udhcpc.log"));
          const isAck = (seen: Seen) => seen.what === "ACK" && seen.hardwareAddress === hardwareAddress;
          gets(await tap.next(`${guide}: ${hardwareAddress} gets a lease`, STEP_MS, isAck, 0));
        }),
      );
    });
  }
});
