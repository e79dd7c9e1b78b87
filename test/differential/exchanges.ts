// Random but meaningful: clients as they are met in networks, and what such clients, or broken and lying ones, say. A seed is
// a run. Addresses are named by their part in the exchange, because each server gives out its own.

import type { Prng } from "../simulation/prng.ts";
import { type NetworkName, RELAY, RESERVED } from "./configuration.ts";
import { addressHex, DECLINE, DISCOVER, INFORM, type RawOption, RELEASE, REQUEST } from "./packet.ts";

/** Which address a step speaks of, as its server sees it. */
export type AddressName =
  | "none"
  /** What this server leased to the client. */
  | "lease"
  /** What this server offered last. */
  | "offer"
  /** Leased to another client, on the network `plain`. */
  | "taken"
  /** In a range of the network `plain`, and never given to anybody. */
  | "unused"
  /** Of a served network that the client is not on. */
  | "elsewhere"
  /** Of no served network. */
  | "outside"
  /** Reserved for another client of the network `plain`. */
  | "reserved";

export interface Client {
  readonly hardware: string;
  readonly network: NetworkName;
  readonly flags: number;
  /** Sent with every message: identifier, names, parameter request list, sizes. */
  readonly options: readonly RawOption[];
  /** Option 82 of its relay; null when the relay adds none. */
  readonly relayInformation: string | null;
}

export interface Step {
  /** What the client does, for the report. */
  readonly what: string;
  /** Option 53; null for BOOTP. */
  readonly type: number | null;
  readonly op: number;
  /** Where the client is. */
  readonly network: NetworkName;
  /** Null for a client that unicasts past its relay. */
  readonly relay: NetworkName | null;
  readonly ciaddr: AddressName;
  readonly requested: AddressName;
  readonly server: "none" | "own" | "other";
  readonly secs: number;
  readonly hops: number;
  readonly hardware: string;
  readonly flags: number;
  readonly options: readonly RawOption[];
  /** Option 82, last in the message. */
  readonly relayInformation: string | null;
}

