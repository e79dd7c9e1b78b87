// Reservations of one scope: its own first, then its sets', older sets first. An object with one impossible entry is
// refused as a whole, so that nobody wonders which part of it is in force.

import {
  broadcastAddress,
  formatIpv4,
  formatIpv4Prefix,
  type Ipv4,
  type Ipv4Prefix,
  parseIpv4,
  prefixContains,
} from "../base/ipv4.ts";
import { Memo } from "../base/memo.ts";
import type { CompiledRelayAgent, CompiledReservation } from "./compiled.ts";
import { showValue } from "./field-error.ts";
import { encodeOptions } from "./option-values.ts";
import type { Reservation } from "./reservation.ts";

export interface Fault {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

/** What is reserved so far in one scope, and by whom. */
export interface ReservationBook {
  readonly subnet: Ipv4Prefix;
  /** Addresses that nobody may reserve, with what they are. */
  readonly taken: ReadonlyMap<Ipv4, string>;
  readonly byAddress: Map<Ipv4, string>;
  readonly byClient: Map<string, string>;
  readonly reservations: CompiledReservation[];
}

export function newBook(subnet: Ipv4Prefix, taken: ReadonlyMap<Ipv4, string>): ReservationBook {
  return { subnet, taken, byAddress: new Map(), byClient: new Map(), reservations: [] };
}

/** Adds all entries to the book, or none and says why. `list` is their path, `owner` names the object in messages. */
export function addReservations(
  book: ReservationBook,
  entries: readonly Reservation[],
  { list, owner }: { readonly list: string; readonly owner: string },
): readonly Fault[] {
  if (entries.length === 0) return [];
  const { subnet, taken } = book;
  const of = [list, subnet.address, subnet.prefixLength, ...taken.keys()];
  const alone = checkedAlone.get(entries, of, () => checkReservations(newBook(subnet, taken), entries, list));
  const { added, clients } = alone;
  const isFree = added.every(
    ({ address }, i) => !book.byAddress.has(address) && !book.byClient.has(clients[i] as string),
  );
  // What is wrong is said anew, with those that stand in the way.
  if (alone.faults.length > 0 || !isFree) return checkReservations(book, entries, list).faults;
  for (const [i, reservation] of added.entries()) {
    book.byAddress.set(reservation.address, owner);
    book.byClient.set(clients[i] as string, owner);
    book.reservations.push(reservation);
  }
  return [];
}

interface Checked {
  readonly faults: readonly Fault[];
  /** What can be added when there are no faults, and the clientText() of each. */
  readonly added: readonly CompiledReservation[];
  readonly clients: readonly string[];
}

/** Entries by themselves, when nothing else is reserved in their scope. */
const checkedAlone = new Memo<readonly Reservation[], Checked>();

function checkReservations(book: ReservationBook, entries: readonly Reservation[], list: string): Checked {
  const faults: Fault[] = [];
  const added: CompiledReservation[] = [];
  const ownClients = new Map<string, number>();
  for (const [i, entry] of entries.entries()) {
    const path = `${list}[${i}]`;
    const compiled = compileReservation(book, entry, path, faults);
    if (compiled === null) continue;
    const client = clientText(compiled);
    const other = book.byClient.get(client);
    const earlier = ownClients.get(client);
    if (other !== undefined || earlier !== undefined) {
      const clientField = `${path}.${wayToTell(entry)}`;
      const shown = showValue(entry.hardwareAddress ?? entry.clientIdentifier ?? relayText(compiled));
      const holder = other ?? `entry ${earlier}`;
      const message = `${shown}: this client has a reservation in this scope already, by ${holder}; remove one of them`;
      faults.push({ reason: "ReservationConflict", field: clientField, message });
    }
    ownClients.set(client, i);
    added.push(compiled);
  }
  return { faults, added, clients: [...ownClients.keys()] };
}

/** One text per client of a reservation. */
export function clientText(reservation: CompiledReservation): string {
  const { hardwareAddress, clientIdentifier } = reservation;
  if (hardwareAddress !== null) return `h${hardwareAddress}`;
  return clientIdentifier === null ? `r${relayText(reservation)}` : `i${clientIdentifier}`;
}

function relayText({ relayAgent }: CompiledReservation): string {
  const { circuitId, remoteId, subscriberId } = relayAgent ?? {};
  return `${circuitId ?? ""}/${remoteId ?? ""}/${subscriberId ?? ""}`;
}

function wayToTell(entry: Reservation): string {
  if (entry.hardwareAddress !== undefined) return "hardwareAddress";
  return entry.clientIdentifier === undefined ? "relayAgent" : "clientIdentifier";
}

function compileReservation(
  book: ReservationBook,
  entry: Reservation,
  path: string,
  faults: Fault[],
): CompiledReservation | null {
  const address = parseIpv4(entry.address);
  const fault = address === null ? null : addressFault(book, address);
  if (address === null || fault !== null) {
    const { reason, message } = fault ?? {
      reason: "ReservationOutsideSubnet",
      message: "must be an IPv4 address",
    };
    faults.push({ reason, field: `${path}.address`, message: `${showValue(entry.address)}: ${message}` });
    return null;
  }
  const options = encodeOptions(entry.options ?? {});
  if (options.kind === "invalid") {
    for (const error of options.errors) {
      faults.push({
        reason: "InvalidOption",
        field: `${path}.options.${error.field}`,
        message: error.message,
      });
    }
    return null;
  }
  const { clientIdentifier = null, hardwareAddress, hostname = null, relayAgent } = entry;
  // In the order of their names, which is digested fast.
  return {
    address,
    clientIdentifier,
    hardwareAddress: hardwareAddress === undefined ? null : `01${hardwareAddress.replaceAll(":", "")}`,
    hostname,
    options: options.options,
    relayAgent: relayAgent === undefined ? null : compileRelayAgent(relayAgent),
  };
}

function compileRelayAgent(relayAgent: NonNullable<Reservation["relayAgent"]>): CompiledRelayAgent {
  const { circuitId, remoteId, subscriberId } = relayAgent;
  return {
    circuitId: circuitId ?? null,
    remoteId: remoteId ?? null,
    subscriberId: subscriberId ?? null,
  };
}

function addressFault(book: ReservationBook, address: Ipv4): { reason: string; message: string } | null {
  const { subnet } = book;
  const subnetText = formatIpv4Prefix(subnet);
  if (!prefixContains(subnet, address)) {
    return { reason: "ReservationOutsideSubnet", message: `must be inside the scope's subnet ${subnetText}` };
  }
  if (address === subnet.address || address === broadcastAddress(subnet)) {
    return {
      reason: "ReservationOutsideSubnet",
      message: `is the network or broadcast address of ${subnetText}`,
    };
  }
  const use = book.taken.get(address);
  if (use !== undefined)
    return { reason: "ReservationConflict", message: `is ${use}, reserve another address` };
  const owner = book.byAddress.get(address);
  if (owner === undefined) return null;
  const message = `${formatIpv4(address)} is reserved already by ${owner}, remove one of the reservations`;
  return { reason: "ReservationConflict", message };
}
