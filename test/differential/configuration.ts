// The same networks, written for each of the three servers: ours as manifests, Kea's JSON, dhcpd.conf.
// Whatever can be said in one of them only is left out, so that a difference in the answers is a difference of the servers.

/** Where the relay's sides of the served networks are: giaddr. */
export const RELAY = {
  plain: "10.1.0.1",
  sharedFirst: "10.2.0.1",
  sharedSecond: "10.3.0.1",
  boot: "10.4.0.1",
  large: "10.5.0.1",
  /** Nobody serves it. */
  unserved: "10.9.0.1",
} as const;

export type NetworkName = keyof typeof RELAY;

/** Clients that addresses are reserved for, and those addresses. */
export const RESERVED = {
  insideRange: { hardware: "020000010001", address: "10.1.1.5" },
  outsideRange: { hardware: "020000010002", address: "10.1.200.2" },
  byIdentifier: {
    hardware: "020000010003",
    identifier: "ff00000001000200000102030405",
    address: "10.1.200.3",
  },
} as const;

/** The first and the last address that a client without a reservation may get, by relay. */
export const RANGES: readonly { readonly start: string; readonly end: string; readonly network: string }[] = [
  { start: "10.1.1.0", end: "10.1.60.255", network: "plain" },
  { start: "10.2.0.10", end: "10.2.7.200", network: "shared" },
  { start: "10.3.0.10", end: "10.3.7.200", network: "shared" },
  { start: "10.4.1.0", end: "10.4.14.255", network: "boot" },
  { start: "10.5.1.0", end: "10.5.14.255", network: "large" },
];

export const LEASE = { defaultSeconds: 3600, minSeconds: 600, maxSeconds: 7200 } as const;

/** Enterprise 3561, sub-option 1 "lab". RFC 3925. */
const VENDOR_125 = "00000de90501036c6162";
const WPAD = Buffer.from("http://10.4.0.5/wpad.dat").toString("hex");
const VENDOR_43 = "0604deadbeef0a0400000bff";
const LONG_224 = "4c".repeat(240);
const LONG_225 = "4d".repeat(240);
const SEARCH = ["one.example.org", "two.example.org", "three.example.com", "a.b.c.d.example.net"];
/** 10.64.0.0/10 via 10.5.0.2, 192.168.7.0/24 via 10.5.0.3, default via 10.5.0.1. RFC 3442. */
const ROUTES_HEX = "0a0a400a05000218c0a8070a050003000a050001";

/** One pair in HotStandby, so that the primary answers everybody whatever the state of its partner. */
export function ownManifests(a: string, b: string): string {
  return `apiVersion: leasepair.io/v1alpha1
kind: FailoverRelationship
metadata: { name: peers, namespace: default }
spec:
  mode: HotStandby
  primary: a
  maxClientLeadTimeSeconds: 86400
  members:
    - { name: a, nodeName: node-1, address: ${a} }
    - { name: b, nodeName: node-2, address: ${b} }
  scopeDefaults:
    leaseTime: { defaultSeconds: ${LEASE.defaultSeconds}, minSeconds: ${LEASE.minSeconds}, maxSeconds: ${LEASE.maxSeconds} }
    options: { domainName: example.org, domainNameServers: [10.0.0.53, 10.0.0.54], ntpServers: [10.0.0.123] }
  clientClasses:
    - name: http-boot
      match: vendorClass.startsWith("HTTPClient")
      options: { extra: [{ code: 60, type: string, value: HTTPClient }] }
      boot: { fileName: "http://10.4.0.5/boot.efi" }
    - name: uefi
      match: options.number(93) == 7
      boot: { fileName: uefi/boot.efi }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: plain, namespace: default }
spec:
  relationshipRef: { name: peers }
  subnet: 10.1.0.0/16
  ranges: [{ start: 10.1.1.0, end: 10.1.60.255 }]
  options: { routers: [10.1.0.1], interfaceMtu: 1400 }
  reservations:
    - { address: ${RESERVED.insideRange.address}, hardwareAddress: "02:00:00:01:00:01", hostname: fixed-one }
    - address: ${RESERVED.outsideRange.address}
      hardwareAddress: "02:00:00:01:00:02"
      options: { domainNameServers: [10.0.0.99] }
    - { address: ${RESERVED.byIdentifier.address}, clientIdentifier: ${RESERVED.byIdentifier.identifier} }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: shared-first, namespace: default }
spec:
  relationshipRef: { name: peers }
  subnet: 10.2.0.0/21
  sharedNetwork: shared
  ranges: [{ start: 10.2.0.10, end: 10.2.7.200 }]
  options: { routers: [10.2.0.1] }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: shared-second, namespace: default }
spec:
  relationshipRef: { name: peers }
  subnet: 10.3.0.0/21
  sharedNetwork: shared
  ranges: [{ start: 10.3.0.10, end: 10.3.7.200 }]
  options: { routers: [10.3.0.1] }
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: boot, namespace: default }
spec:
  relationshipRef: { name: peers }
  subnet: 10.4.0.0/20
  ranges: [{ start: 10.4.1.0, end: 10.4.14.255 }]
  leaseTime: { renewSeconds: 900, rebindSeconds: 1800 }
  boot: { nextServer: 10.4.0.5, serverName: boot.example.org, fileName: pxe/boot.0 }
  subnetSelection: Enabled
  options:
    routers: [10.4.0.1]
    webProxyAutoDiscoveryUrl: http://10.4.0.5/wpad.dat
    vendorIdentifyingOptions: [{ enterprise: 3561, options: [{ code: 1, type: string, value: lab }] }]
    tftpServerAddresses: [10.4.0.5, 10.4.0.6]
    extra: [{ code: 43, type: hex, value: ${VENDOR_43} }]
---
apiVersion: leasepair.io/v1alpha1
kind: DHCPScope
metadata: { name: large, namespace: default }
spec:
  relationshipRef: { name: peers }
  subnet: 10.5.0.0/20
  ranges: [{ start: 10.5.1.0, end: 10.5.14.255 }]
  options:
    routers: [10.5.0.1]
    domainSearch: [${SEARCH.join(", ")}]
    classlessStaticRoutes:
      - { destination: 10.64.0.0/10, router: 10.5.0.2 }
      - { destination: 192.168.7.0/24, router: 10.5.0.3 }
      - { destination: 0.0.0.0/0, router: 10.5.0.1 }
    captivePortalUrl: https://portal.example.org/api
    capwapControllers: [10.5.0.7]
    sipServers: [10.5.0.8]
    extra:
      - { code: 33, type: hex, value: 0a0707070a050002 }
      - { code: 224, type: hex, value: ${LONG_224} }
      - { code: 225, type: hex, value: ${LONG_225} }
`;
}

