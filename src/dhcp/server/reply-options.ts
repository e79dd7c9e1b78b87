// Which options a reply carries and in which order: what the client asked for, in its order, and beside the mask nothing else.
// Source: RFC 2131 4.3.1 and table 3, RFC 2132 9.8 and 3.3 (mask before routers), RFC 3442 (routes), RFC 6842 (client
// identifier), RFC 3011 (subnet selection). Precedence: reservation, then scope, then what follows from the subnet.

import type { CompiledLeaseTime } from "../../api/compiled.ts";
import { netmask } from "../../base/ipv4.ts";
import { CONCATENATION_REQUIRING, hasValidLength, OPTION } from "../wire/option-table.ts";
import { type OptionValue, uint32Value } from "../wire/options.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import type { LeaseTerm } from "./grant.ts";
import type { ServerScope } from "./prepare-config.ts";
import type { Reservation } from "./reservation-index.ts";

/** T1 and T2 in seconds; null when the lease is too short to hold both. */
export interface RenewalTimes {
  readonly renewSeconds: number;
  readonly rebindSeconds: number;
}

/** T1 < T2 < lease, always: configured times shrink with a lease that was capped below the scope's default.
 *  Source: RFC 2131 4.4.5 (defaults 0.5 and 0.875 of the lease). */
export function renewalTimes(lease: CompiledLeaseTime, leaseSeconds: number): RenewalTimes | null {
  const share = Math.min(1, leaseSeconds / lease.defaultSeconds);
  const configuredRebind = lease.rebindSeconds === null ? null : Math.floor(lease.rebindSeconds * share);
  let rebindSeconds = configuredRebind ?? Math.floor(leaseSeconds * 0.875);
  if (rebindSeconds >= leaseSeconds) rebindSeconds = Math.floor(leaseSeconds * 0.875);
  const configuredRenew = lease.renewSeconds === null ? null : Math.floor(lease.renewSeconds * share);
  let renewSeconds = configuredRenew ?? Math.floor(leaseSeconds * 0.5);
  if (renewSeconds >= rebindSeconds)
    renewSeconds = Math.floor(Math.min(leaseSeconds * 0.5, rebindSeconds - 1));
  return renewSeconds > 0 && renewSeconds < rebindSeconds && rebindSeconds < leaseSeconds
    ? { renewSeconds, rebindSeconds }
    : null;
}

/** Options 51, 58 and 59. */
export function leaseOptions(scope: ServerScope, term: LeaseTerm): OptionValue[] {
  const options = [{ code: OPTION.LEASE_TIME as number, value: uint32Value(term.leaseSeconds) }];
  const times = renewalTimes(scope.config.lease, term.leaseSeconds);
  if (times !== null) {
    options.push({ code: OPTION.RENEWAL_TIME, value: uint32Value(times.renewSeconds) });
    options.push({ code: OPTION.REBINDING_TIME, value: uint32Value(times.rebindSeconds) });
  }
  return options;
}

/** The configured options for the client. Without a parameter request list, or with an empty one (RFC 2132 9.8: its
 *  minimum length is 1), it gets all, in order of code. */
export function configuredOptions(
  request: ClientRequest,
  scope: ServerScope,
  reservation: Reservation | null,
): OptionValue[] {
  const list = requestedCodes(request);
  const available = new Map([
    ...derivedOptions(scope, reservation),
    ...scope.options,
    ...(reservation?.options ?? []),
  ]);
  const codes = list.length === 0 ? unrequestedCodes(available, scope) : new Set(list);
  if (list.includes(OPTION.CLASSLESS_STATIC_ROUTES) && available.has(OPTION.CLASSLESS_STATIC_ROUTES)) {
    // RFC 3442: a client that asks for classless routes ignores the other two; one without a list may know only these.
    codes.delete(OPTION.ROUTERS);
    codes.delete(OPTION.STATIC_ROUTES);
  }
  const sent = [...codes].filter((code) => available.has(code));
  return maskBeforeRouters(sent).map((code) => ({ code, value: available.get(code) as Uint8Array }));
}

/** The parameter request list. Whoever gets a lease is taken to ask for the mask, as by other servers: without it the client takes
 *  that of the address's class. Source: RFC 2131 4.3.1 ("parameters with non-default values on the client's subnet"). */
