// Every class of differences between our answers and those of Kea 2.2 and dhcpd 4.4, each as narrow as its reason, with the sentence
// that settles it. docs/protocol/differences.md is made from this table. In none of them are we the ones who are wrong.

import type { PeerName } from "../../dev/peers/peer-lab.ts";
import type { Step } from "./exchanges.ts";
import type { Difference } from "./judge.ts";

export interface DifferenceClass {
  readonly id: string;
  /** What ours does and what the others do. */
  readonly title: string;
  /** The peers that differ from us in this way; any other must agree with us. */
  readonly peers: readonly PeerName[];
  /** Document and section. */
  readonly source: string;
  /** As it stands there. */
  readonly sentence: string;
  readonly matches: (difference: Difference, step: Step, peer: PeerName) => boolean;
}

const KEA = ["kea"] as const;
const DHCPD = ["dhcpd"] as const;
const BOTH = ["kea", "dhcpd"] as const;

function asked(step: Step, code: number): boolean {
  return Buffer.from(sent(step, 55) ?? "", "hex").includes(code);
}

function sent(step: Step, code: number): string | undefined {
  return step.options.find((option) => option.code === code)?.hex;
}

/** N of "option N"; 0 for any other field. */
function optionCode({ field }: Difference): number {
  return Number(/^option (\d+)$/.exec(field)?.[1] ?? 0);
}

/** Whether we were silent, or answered, where the peer did the other. */
function answers(
  { field, ours, theirs }: Difference,
  expectedOurs: string,
  ...expectedTheirs: string[]
): boolean {
  return field === "answer" && ours === expectedOurs && expectedTheirs.includes(theirs);
}

const BROKEN = [
  "strange: op is 2",
  "strange: hops beyond 16",
  "strange: no hardware address, no identifier",
  "strange: hardware address of 17 bytes",
  "strange: requested address of 3 bytes",
  "strange: REQUEST of nothing",
];
const USELESS_OPTIONS = [
  "strange: parameter request list empty",
  "strange: maximum size of 1 byte",
  "strange: client FQDN of 1 byte",
];

const HEADER: readonly DifferenceClass[] = [
  {
    id: "zero-fields",
    title: "`hops` and `secs` of an answer are 0. Kea copies `hops` from the request, dhcpd both.",
    peers: BOTH,
    source: "RFC 2131 4.3.1, table 3",
    sentence: "'hops' 0 0 0",
    matches: ({ field, ours, theirs }, step, peer) => {
      if (ours !== "0") return false;
      return field === "hops"
        ? theirs === String(step.hops)
        : peer === "dhcpd" && field === "secs" && theirs === String(step.secs);
    },
  },
  {
    id: "nak-broadcast-bit",
    title: "A NAK through a relay has the broadcast bit set. Kea leaves the bit as the client had it.",
    peers: KEA,
    source: "RFC 2131 4.3.2",
    sentence: "If 'giaddr' is set in the DHCPREQUEST message, the client is on a different subnet.",
    matches: ({ field, type, ours }, step) =>
      type === "NAK" && field === "flags" && step.relay !== null && (Number(ours) & 0x8000) !== 0,
  },
  {
    id: "well-formed",
    title:
      "An answer has at least 300 bytes, and every field of options its end option. Kea sends shorter answers; dhcpd leaves out the end option when it fills `file` and `sname` with options.",
    peers: BOTH,
    source: "RFC 2131 4.1",
    sentence: "The last option must always be the 'end' option.",
    matches: ({ field, ours, theirs }, _step, peer) =>
      field === "faults" &&
      ours === "" &&
      theirs === (peer === "kea" ? "shorter than 300 bytes" : "no end option in options"),
  },
];