interface KeaOption {
  readonly name?: string;
  readonly code?: number;
  readonly data: string;
  readonly "csv-format"?: boolean;
}

function hexOption(code: number, data: string): KeaOption {
  return { code, data, "csv-format": false };
}

export function keaConfiguration(leases: string): string {
  const subnet = (id: number, network: string, pool: string, rest: object) => ({
    id,
    subnet: network,
    pools: [{ pool }],
    ...rest,
  });
  const routers = (data: string): KeaOption => ({ name: "routers", data });
  const Dhcp4 = {
    "interfaces-config": { interfaces: ["eth0"], "dhcp-socket-type": "udp" },
    "multi-threading": { "enable-multi-threading": false },
    "lease-database": { type: "memfile", persist: true, name: leases, "lfc-interval": 0 },
    "expired-leases-processing": { "hold-reclaimed-time": 3600 },
    authoritative: true,
    // Not a line per lease.
    loggers: [
      { name: "kea-dhcp4", severity: "INFO", output_options: [{ output: "stdout" }] },
      { name: "kea-dhcp4.leases", severity: "WARN", output_options: [{ output: "stdout" }] },
    ],
    "valid-lifetime": LEASE.defaultSeconds,
    "min-valid-lifetime": LEASE.minSeconds,
    "max-valid-lifetime": LEASE.maxSeconds,
    "calculate-tee-times": true,
    "cache-threshold": 0.0001,
    "host-reservation-identifiers": ["client-id", "hw-address"],
    "option-data": [
      { name: "domain-name", data: "example.org" },
      { name: "domain-name-servers", data: "10.0.0.53, 10.0.0.54" },
      { name: "ntp-servers", data: "10.0.0.123" },
    ],
    "option-def": [224, 225, 252].map((code) => ({ name: `own-${code}`, code, type: "binary" })),
    "client-classes": [
      {
        name: "http-boot",
        test: "substring(option[60].hex,0,10) == 'HTTPClient'",
        "option-data": [{ name: "vendor-class-identifier", data: "HTTPClient" }],
        "boot-file-name": "http://10.4.0.5/boot.efi",
      },
      { name: "uefi", test: "option[93].hex == 0x0007", "boot-file-name": "uefi/boot.efi" },
    ],
    "shared-networks": [
      {
        name: "shared",
        subnet4: [
          subnet(2, "10.2.0.0/21", "10.2.0.10 - 10.2.7.200", { "option-data": [routers("10.2.0.1")] }),
          subnet(3, "10.3.0.0/21", "10.3.0.10 - 10.3.7.200", { "option-data": [routers("10.3.0.1")] }),
        ],
      },
    ],
    subnet4: [
      subnet(1, "10.1.0.0/16", "10.1.1.0 - 10.1.60.255", {
        "option-data": [routers("10.1.0.1"), { name: "interface-mtu", data: "1400" }],
        reservations: [
          {
            "hw-address": "02:00:00:01:00:01",
            "ip-address": RESERVED.insideRange.address,
            hostname: "fixed-one",
          },
          {
            "hw-address": "02:00:00:01:00:02",
            "ip-address": RESERVED.outsideRange.address,
            "option-data": [{ name: "domain-name-servers", data: "10.0.0.99" }],
          },
          { "client-id": RESERVED.byIdentifier.identifier, "ip-address": RESERVED.byIdentifier.address },
        ],
      }),
      subnet(4, "10.4.0.0/20", "10.4.1.0 - 10.4.14.255", {
        "renew-timer": 900,
        "rebind-timer": 1800,
        "next-server": "10.4.0.5",
        "server-hostname": "boot.example.org",
        "boot-file-name": "pxe/boot.0",
        "option-data": [
          routers("10.4.0.1"),
          hexOption(150, "0a0400050a040006"),
          hexOption(43, VENDOR_43),
          hexOption(125, VENDOR_125),
          hexOption(252, WPAD),
        ],
      }),
      subnet(5, "10.5.0.0/20", "10.5.1.0 - 10.5.14.255", {
        "option-data": [
          routers("10.5.0.1"),
          { name: "domain-search", data: SEARCH.join(", ") },
          hexOption(121, ROUTES_HEX),
          { name: "v4-captive-portal", data: "https://portal.example.org/api" },
          { name: "capwap-ac-v4", data: "10.5.0.7" },
          hexOption(120, "010a050008"),
          hexOption(33, "0a0707070a050002"),
          hexOption(224, LONG_224),
          hexOption(225, LONG_225),
        ],
      }),
    ],
  };
  return JSON.stringify({ Dhcp4 }, null, 2);
}

