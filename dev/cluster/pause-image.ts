// The image of the process that holds a pod's namespaces open: busybox's sleep, from the Debian package busybox-static.

import { readFileSync } from "node:fs";
import type { Image } from "../image/oci-archive.ts";

export function staticBusybox(): Image {
  const content = readFileSync("/bin/busybox");
  return {
    layers: [
      [
        { path: "bin/", mode: 0o755 },
        { path: "bin/busybox", mode: 0o755, content },
      ],
    ],
    config: { Entrypoint: ["/bin/busybox", "sleep", "2147483647"], User: "65535:65535" },
  };
}