const OPTIONS: readonly DifferenceClass[] = [
  {
    id: "returned-options",
    title:
      "The client identifier (61), and what a PXE client says about itself (93, 94, 97), come back. dhcpd returns none of them, Kea the identifier alone.",
    peers: BOTH,
    source: "RFC 6842 3; RFC 4578 2.1, 2.2 and 2.3",
    sentence:
      "If the 'client identifier' option is present in a message received from a client, the server MUST return the 'client identifier' option, unaltered, in its response message.",
    matches: (difference, step, peer) => {
      const code = optionCode(difference);
      const isReturned = [93, 94, 97].includes(code) || (code === 61 && peer === "dhcpd");
      return isReturned && difference.ours === sent(step, code) && difference.theirs === "absent";
    },
  },
  {
    id: "renewal-times",
    title:
      "T1 and T2 come with every lease and keep their share of it when the lease is shorter than the scope's. dhcpd sends them only where configured and asked for, and then, as Kea, the configured seconds whatever the lease: T2 up to its very end.",
    peers: BOTH,
    source: "RFC 2131 4.4.5",
    sentence:
      "T1 MUST be earlier than T2, which, in turn, MUST be earlier than the time at which the client's lease will expire.",
    matches: (difference, step, peer) => {
      if (![58, 59].includes(optionCode(difference)) || difference.ours === "absent") return false;
      if (difference.theirs === "absent" && peer === "dhcpd") return true;
      const isBoot = step.relay !== "plain" || sent(step, 118) !== undefined;
      return isBoot && ["absent", "900", "1800"].includes(difference.theirs);
    },
  },
  {
    id: "requested-order",
    title:
      "Options stand in the order in which the client asks for them, the mask no later than right before the routers. Kea sends them in the order of their codes; dhcpd puts routers behind what was asked for later once it has moved the mask to the front.",
    peers: BOTH,
    source: "RFC 2132 9.8",
    sentence:
      "The DHCP server is not required to return the options in the requested order, but MUST try to insert the requested options in the order requested by the client.",
    matches: ({ field, ours }, step) => field === "order" && isInRequestedOrder(ours, step),
  },
  {
    id: "what-is-asked-for",
    title:
      "A client with a parameter request list gets what it asks for, one without gets all that is configured. Kea adds 3, 6, 15 and the client's own host name (12) to every list, sends little else to a client without one, and no host name beside option 81 or in answer to an INFORM.",
    peers: KEA,
    source: "RFC 2131 4.3.1",
    sentence:
      "The server MUST supply as many of the requested parameters as possible and MUST omit any parameters it cannot provide.",
    matches: (difference, step) => {
      const code = optionCode(difference);
      if (code === 0 || code === 82) return false;
      // A reservation's name, to a client that sent option 81.
      if (difference.theirs === "absent" && code === 12)
        return sent(step, 81) !== undefined || difference.what === "INFORM";
      if (difference.theirs === "absent") return !asked(step, code) && (sent(step, 55) ?? "") === "";
      return difference.ours === "absent" && ([3, 6, 15].includes(code) ? !asked(step, code) : code === 12);
    },
  },
  {
    id: "client-fqdn",
    title:
      "A client's FQDN option is answered, with 255 in both RCODE bytes and the name completed by the domain. dhcpd answers it only when it updates the DNS; Kea sends 0 and completes no name without DNS updates.",
    peers: BOTH,
    source: "RFC 4702 4",
    sentence:
      "The server SHOULD set the RCODE1 and RCODE2 fields to 255 before sending the Client FQDN message to the client in a DHCPOFFER or DHCPACK.",
    matches: (difference, _step, peer) =>
      optionCode(difference) === 81 &&
      difference.ours.slice(2, 6) === "ffff" &&
      (difference.theirs === "absent"
        ? peer === "dhcpd" || difference.what === "INFORM"
        : difference.theirs.slice(2, 6) === "0000"),
  },
  {
    id: "server-identifier-override",
    title:
      "The relay's server identifier override is obeyed; and because the REQUEST may then be for the partner, one for an address that this server did not offer is not answered. Kea 2.2 and dhcpd do not know the override, and refuse such a REQUEST.",
    peers: BOTH,
    source: "RFC 5107 4",
    sentence:
      "DHCP servers that implement this Relay Agent Information suboption MUST use this value, if present in a DHCP message received from a client, as the value to insert into the Server Identifier option in the corresponding response.",
    matches: (difference, step) => {
      if (!(step.relayInformation ?? "").includes("0b04")) return false;
      if (answers(difference, "silence", "NAK")) return difference.what.endsWith("instead of the offer");
      return optionCode(difference) === 54 && difference.theirs === "server";
    },
  },
  {
    id: "refusal-text",
    title: "A NAK says why (option 56), in each server's own words. Kea gives no reason.",
    peers: BOTH,
    source: "RFC 2132 9.9",
    sentence:
      "This option is used by a DHCP server to provide an error message to a DHCP client in a DHCPNAK message in the event of a failure.",
    matches: (difference) =>
      optionCode(difference) === 56 && difference.type === "NAK" && difference.ours !== "absent",
  },
  {
    id: "boot-names-as-options",
    title:
      "A client that asks for 66 or 67 gets them beside the header fields. Kea and dhcpd fill the header fields alone.",
    peers: BOTH,
    source: "RFC 2131 4.3.1",
    sentence:
      "IF the server has been explicitly configured with a default value for the parameter, the server MUST include that value in an appropriate option in the 'option' field",
    matches: (difference, step) => {
      const code = optionCode(difference);
      return [66, 67].includes(code) && asked(step, code) && difference.theirs === "absent";
    },
  },
  {
    id: "routes-alone",
    title:
      "A client that asks for classless routes gets neither routers nor static routes beside them. Kea and dhcpd send all three.",
    peers: BOTH,
    source: "RFC 3442, DHCP Server Administrator Responsibilities",
    sentence:
      "When a DHCP client requests the Classless Static Routes option and also requests either or both of the Router option and the Static Routes option, and the DHCP server is sending Classless Static Routes options to that client, the server SHOULD NOT include the Router or Static Routes options.",
    matches: (difference, step) =>
      [3, 33].includes(optionCode(difference)) &&
      difference.ours === "absent" &&
      difference.ourCodes.includes(121) &&
      asked(step, 121),
  },
  {
    id: "compressed-search",
    title: "The search list is compressed. Kea writes every name in full.",
    peers: KEA,
    source: "RFC 3397 2",
    sentence:
      'To enable the searchlist to be encoded compactly, searchstrings in the searchlist MUST be concatenated and encoded using the technique described in section 4.1.4 of "Domain Names - Implementation And Specification" [RFC1035].',
    matches: (difference) =>
      optionCode(difference) === 119 && difference.ours.includes("c0") && difference.theirs !== "absent",
  },
];

