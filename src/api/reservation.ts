// One reservation, as it stands in a DHCPScope and in a DHCPReservationSet.

import { z } from "zod";
import { reservationOptionsSchema } from "./dhcp-options.ts";
import { domainName, HARDWARE_ADDRESS_PATTERN, hexText, ipv4Text, text } from "./fields.ts";

function subOption(description: string) {
  return hexText(`${description} As lower-case hex digits in quotes; at most 64 bytes.`, 64);
}

const relayAgentSchema = z
  .strictObject({
    circuitId: subOption("Circuit id (sub-option 1): the relay's port.").optional(),
    remoteId: subOption("Remote id (sub-option 2): the relay or the subscriber's line.").optional(),
    subscriberId: subOption("Subscriber id (sub-option 6).").optional(),
  })
  .meta({
    description:
      "The client's place by the relay agent information option (82): what is given here must be exactly what the relay adds. Give either this, hardwareAddress or clientIdentifier.",
  });

export const reservationSchema = z.strictObject({
  address: ipv4Text(
    "The IPv4 address that only this client gets. Inside the scope's subnet, inside or outside its ranges.",
  ),
  hardwareAddress: text({
    description:
      "The client's Ethernet address, lower case with colons, such as 00:1b:44:11:3a:b7. Give either this, clientIdentifier or relayAgent.",
    form: "an Ethernet address in lower case with colons, such as 00:1b:44:11:3a:b7",
    pattern: HARDWARE_ADDRESS_PATTERN,
    lengthMax: 17,
  }).optional(),
  clientIdentifier: hexText(
    'The value of the client\'s option 61 as lower-case hex digits, type byte first, in quotes, such as "01001b44113ab7"; at most 64 bytes. Give either this, hardwareAddress or relayAgent.',
    64,
  ).optional(),
  relayAgent: relayAgentSchema.optional(),
  hostname: domainName("Host name sent to the client (option 12). Unset: none is sent.").optional(),
  options: reservationOptionsSchema.optional(),
});

export type Reservation = z.output<typeof reservationSchema>;
