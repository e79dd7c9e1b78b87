// Packets as real clients and relays build them, typed as hex. The header is written field by field, the options as bytes.

import type { MessageType } from "../../../src/dhcp/wire/message-type.ts";

export interface GoldenPacket {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly type: MessageType;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  /** Every option with its joined value. */
  readonly options: Readonly<Record<number, string>>;
}

interface Header {
  readonly start: string;
  readonly secsFlags?: string;
  readonly ciaddr?: string;
  readonly giaddr?: string;
  readonly mac: string;
}

function packet(header: Header, options: string, paddedTo: number): Uint8Array {
  const text = [
    header.start,
    header.secsFlags ?? "00000000",
    header.ciaddr ?? "00000000",
    "0000000000000000",
    header.giaddr ?? "00000000",
    header.mac.padEnd(32, "0"),
    "00".repeat(192),
    "63825363",
    options,
  ];
  const bytes = Buffer.from(text.join("").replaceAll(/\s/g, ""), "hex");
  return new Uint8Array(Buffer.concat([bytes, Buffer.alloc(Math.max(0, paddedTo - bytes.length))]));
}

export const golden: readonly GoldenPacket[] = [
  {
    // busybox udhcpc: client id 01 + MAC, size 576, vendor class "udhcp 1.36.1", padded to 300.
    name: "udhcpc DISCOVER",
    type: "DISCOVER",
    bytes: packet(
      { start: "01010600 6b8b4567", mac: "0242ac110002" },
      "350101 3d07010242ac110002 39020240 370701 03060c0f1c2a 3c0c756463687020312e33362e31 ff",
      300,
    ),
    options: {
      53: "01",
      61: "010242ac110002",
      57: "0240",
      55: "0103060c0f1c2a",
      60: "756463687020312e33362e31",
    },
  },
  {
    // ISC dhclient: no client id, requested address, host name "lab-1".
    name: "dhclient INIT-REBOOT REQUEST",
    type: "REQUEST",
    bytes: packet(
      { start: "01010600 a1b2c3d4", mac: "525400123456" },
      "350103 32040a000017 0c056c61622d31 370d011c02790f060c28292a1a7703 ff",
      300,
    ),
    options: { 53: "03", 50: "0a000017", 12: "6c61622d31", 55: "011c02790f060c28292a1a7703" },
  },
  {
    // systemd-networkd: RFC 4361 client id, size 1472, renewing by unicast.
    name: "systemd-networkd RENEWING REQUEST",
    type: "REQUEST",
    ciaddr: "10.0.0.23",
    bytes: packet(
      { start: "01010600 0badcafe", secsFlags: "00010000", ciaddr: "0a000017", mac: "525400abcdef" },
      "350103 3d13ffb6220feb00020000ab11e4b5c0fae2b5a8f0 370901 0c0603 0f1a2a2179 390205c0 0c056e6f646531 ff",
      0,
    ),
    options: {
      53: "03",
      61: "ffb6220feb00020000ab11e4b5c0fae2b5a8f0",
      55: "010c06030f1a2a2179",
      57: "05c0",
      12: "6e6f646531",
    },
  },
  {
    // Windows: client id, FQDN, "MSFT 5.0", broadcast flag unset, end option right after.
    name: "Windows DISCOVER",
    type: "DISCOVER",
    bytes: packet(
      { start: "01010600 7c3e91d2", mac: "001a2b3c4d5e" },
      "350101 3d0701001a2b3c4d5e 32040a000019 0c0457494e31 3c084d53465420352e30 370e01030f06 1f212b2c2e2f77 79f9fc ff",
      300,
    ),
    options: {
      53: "01",
      61: "01001a2b3c4d5e",
      50: "0a000019",
      12: "57494e31",
      60: "4d53465420352e30",
      55: "01030f061f212b2c2e2f7779f9fc",
    },
  },
  {
    // PXE firmware: architecture 7 (x64 UEFI), network interface identifier, machine id, 1260 bytes.
    name: "UEFI PXE DISCOVER through a relay with option 82",
    type: "DISCOVER",
    giaddr: "10.0.1.1",
    bytes: packet(
      { start: "01010601 1d2e3f40", secsFlags: "00048000", giaddr: "0a000101", mac: "98fa9b112233" },
      `350101 390204ec 3704 0103 4342 61110000112233445566778899aabbccddeeff 5e03010310 5d020007
       3c20505845436c69656e743a417263683a30303030373a554e44493a303033303136
       5213 0106000400640103 0206 98fa9b112233 0a0100 ff`,
      0,
    ),
    options: {
      53: "01",
      57: "04ec",
      55: "01034342",
      97: "0000112233445566778899aabbccddeeff",
      94: "010310",
      93: "0007",
      60: "505845436c69656e743a417263683a30303030373a554e44493a303033303136",
      82: "0106000400640103020698fa9b1122330a0100",
    },
  },
];
