// DHCP options as fields: the well-known ones typed, all others by code. option-values.ts turns them into bytes.
// Source: RFC 2132; RFC 3361 (120); 3397 (119); 3442 (121); 3925 (125); 4833 (100, 101); 5417 (138); 5859 (150); 8910 (114); 8925 (108).

import { z } from "zod";
import { choice, domainName, integer, ipv4Text, list, networkText, text } from "./fields.ts";

export const EXTRA_TYPES = ["ip", "ipList", "uint8", "uint16", "uint32", "string", "hex", "flag"] as const;
export type ExtraType = (typeof EXTRA_TYPES)[number];

const classlessRouteSchema = z.strictObject({
  destination: networkText(
    "Destination network, such as 10.0.0.0/8; 0.0.0.0/0 is the default route. Host bits must be zero.",
  ),
  router: ipv4Text(
    "Next hop towards the destination; 0.0.0.0 means that the destination is on the client's own link.",
  ),
});

function extraOptionSchema(valueMax: number) {
  return z.strictObject({
    code: integer(
      1,
      254,
      "Option code. Codes that the protocol itself fills in (1, 50-59, 61, 80-82, 90, 118) and those with a field of their own (3, 6, 7, 15, 17, 26, 28, 42, 44, 66, 67, 100, 101, 108, 114, 119, 120, 121, 125, 138, 150, 252) are refused here. 43 may stand here as hex, or in vendorOptions.",
    ),
    type: choice(
      EXTRA_TYPES,
      "How value is written: ip (one IPv4 address), ipList (addresses separated by commas), uint8, uint16, uint32 (decimal), string (text, sent as UTF-8), hex (bytes as hex digits), flag (true or false, one byte).",
    ),
    value: text({
      description: `The value as text, in quotes, such as "192.0.2.7,192.0.2.8" for type ipList. At most ${valueMax} characters.`,
      form: `a string of 1 to ${valueMax} characters`,
      lengthMax: valueMax,
    }),
  });
}

/** A sub-option of 43 or 125: written like an extra option, its code being the vendor's. */
const subOptionSchema = z.strictObject({
  code: integer(1, 254, "Sub-option code, as the vendor defines it."),
  type: choice(EXTRA_TYPES, "How value is written, as in extra."),
  value: text({
    description: "The value as text, in quotes. At most 255 characters.",
    form: "a string of 1 to 255 characters",
    lengthMax: 255,
  }),
});

const vendorIdentifyingSchema = z.strictObject({
  enterprise: integer(0, 0xffff_ffff, "The vendor's IANA enterprise number, such as 3561."),
  options: list(subOptionSchema, {
    min: 1,
    max: 16,
    type: ["code"],
    description: "The vendor's sub-options, at most 16.",
  }),
});

export type SubOption = z.output<typeof subOptionSchema>;
export type VendorIdentifying = z.output<typeof vendorIdentifyingSchema>;
export type ExtraOption = z.output<ReturnType<typeof extraOptionSchema>>;
export type ClasslessRoute = z.output<typeof classlessRouteSchema>;

function addresses(max: number, description: string) {
  return list(ipv4Text("An IPv4 address."), { min: 1, max, type: "atomic", description }).optional();
}

function printable(description: string, lengthMax = 255) {
  return text({
    description: `${description}, at most ${lengthMax} characters.`,
    form: `1 to ${lengthMax} printable characters without blanks`,
    pattern: /^[\x21-\x7e]+$/,
    lengthMax,
  }).optional();
}