/** Whether the codes stand as in the list, the mask excepted. */
function isInRequestedOrder(codes: string, step: Step): boolean {
  const list = [...new Set(Buffer.from(sent(step, 55) ?? "", "hex"))];
  // The server's own come first, whatever the list says: they must not be the ones that find no room.
  const own = [54, 51, 58, 59, 61, 81, 97];
  const places = codes
    .split(" ")
    .map(Number)
    .filter((code) => code !== 1 && !own.includes(code))
    .map((code) => list.indexOf(code));
  return places.every((place, i) => place >= (places[i - 1] ?? 0));
}

const REQUESTS: readonly DifferenceClass[] = [
  {
    id: "selected-another",
    title:
      "A client that selects another server's offer is not answered. dhcpd gives it the address all the same.",
    peers: DHCPD,
    source: "RFC 2131 3.1",
    sentence:
      "Those servers not selected by the DHCPREQUEST message use the message as notification that the client has declined that server's offer.",
    matches: (difference) =>
      answers(difference, "silence", "ACK") && difference.what === "REQUEST selecting another server",
  },
  {
    id: "no-record",
    title:
      "A client of which there is no record is not answered when it says that an address of its network, or any address on a network that is not served, is its own. Kea and dhcpd, told to be authoritative, refuse it by a NAK everywhere, or give it the address.",
    peers: BOTH,
    source: "RFC 2131 4.3.2",
    sentence:
      "If the DHCP server has no record of this client, then it MUST remain silent, and MAY output a warning to the network administrator.",
    matches: (difference, step) =>
      answers(difference, "silence", "NAK", "ACK") &&
      (difference.what === "REQUEST init-reboot after a DECLINE" ||
        (difference.what.endsWith("unknown client") &&
          (step.requested === "unused" || step.ciaddr === "unused" || step.network === "unserved"))),
  },
  {
    id: "lease-elsewhere",
    title:
      "A client that holds a lease and says that another, unused address of its network is its own is refused that one. Kea gives it to a client that rebinds, dhcpd to every such client.",
    peers: BOTH,
    source: "RFC 2131 4.3.2",
    sentence: "If not, then the server SHOULD send a DHCPNAK message to the client.",
    matches: (difference) =>
      answers(difference, "NAK", "ACK") && difference.what.endsWith(" unused, unknown client"),
  },
  {
    id: "wrong-address-refused",
    title:
      "An address that the client cannot have is refused by a NAK in every form of the REQUEST. Kea is silent when the client rebinds or selects it, dhcpd when it is reserved for another client.",
    peers: BOTH,
    source: "RFC 2131 3.5",
    sentence:
      "If a server receives a DHCPREQUEST message with an invalid 'requested IP address', the server SHOULD respond to the client with a DHCPNAK message and may choose to report the problem to the system administrator.",
    matches: (difference, step, peer) =>
      answers(difference, "NAK", "silence") &&
      (peer === "dhcpd"
        ? step.requested === "reserved" || step.ciaddr === "reserved"
        : /rebinding|instead of the offer/.test(difference.what)),
  },
  {
    id: "repeated-discover",
    title:
      "A client that repeats its DISCOVER, or holds a lease, is offered the same address again. Kea offers another one, dhcpd the one asked for then.",
    peers: BOTH,
    source: "RFC 2131 4.3.1",
    sentence:
      "the server SHOULD NOT reuse the selected network address before the client responds to the server's DHCPOFFER message.",
    matches: ({ field, type, ours, theirs }) => {
      if (field !== "yiaddr") return false;
      if (type === "ACK") return ours === "lease" && theirs === "offer";
      return type === "OFFER" && ["offer", "lease"].includes(ours) && theirs.startsWith("one of");
    },
  },
  {
    id: "reserved-not-now",
    title:
      "A reserved address that its client has declined is quarantined like any other, and one whose end the partner has yet to confirm waits. A client that names another address is refused it once the reserved one is to be had. Kea and dhcpd offer the reserved one again at once, and know of no such move.",
    peers: BOTH,
    source: "RFC 2131 4.3.3",
    sentence:
      "The server MUST mark the network address as not available and SHOULD notify the local system administrator of a possible configuration problem.",
    matches: (difference, step) => {
      const { field, ours, theirs } = difference;
      if (!step.hardware.startsWith("02000001000")) return false;
      if (answers(difference, "silence", "BOOTREPLY")) return true;
      if (answers(difference, "NAK", "ACK")) return step.server === "none";
      if (answers(difference, "silence", "NAK", "ACK")) return step.requested === "reserved";
      return ["yiaddr", "ciaddr"].includes(field) && theirs.startsWith("10.1.") && !ours.startsWith("10.1.");
    },
  },
  {
    id: "release-not-to-us",
    title:
      "A RELEASE that names another server changes nothing, nor does one that names none and comes from elsewhere than the address it gives up. Kea ends the lease.",
    peers: KEA,
    source: "RFC 2131 4.4.1, table 5",
    sentence: "Server identifier MUST NOT MUST (after MUST SELECTING)",
    matches: (difference) =>
      answers(difference, "ACK", "NAK", "silence") &&
      difference.what.startsWith("REQUEST init-reboot after a "),
  },
  {
    id: "wish-for-nothing",
    title:
      "A client that asks for a lease of 0 seconds gets the scope's default. dhcpd gives it the shortest lease.",
    peers: DHCPD,
    source: "RFC 2131 4.3.1",
    sentence:
      "the server may choose either to return the requested lease (if the lease is acceptable to local policy) or select another lease.",
    matches: (difference, step) =>
      optionCode(difference) === 51 && sent(step, 51) === "00000000" && difference.theirs === "600",
  },
  {
    id: "inform",
    title:
      "An INFORM is answered with all that is asked for, `giaddr` and option 82 as they came, and only when its address is on its network. Kea leaves out the mask, `giaddr`, 81 and 82, and answers any address; both answer an INFORM without an address.",
    peers: BOTH,
    source: "RFC 2131 3.4",
    sentence:
      "The server SHOULD check the network address in a DHCPINFORM message for consistency, but MUST NOT check for an existing lease.",
    matches: (difference, step, peer) => {
      if (answers(difference, "silence", "ACK"))
        return /^strange: INFORM (without address|elsewhere)$/.test(difference.what);
      const { what, field, theirs } = difference;
      const dropped = ["giaddr", "option 1", "option 3", "option 82"].includes(field);
      // dhcpd takes the relay's link selection (82/5) for option 5.
      if (peer === "dhcpd" && what === "INFORM" && field === "option 5")
        return (step.relayInformation ?? "").includes("0504");
      return (
        peer === "kea" &&
        what === "INFORM" &&
        (dropped || (field === "option 82 position" && theirs === "last"))
      );
    },
  },
  {
    id: "bootp",
    title:
      "A BOOTP client gets the address reserved for it, and its option 82 back. Kea needs a hook library for that; dhcpd names itself as the next server, drops option 82, and sends more options than the 64 bytes that a BOOTP client knows of.",
    peers: BOTH,
    source: "RFC 2131 1.6",
    sentence: "DHCP must provide service to existing BOOTP clients.",
    matches: ({ field, what, ours }, _step, peer) =>
      what.startsWith("strange: no message type") &&
      (peer === "kea"
        ? field === "answer"
        : (field === "siaddr" && ours === "none") || field.startsWith("option")),
  },
];

