// The boot fields of the DHCP header, as a scope and a client class have them.

import { z } from "zod";
import { ipv4Text, text } from "./fields.ts";

export const bootSchema = z
  .strictObject({
    nextServer: ipv4Text("Boot server's address (the siaddr field).").optional(),
    serverName: text({
      description: "Boot server's name (the sname field), at most 63 characters.",
      form: "1 to 63 printable characters without blanks",
      pattern: /^[\x21-\x7e]+$/,
      lengthMax: 63,
    }).optional(),
    fileName: text({
      description: "Boot file's name (the file field), at most 127 characters.",
      form: "1 to 127 printable characters without blanks",
      pattern: /^[\x21-\x7e]+$/,
      lengthMax: 127,
    }).optional(),
  })
  .meta({
    description:
      "The boot fields of the DHCP header, for clients that boot from the network (BOOTP, PXE, U-Boot).",
  });

export type Boot = z.output<typeof bootSchema>;