const PARAMETER_LISTS = [
  [1, 3, 6, 15],
  [3, 6],
  [1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42],
  [1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
  [
    1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128,
    150,
  ],
  [3, 1, 252, 42, 15, 6, 12],
  [121, 33, 3, 6, 1],
  [6, 6, 1, 3, 1],
  [224, 225, 119, 121, 120, 138, 114, 1, 3, 6, 15, 42],
  [66, 67, 150, 43, 60, 1, 3],
  [125, 252, 43, 3, 1, 6],
  [26, 42, 51, 58, 59, 54, 1],
  [81, 12, 15, 1, 3],
] as const;

const VENDORS = [
  "",
  "",
  "",
  "MSFT 5.0",
  "udhcp 1.36.1",
  "PXEClient:Arch:00007:UNDI:003016",
  "HTTPClient:Arch:00016:UNDI:003001",
];
const NETWORKS = [
  "plain",
  "plain",
  "plain",
  "sharedFirst",
  "sharedSecond",
  "boot",
  "large",
  "unserved",
] as const;

export function textHex(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

function numberHex(value: number, bytes: number): string {
  return value.toString(16).padStart(2 * bytes, "0");
}

/** The n-th client of a run. */
export function drawClient(prng: Prng, n: number): Client {
  const reserved = prng.chance(0.03)
    ? prng.pick(["insideRange", "outsideRange", "byIdentifier"] as const)
    : null;
  const hardware = reserved === null ? `0200${numberHex(0x100000 + n, 4)}` : RESERVED[reserved].hardware;
  const network = reserved !== null ? "plain" : prng.pick(NETWORKS);
  const options: RawOption[] = [];
  const identifier =
    reserved === "byIdentifier" ? RESERVED.byIdentifier.identifier : drawIdentifier(prng, hardware, n);
  if (identifier !== null && (reserved === null || reserved === "byIdentifier"))
    options.push({ code: 61, hex: identifier });
  if (prng.chance(0.85)) {
    const list = prng.pick(PARAMETER_LISTS);
    options.push({ code: 55, hex: Buffer.from(list).toString("hex") });
  }
  options.push(...drawDescription(prng, n), ...drawName(prng, n));
  if (prng.chance(0.4))
    options.push({ code: 57, hex: numberHex(prng.pick([300, 576, 590, 1000, 1472, 1500]), 2) });
  const flags = prng.chance(0.3) ? 0x8000 : 0;
  return { hardware, network, flags, options, relayInformation: drawRelayInformation(prng, network) };
}

function drawIdentifier(prng: Prng, hardware: string, n: number): string | null {
  return prng.pick([
    null,
    `01${hardware}`,
    `ff${numberHex(n, 4)}00010001${numberHex(n, 4)}${hardware}`,
    `00${textHex(`host-${n}`)}`,
  ]);
}

function drawDescription(prng: Prng, n: number): RawOption[] {
  const vendor = prng.pick(VENDORS);
  if (vendor === "") return prng.chance(0.1) ? [{ code: 77, hex: `04${textHex("iPXE")}` }] : [];
  const options = [{ code: 60, hex: textHex(vendor) }];
  if (!vendor.includes("Arch")) return options;
  return [
    ...options,
    { code: 93, hex: vendor.startsWith("HTTP") ? "0010" : prng.pick(["0007", "0000"]) },
    { code: 94, hex: "010300" },
    { code: 97, hex: `00${numberHex(n, 4)}${"ab".repeat(12)}` },
  ];
}

function drawName(prng: Prng, n: number): RawOption[] {
  if (prng.chance(0.3)) return [{ code: 12, hex: textHex(`host-${n}`) }];
  if (!prng.chance(0.25)) return [];
  const flags = prng.pick([0x00, 0x01, 0x04, 0x05, 0x08, 0x0c]);
  const name = prng.pick([`host-${n}`, `host-${n}.example.org`, ""]);
  const labels = name === "" ? [] : name.split(".");
  const wire = labels.map((label) => numberHex(label.length, 1) + textHex(label)).join("");
  const isWhole = labels.length > 1;
  const hex = (flags & 4) !== 0 ? wire + (isWhole ? "00" : "") : textHex(name);
  return [{ code: 81, hex: `${numberHex(flags, 1)}0000${hex}` }];
}

function drawRelayInformation(prng: Prng, network: NetworkName): string | null {
  const circuit = `0106${textHex("port-7")}`;
  const remote = `0206${textHex("sw-one")}`;
  if (network === "unserved" && prng.chance(0.5)) return `${circuit}0504${addressHex("10.1.0.0")}`;
  return prng.pick([
    null,
    null,
    circuit,
    circuit + remote,
    `${circuit}${remote}0604${textHex("user")}`,
    `${circuit}0a0100`,
    `${circuit}0b04${addressHex(RELAY[network])}`,
    `${circuit}0904000000aa`,
    `${circuit}${"97"}03aabbcc`,
  ]);
}

/** What a client does next, one step after the other; each waits for an answer to the one before. */
export function drawExchange(prng: Prng, client: Client, holdsLease: boolean): readonly Step[] {
  const say = speaker(
    client,
    prng.chance(0.8) ? 0 : prng.between(1, 20),
    prng.chance(0.9) ? 1 : prng.pick([2, 4, 16]),
  );
  if (prng.chance(0.06)) return [drawStrange(prng, say)];
  return holdsLease ? drawOfHolder(prng, client, say) : drawOfNewcomer(prng, client, say);
}

type Say = (what: string, type: number | null, parts?: Partial<Step>) => Step;

function speaker(client: Client, secs: number, hops: number): Say {
  return (what, type, parts = {}) => ({
    what,
    type,
    op: 1,
    network: client.network,
    relay: client.network,
    ciaddr: "none",
    requested: "none",
    server: "none",
    secs,
    hops,
    hardware: client.hardware,
    flags: client.flags,
    options: client.options,
    relayInformation: client.relayInformation,
    ...parts,
  });
}

/** A message past the relay. */
const PAST_RELAY = { relay: null, relayInformation: null, hops: 0, flags: 0 } as const;

function wish(prng: Prng, client: Client): readonly RawOption[] {
  if (!prng.chance(0.25)) return client.options;
  const seconds = prng.pick([0, 10, 600, 1800, 7200, 86400, 0xffffffff]);
  return [...client.options, { code: 51, hex: numberHex(seconds, 4) }];
}

function drawOfNewcomer(prng: Prng, client: Client, say: Say): readonly Step[] {
  const options = wish(prng, client);
  const requested = prng.chance(0.75)
    ? "none"
    : prng.pick(["unused", "taken", "elsewhere", "outside", "reserved"] as const);
  const discover = say(`DISCOVER asking for ${requested}`, DISCOVER, { options, requested });
  const select = say("REQUEST selecting", REQUEST, { options, requested: "offer", server: "own" });
  if (client.network !== "unserved" && prng.chance(0.04)) return [bySubnetSelection(discover)];
  const draw = prng.fraction();
  if (draw < 0.62) return [discover, select];
  if (draw < 0.68) return [discover, discover, select];
  if (draw < 0.72) return [discover];
  if (draw < 0.76)
    return [
      discover,
      say("REQUEST selecting another server", REQUEST, { requested: "offer", server: "other" }),
    ];
  if (draw < 0.86) {
    const address = prng.pick(["unused", "taken", "elsewhere", "outside", "reserved"] as const);
    return [say(`REQUEST init-reboot of ${address}, unknown client`, REQUEST, { requested: address })];
  }
  if (draw < 0.92) {
    const address = prng.pick(["taken", "elsewhere", "outside", "reserved"] as const);
    return [
      discover,
      say(`REQUEST selecting ${address} instead of the offer`, REQUEST, {
        requested: address,
        server: "own",
      }),
    ];
  }
  const address = prng.pick(["unused", "taken", "elsewhere", "outside"] as const);
  return [say(`REQUEST rebinding ${address}, unknown client`, REQUEST, { ciaddr: address })];
}

/** RFC 3011: the client asks for an address of the network `boot`, wherever it is. */
function bySubnetSelection(discover: Step): Step {
  const chosen = { code: 118, hex: addressHex("10.4.0.0") };
  return {
    ...discover,
    what: "DISCOVER by subnet selection",
    requested: "none",
    options: [...discover.options, chosen],
  };
}

function drawOfHolder(prng: Prng, client: Client, say: Say): readonly Step[] {
  const options = wish(prng, client);
  const discover = say("DISCOVER of a holder", DISCOVER, { options });
  const select = say("REQUEST selecting", REQUEST, { options, requested: "offer", server: "own" });
  const draw = prng.fraction();
  if (draw < 0.25) return [say("REQUEST renewing", REQUEST, { ...PAST_RELAY, options, ciaddr: "lease" })];
  if (draw < 0.4) return [say("REQUEST rebinding", REQUEST, { options, ciaddr: "lease" })];
  if (draw < 0.52) return [say("REQUEST init-reboot", REQUEST, { options, requested: "lease" })];
  if (draw < 0.6) return [discover, select];
  if (draw < 0.7) return drawRelease(prng, say, discover);
  if (draw < 0.75) return [say("DECLINE", DECLINE, { requested: "lease", server: "own" }), discover, select];
  if (draw < 0.82) {
    const past = prng.chance(0.5) ? PAST_RELAY : {};
    return [say("INFORM", INFORM, { ...past, ciaddr: "lease" })];
  }
  if (draw < 0.9) {
    const relay = client.network === "boot" ? "plain" : "boot";
    const form = prng.chance(0.5) ? { requested: "lease" as const } : { ciaddr: "lease" as const };
    return [
      say(`REQUEST after moving, ${form.requested === undefined ? "rebinding" : "init-reboot"}`, REQUEST, {
        relay,
        ...form,
      }),
    ];
  }
  const address = prng.pick(["taken", "elsewhere", "outside", "reserved"] as const);
  return [say(`REQUEST init-reboot of ${address}, holder`, REQUEST, { requested: address })];
}

function drawRelease(prng: Prng, say: Say, discover: Step): readonly Step[] {
  const lie = prng.fraction();
  const released = { ...PAST_RELAY, ciaddr: "lease", server: "own" } as const;
  if (lie < 0.2) {
    const address = prng.pick(["taken", "unused", "outside"] as const);
    return [say(`RELEASE of ${address}`, RELEASE, { ...released, ciaddr: address }), discover];
  }
  const still = (after: string) =>
    say(`REQUEST init-reboot after a ${after}`, REQUEST, { requested: "lease" });
  if (lie < 0.3)
    return [
      say("RELEASE naming another server", RELEASE, { ...released, server: "other" }),
      still("RELEASE"),
    ];
  if (lie < 0.35)
    return [say("RELEASE naming no server", RELEASE, { ...released, server: "none" }), still("RELEASE")];
  if (lie < 0.4) return [say("DECLINE naming no server", DECLINE, { requested: "lease" }), still("DECLINE")];
  return [say("RELEASE", RELEASE, released), say("DISCOVER after RELEASE", DISCOVER)];
}

/** Messages that no sound client sends. */
function drawStrange(prng: Prng, say: Say): Step {
  const broken = (code: number, hex: string) => ({ options: [{ code, hex }] });
  return prng.pick([
    say("strange: op is 2", DISCOVER, { op: 2 }),
    say("strange: no message type", null),
    say("strange: no message type, reserved", null, {
      hardware: RESERVED.insideRange.hardware,
      relay: "plain",
      options: [],
    }),
    say("strange: message type 0", 0),
    say("strange: message type 99", 99),
    say("strange: DHCPOFFER from a client", 2),
    say("strange: DHCPACK from a client", 5),
    say("strange: LEASEQUERY from anybody", 10),
    say("strange: REQUEST of nothing", REQUEST),
    say("strange: INFORM without address", INFORM),
    say("strange: INFORM elsewhere", INFORM, { ciaddr: "outside" }),
    say("strange: requested address of 3 bytes", DISCOVER, broken(50, "0a0101")),
    say("strange: parameter request list empty", DISCOVER, broken(55, "")),
    say("strange: maximum size of 1 byte", DISCOVER, broken(57, "ff")),
    say("strange: client FQDN of 1 byte", DISCOVER, broken(81, "05")),
    say("strange: relay information broken", DISCOVER, { relayInformation: "01ff" }),
    say("strange: hops beyond 16", DISCOVER, { hops: 17 }),
    say("strange: no hardware address, no identifier", DISCOVER, { hardware: "", options: [] }),
    say("strange: hardware address of 17 bytes", DISCOVER, { hardware: "02".repeat(17), options: [] }),
    say("strange: reserved flag bits", DISCOVER, { flags: 0x7fff }),
  ]);
}