const LIMITS: readonly DifferenceClass[] = [
  {
    id: "room",
    title:
      "A datagram is never larger than the client takes (option 57, else 576 bytes), options are split only for clients that join them, and what finds no room is left out whole, last asked for first. Kea sends more than the client takes and splits for everybody; dhcpd splits for everybody and leaves out others.",
    peers: BOTH,
    source: "RFC 2131 3.5",
    sentence:
      "The client SHOULD include the 'maximum DHCP message size' option to let the server know how large the server may make its DHCP messages.",
    matches: (difference, step) => {
      if (step.network !== "large") return false;
      const isMissing = optionCode(difference) > 0 && [difference.ours, difference.theirs].includes("absent");
      return isMissing || ["order", "size", "sname", "file", "option 82 position"].includes(difference.field);
    },
  },
  {
    id: "broken-messages",
    title:
      "What cannot be a client's request is dropped: `op` 2, more than 16 hops, no or too long a hardware address, an impossible length of an option that the answer hangs on, a REQUEST of no address. An impossible length of an option that only wishes for something is ignored, and a broken option 82 comes back as it was. Kea and dhcpd answer several of the former; Kea drops the latter, and both drop a broken option 82.",
    peers: BOTH,
    source: "RFC 2131 2; RFC 3046 2.2",
    sentence: "The 'op' field of each DHCP message sent from a client to a server contains BOOTREQUEST.",
    matches: (difference) =>
      (answers(difference, "silence", "OFFER", "ACK", "NAK") && BROKEN.includes(difference.what)) ||
      (answers(difference, "OFFER", "silence") && USELESS_OPTIONS.includes(difference.what)) ||
      (difference.what === "strange: relay information broken" && difference.field.startsWith("option 82")),
  },
];

export const CLASSES: readonly DifferenceClass[] = [...HEADER, ...OPTIONS, ...REQUESTS, ...LIMITS];

/** The class of a difference; null when none covers it. */
export function classify(difference: Difference, peer: PeerName, step: Step): string | null {
  const found = CLASSES.find(({ peers, matches }) => peers.includes(peer) && matches(difference, step, peer));
  return found?.id ?? null;
}
