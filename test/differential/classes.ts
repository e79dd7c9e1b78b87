// Every class of differences between our answers and those of Kea 2.2 and dhcpd 4.4, each as narrow as its reason, with the sentence
// that settles it. docs/protocol/differences.md is made from this table. In none of them are we the ones who are wrong.

import type { Step } from "./exchanges.ts";
import type { Difference } from "./judge.ts";
import type { PeerName } from "./lab.ts";

export interface DifferenceClass {
  readonly id: string;
  /** What ours does and what the others do. */
  readonly title: string;
  /** The peers in which it is seen; a peer that is not named here must agree with us. */
  readonly peers: readonly PeerName[];
  /** Document and section. */
  readonly source: string;
  readonly sentence: string;
  readonly matches: (difference: Difference, step: Step, peer: PeerName) => boolean;
}

const KEA = ["kea"] as const;
const DHCPD = ["dhcpd"] as const;
const BOTH = ["kea", "dhcpd"] as const;

function asked(step: Step, code: number): boolean {
  const list = step.options.find((option) => option.code === 55)?.hex ?? "";
  return Buffer.from(list, "hex").includes(code);
}

function sent(step: Step, code: number): string | undefined {
  return step.options.find((option) => option.code === code)?.hex;
}

export const CLASSES: readonly DifferenceClass[] = [
  {
    id: "hops",
    title: "The field 'hops' of an answer is 0; the others copy it from the request",
    peers: BOTH,
    source: "RFC 2131 4.3.1, table 3",
    sentence: "'hops' 0 0 0",
    matches: ({ field, ours, theirs }, step) => field === "hops" && ours === "0" && theirs === String(step.hops),
  },
  {
    id: "client-identifier",
    title: "The client identifier is returned; dhcpd leaves it out",
    peers: DHCPD,
    source: "RFC 6842 3",
    sentence:
      "If the 'client identifier' option is present in a message received from a client, the server MUST return the 'client identifier' option, unaltered, in its response message.",
    matches: ({ field, ours, theirs }, step) => field === "option 61" && ours === sent(step, 61) && theirs === "absent",
  },
  {
    id: "renewal-times",
    title: "T1 and T2 are sent with every lease; dhcpd sends them only where they are configured and asked for",
    peers: DHCPD,
    source: "RFC 2131 4.4.5",
    sentence: "Times T1 and T2 are configurable by the server through options.",
    matches: ({ field, theirs }) => ["option 58", "option 59"].includes(field) && theirs === "absent",
  },
  {
    id: "requested-order",
    title: "Options stand in the order in which the client asks for them; Kea sends them in the order of their codes",
    peers: KEA,
    source: "RFC 2132 9.8",
    sentence:
      "The DHCP server is not required to return the options in the requested order, but MUST try to insert the requested options in the order requested by the client.",
    matches: ({ field }) => field === "order",
  },
  {
    id: "unrequested-options",
    title: "A client that sends a parameter request list gets what it asks for; Kea adds 3, 6 and 15 to it",
    peers: KEA,
    source: "RFC 2131 3.5",
    sentence:
      "the client can inform the server which configuration parameters the client is interested in by including the 'parameter request list' option",
    matches: ({ field, ours }, step) => {
      const code = Number(/^option (3|6|15)$/.exec(field)?.[1] ?? 0);
      return code !== 0 && ours === "absent" && !asked(step, code);
    },
  },
  {
    id: "pxe-echo",
    title: "What a PXE client says about itself (93, 94, 97) is in the answers too; Kea and dhcpd leave it out",
    peers: BOTH,
    source: "RFC 4578 2.1, 2.2, 2.3",
    sentence: "This option MUST be present in all DHCP and PXE packets sent by PXE-compliant clients and servers.",
    matches: ({ field, ours, theirs }, step) =>
      ["option 93", "option 94", "option 97"].includes(field) && ours === sent(step, Number(field.slice(7))) && theirs === "absent",
  },
  {
    id: "fqdn-absent",
    title: "A client's FQDN option is answered; dhcpd answers it only when it updates the DNS",
    peers: DHCPD,
    source: "RFC 4702 4",
    sentence: "Servers that do not implement the Client FQDN option will ignore it",
    matches: ({ field, theirs }) => field === "option 81" && theirs === "absent",
  },
  {
    id: "fqdn-rcodes",
    title: "The two RCODE bytes of option 81 are 255; Kea sends 0 (and completes no name without a domain of its DNS updates)",
    peers: KEA,
    source: "RFC 4702 4",
    sentence: "The server SHOULD set the RCODE1 and RCODE2 fields to 255 before sending the Client FQDN message to the client in a DHCPOFFER or DHCPACK.",
    matches: ({ field, ours, theirs }) =>
      field === "option 81" && ours.slice(2, 6) === "ffff" && theirs.slice(2, 6) === "0000",
  },
  {
    id: "host-name",
    title: "Option 12 carries the name of a reservation only; Kea sends the client's own name back",
    peers: KEA,
    source: "RFC 2132 3.14",
    sentence: "This option specifies the name of the client.",
    matches: ({ field, ours }, step) => field === "option 12" && ours === "absent" && (sent(step, 12) ?? sent(step, 81)) !== undefined,
  },
  {
    id: "server-identifier-override",
    title: "The relay's server identifier override is obeyed; Kea 2.2 and dhcpd do not know it",
    peers: BOTH,
    source: "RFC 5107 4",
    sentence: "",
    matches: ({ field, theirs }, step) => field === "option 54" && (step.relayInformation ?? "").includes("0b04") && theirs === "server",
  },
  {
    id: "refusal-text",
    title: "The text of a NAK is each server's own; Kea sends none",
    peers: BOTH,
    source: "RFC 2132 9.9",
    sentence: "",
    matches: ({ field, type }) => field === "option 56" && type === "NAK",
  },
];

/** The class of a difference; null when none covers it. */
export function classify(difference: Difference, peer: PeerName, step: Step): string | null {
  const found = CLASSES.find(({ peers, matches }) => peers.includes(peer) && matches(difference, step, peer));
  return found?.id ?? null;
}
