// docs/protocol/differences.md, made from the table of classes.

import { join } from "node:path";
import { CLASSES } from "./classes.ts";

export const FILE = join(import.meta.dirname, "..", "..", "docs/protocol/differences.md");

const NAMES = { kea: "Kea 2.2", dhcpd: "dhcpd 4.4" } as const;

export function differencesDocument(): string {
  const sections = CLASSES.map(({ id, title, peers, source, sentence }, i) => {
    const others = peers.map((peer) => NAMES[peer]).join(" and ");
    return `## ${i + 1}. ${id}\n\n${title}\n\nSeen with ${others}. ${source}:\n\n> ${sentence}\n`;
  });
  return `<!-- Made by test/differential/write-document.ts from classes.ts beside it. Do not edit. -->
# Where our answers differ from Kea's and dhcpd's

A generator says the same random but meaningful exchanges to our engine, to Kea and to dhcpd, which serve the same
networks, and compares the answers field by field (\`test/differential/\`). All that differs is of one of the ${CLASSES.length} classes
below; any other difference fails the test. Differences in which the others are right have been mended in ours.

${sections.join("\n")}`;
}