/** Options for boot loaders, phones, access points and operating systems. */
function furtherShape() {
  return {
    logServers: addresses(8, "Log servers, most preferred first (option 7). At most 8."),
    rootPath: printable("Path of the client's root disk (option 17), such as an NFS or iSCSI path"),
    netbiosNameServers: addresses(
      8,
      "NetBIOS (WINS) name servers, most preferred first (option 44). At most 8.",
    ),
    posixTimeZone: printable("Time zone as POSIX TZ text (option 100), such as CET-1CEST,M3.5.0,M10.5.0/3"),
    tzdbTimeZone: printable("Time zone by its name in the tz database (option 101), such as Europe/Berlin"),
    ipv6OnlyWaitSeconds: integer(
      0,
      0xffff_ffff,
      "Marks the network as IPv6-mostly (option 108): a client that can do without IPv4 and asks for the option gets no address, and tries no earlier again than after so many seconds: at least 300, or 0 for that least.",
      "seconds",
    ).optional(),
    captivePortalUrl: printable("URL of the captive portal's API (option 114), https only by the standard"),
    sipServers: addresses(8, "SIP servers, most preferred first (option 120). At most 8."),
    capwapControllers: addresses(
      8,
      "Controllers for access points, CAPWAP (option 138), most preferred first. At most 8.",
    ),
    tftpServerAddresses: addresses(
      8,
      "TFTP servers by address (option 150), as phones want them. At most 8.",
    ),
    webProxyAutoDiscoveryUrl: printable("URL of the proxy configuration file, WPAD (option 252)"),
    vendorOptions: list(subOptionSchema, {
      min: 1,
      max: 16,
      type: ["code"],
      description:
        "Sub-options of the vendor specific option (43), at most 16, together at most 255 bytes for clients that cannot join longer options.",
    }).optional(),
    vendorIdentifyingOptions: list(vendorIdentifyingSchema, {
      min: 1,
      max: 4,
      type: ["enterprise"],
      description: "Vendor-identifying vendor-specific information (option 125), at most 4 vendors.",
    }).optional(),
  };
}

/** Limits of the options by code; lower where options stand on every reservation: the object must stay small, and the
 *  API server charges CEL rules for the largest list that the schema allows. */
function optionsShape({ extraMax, valueMax }: { readonly extraMax: number; readonly valueMax: number }) {
  return {
    routers: addresses(
      8,
      "Default gateways, most preferred first (option 3). At most 8. Addresses listed here are never leased.",
    ),
    domainNameServers: addresses(8, "DNS servers, most preferred first (option 6). At most 8."),
    domainName: domainName("Domain that the client uses to complete host names (option 15).").optional(),
    interfaceMtu: integer(
      68,
      65535,
      "MTU for the client's interface in bytes (option 26), 68 to 65535.",
    ).optional(),
    broadcastAddress: ipv4Text(
      "Broadcast address of the client's subnet (option 28). Unset: not sent; clients derive it from the netmask.",
    ).optional(),
    ntpServers: addresses(8, "NTP servers, most preferred first (option 42). At most 8."),
    tftpServerName: text({
      description: "TFTP server's name or address as text (option 66), at most 255 characters.",
      form: "1 to 255 printable characters without blanks",
      pattern: /^[\x21-\x7e]+$/,
      lengthMax: 255,
    }).optional(),
    bootFileName: text({
      description: "Boot file's name or URL (option 67), at most 255 characters.",
      form: "1 to 255 printable characters without blanks",
      pattern: /^[\x21-\x7e]+$/,
      lengthMax: 255,
    }).optional(),
    domainSearch: list(domainName("A domain name."), {
      min: 1,
      max: 16,
      type: "atomic",
      description: "Domains that the client searches, in this order (option 119). At most 16.",
    }).optional(),
    classlessStaticRoutes: list(classlessRouteSchema, {
      min: 1,
      max: 32,
      type: "atomic",
      description:
        "Routes with any prefix length (option 121). At most 32. Clients that understand it ignore routers, so list the default route here as well.",
    }).optional(),
    ...furtherShape(),
    extra: list(extraOptionSchema(valueMax), {
      max: extraMax,
      type: ["code"],
      description: `Further options by code. At most ${extraMax}, each code once.`,
    }).optional(),
  };
}

export const optionsSchema = z.strictObject(optionsShape({ extraMax: 32, valueMax: 512 })).meta({
  description:
    "DHCP options for the clients; each is sent to clients that ask for it, in the order in which they ask. What is set for a client's reservation goes before what its client class sets, that before what its scope sets, that before scopeDefaults.",
});

export const reservationOptionsSchema = z.strictObject(optionsShape({ extraMax: 8, valueMax: 255 })).meta({
  description:
    "DHCP options for this client alone; each one set here replaces the scope's option of the same code.",
});

export type Options = z.output<typeof optionsSchema>;
