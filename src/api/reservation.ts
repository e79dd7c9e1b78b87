// One reservation, as it stands in a DHCPScope and in a DHCPReservationSet.

import { z } from "zod";
import { reservationOptionsSchema } from "./dhcp-options.ts";
import { domainName, HARDWARE_ADDRESS_PATTERN, hexText, ipv4Text, text } from "./fields.ts";

export const reservationSchema = z.strictObject({
  address: ipv4Text(
    "The IPv4 address that only this client gets. Inside the scope's subnet, inside or outside its ranges.",
  ),
  hardwareAddress: text({
    description:
      "The client's Ethernet address, lower case with colons, such as 00:1b:44:11:3a:b7. Give either this or clientIdentifier.",
    form: "an Ethernet address in lower case with colons, such as 00:1b:44:11:3a:b7",
    pattern: HARDWARE_ADDRESS_PATTERN,
    lengthMax: 17,
  }).optional(),
  clientIdentifier: hexText(
    'The value of the client\'s option 61 as lower-case hex digits, type byte first, in quotes, such as "01001b44113ab7"; at most 64 bytes. Give either this or hardwareAddress.',
    64,
  ).optional(),
  hostname: domainName("Host name sent to the client (option 12). Unset: none is sent.").optional(),
  options: reservationOptionsSchema.optional(),
});

export type Reservation = z.output<typeof reservationSchema>;
