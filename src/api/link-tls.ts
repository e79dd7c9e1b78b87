// Whose certificates secure the failover link: the controller's own authority, or Secrets that others fill.

import { z } from "zod";
import { list, reference, text } from "./fields.ts";

const PEM = /^-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/;

export const linkTlsSchema = z
  .strictObject({
    secretRef: reference(
      "Secret, without the member",
      "Certificates that others bring, such as cert-manager: member a uses the Secret NAME-a, member b NAME-b, each with tls.crt, tls.key and ca.crt, and with the URI leasepair://NAMESPACE/RELATIONSHIP/MEMBER as subject alternative name. Unset: the controller makes and renews them.",
    ).optional(),
    trustedAuthorities: list(
      text({
        description: "A certificate in PEM.",
        form: "one certificate in PEM",
        pattern: PEM,
        lengthMax: 8192,
      }),
      {
        max: 4,
        type: "atomic",
        description:
          "Authorities that sign for an external partner, trusted besides the controller's own; not used with secretRef, where they belong into ca.crt.",
      },
    ).optional(),
  })
  .meta({ description: "Certificates of the link. Unset: the controller makes and renews them." });
