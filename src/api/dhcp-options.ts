// DHCP options as fields: the well-known ones typed, all others by code. option-values.ts turns them into bytes.
// Source: RFC 2132; RFC 3397 (119); RFC 3442 (121).

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
      "Option code. Codes that the protocol itself fills in (1, 50-59, 61, 80-82, 90, 118) and those with a field of their own (3, 6, 15, 26, 28, 42, 66, 67, 119, 121) are refused here.",
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

export type ExtraOption = z.output<ReturnType<typeof extraOptionSchema>>;
export type ClasslessRoute = z.output<typeof classlessRouteSchema>;

function addresses(max: number, description: string) {
  return list(ipv4Text("An IPv4 address."), { min: 1, max, type: "atomic", description }).optional();
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
      form: "1 to 255 printable characters",
      pattern: /^[\x21-\x7e]+$/,
      lengthMax: 255,
    }).optional(),
    bootFileName: text({
      description: "Boot file's name or URL (option 67), at most 255 characters.",
      form: "1 to 255 printable characters",
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
    extra: list(extraOptionSchema(valueMax), {
      max: extraMax,
      type: ["code"],
      description: `Further options by code. At most ${extraMax}, each code once.`,
    }).optional(),
  };
}

export const optionsSchema = z
  .strictObject(optionsShape({ extraMax: 32, valueMax: 512 }))
  .meta({ description: "DHCP options for the clients; each is sent to clients that ask for it." });

export const reservationOptionsSchema = z.strictObject(optionsShape({ extraMax: 8, valueMax: 255 })).meta({
  description:
    "DHCP options for this client alone; each one set here replaces the scope's option of the same code.",
});

export type Options = z.output<typeof optionsSchema>;