/** Bytes as dhcpd.conf wants them. */
function colons(hex: string): string {
  return hex.replaceAll(/(..)(?!$)/g, "$1:");
}

export function dhcpdConfiguration(link: string): string {
  return `authoritative;
ping-check false;
ddns-update-style none;
dont-use-fsync true;
dhcp-cache-threshold 0;
use-host-decl-names off;
default-lease-time ${LEASE.defaultSeconds};
min-lease-time ${LEASE.minSeconds};
max-lease-time ${LEASE.maxSeconds};
option domain-name "example.org";
option domain-name-servers 10.0.0.53, 10.0.0.54;
option ntp-servers 10.0.0.123;
option own-43 code 43 = string;
option own-120 code 120 = string;
option own-121 code 121 = string;
option own-138 code 138 = array of ip-address;
option own-150 code 150 = array of ip-address;
option own-125 code 125 = string;
option own-252 code 252 = text;
option own-114 code 114 = text;
option own-224 code 224 = string;
option own-225 code 225 = string;
option client-arch code 93 = string;
if substring(option vendor-class-identifier, 0, 10) = "HTTPClient" {
  option vendor-class-identifier "HTTPClient";
  filename "http://10.4.0.5/boot.efi";
} elsif option client-arch = 00:07 {
  filename "uefi/boot.efi";
}
subnet ${link} netmask 255.255.255.0 { }
subnet 10.1.0.0 netmask 255.255.0.0 {
  range 10.1.1.0 10.1.60.255;
  option routers 10.1.0.1;
  option interface-mtu 1400;
}
host one { hardware ethernet 02:00:00:01:00:01; fixed-address ${RESERVED.insideRange.address}; option host-name "fixed-one"; }
host two { hardware ethernet 02:00:00:01:00:02; fixed-address ${RESERVED.outsideRange.address}; option domain-name-servers 10.0.0.99; }
host three { option dhcp-client-identifier ${colons(RESERVED.byIdentifier.identifier)}; fixed-address ${RESERVED.byIdentifier.address}; }
shared-network shared {
  subnet 10.2.0.0 netmask 255.255.248.0 { range 10.2.0.10 10.2.7.200; option routers 10.2.0.1; }
  subnet 10.3.0.0 netmask 255.255.248.0 { range 10.3.0.10 10.3.7.200; option routers 10.3.0.1; }
}
subnet 10.4.0.0 netmask 255.255.240.0 {
  range 10.4.1.0 10.4.14.255;
  option dhcp-renewal-time 900;
  option dhcp-rebinding-time 1800;
  next-server 10.4.0.5;
  server-name "boot.example.org";
  if not (substring(option vendor-class-identifier, 0, 10) = "HTTPClient" or option client-arch = 00:07) {
    filename "pxe/boot.0";
  }
  option routers 10.4.0.1;
  option own-150 10.4.0.5, 10.4.0.6;
  option own-43 ${colons(VENDOR_43)};
  option own-125 ${colons(VENDOR_125)};
  option own-252 "http://10.4.0.5/wpad.dat";
}
subnet 10.5.0.0 netmask 255.255.240.0 {
  range 10.5.1.0 10.5.14.255;
  option routers 10.5.0.1;
  option domain-search ${SEARCH.map((name) => `"${name}"`).join(", ")};
  option own-121 ${colons(ROUTES_HEX)};
  option own-114 "https://portal.example.org/api";
  option own-138 10.5.0.7;
  option own-120 01:0a:05:00:08;
  option static-routes 10.7.7.7 10.5.0.2;
  option own-224 ${colons(LONG_224)};
  option own-225 ${colons(LONG_225)};
}
`;
}