function requestedCodes({ message }: ClientRequest): readonly number[] {
  const list = [...(message.options.get(OPTION.PARAMETER_REQUEST_LIST) ?? [])];
  if (list.length === 0 || message.messageType === "INFORM" || list.includes(OPTION.SUBNET_MASK)) return list;
  return [OPTION.SUBNET_MASK, ...list];
}

/** The client's order, except that the mask comes no later than right before the routers. Source: RFC 2132 3.3, 9.8. */
function maskBeforeRouters(codes: readonly number[]): readonly number[] {
  const routersAt = codes.indexOf(OPTION.ROUTERS);
  if (routersAt === -1 || codes.indexOf(OPTION.SUBNET_MASK) < routersAt) return codes;
  return codes.filter((code) => code !== OPTION.SUBNET_MASK).toSpliced(routersAt, 0, OPTION.SUBNET_MASK);
}

/** What PXE clients say about themselves stands in every packet of the exchange, the server's ones too.
 *  Source: RFC 4578 2.1 to 2.3. */
const PXE_ECHOED = [OPTION.CLIENT_SYSTEM, OPTION.CLIENT_NDI, OPTION.CLIENT_MACHINE_ID] as const;

/** Options that must be sent back as they came. */
export function echoedOptions(view: ServerView, request: ClientRequest): OptionValue[] {
  const { options } = request.message;
  const echoed: OptionValue[] = [];
  const clientIdentifier = options.get(OPTION.CLIENT_IDENTIFIER);
  if (clientIdentifier !== undefined)
    echoed.push({ code: OPTION.CLIENT_IDENTIFIER, value: clientIdentifier });
  const subnet = options.get(OPTION.SUBNET_SELECTION);
  if (subnet !== undefined && view.config.supportsSubnetSelection) {
    echoed.push({ code: OPTION.SUBNET_SELECTION, value: subnet });
  }
  for (const code of PXE_ECHOED) {
    const value = options.get(code);
    if (value !== undefined && hasValidLength(code, value.length)) echoed.push({ code, value });
  }
  return echoed;
}

/** Whether the client is known to join split options: it sent or asked for one that requires it. RFC 3396 4. */
export function joinsSplitOptions(request: ClientRequest): boolean {
  const { options } = request.message;
  for (const code of options.get(OPTION.PARAMETER_REQUEST_LIST) ?? []) {
    if (CONCATENATION_REQUIRING.has(code)) return true;
  }
  for (const code of options.keys()) if (CONCATENATION_REQUIRING.has(code)) return true;
  return false;
}

/** What follows from the subnet and the scope's boot fields, unless configured otherwise. */
function derivedOptions(scope: ServerScope, reservation: Reservation | null): Map<number, Uint8Array> {
  const { subnet, boot } = scope.config;
  const derived = new Map<number, Uint8Array>();
  derived.set(OPTION.SUBNET_MASK, uint32Value(netmask(subnet.prefixLength)));
  const hostname = reservation?.hostname ?? null;
  for (const [code, text] of [
    [OPTION.HOST_NAME, hostname],
    [OPTION.TFTP_SERVER_NAME, boot.serverName],
    [OPTION.BOOT_FILE_NAME, boot.fileName],
  ] as const) {
    if (text !== null && text !== "") derived.set(code, new Uint8Array(Buffer.from(text, "utf8")));
  }
  return derived;
}

/** Without a list: everything configured, in order of code; of the derived ones the mask, and boot names too long for
 *  their header fields. */
function unrequestedCodes(available: ReadonlyMap<number, Uint8Array>, scope: ServerScope): Set<number> {
  const codes = new Set([...available.keys()].toSorted((a, b) => a - b));
  // RFC 8925 3.3: never to a client that did not ask for it.
  codes.delete(OPTION.IPV6_ONLY_PREFERRED);
  if (scope.serverName !== null && !scope.options.has(OPTION.TFTP_SERVER_NAME))
    codes.delete(OPTION.TFTP_SERVER_NAME);
  if (scope.fileName !== null && !scope.options.has(OPTION.BOOT_FILE_NAME))
    codes.delete(OPTION.BOOT_FILE_NAME);
  return codes;
}
