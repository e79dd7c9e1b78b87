// What a client class sees of a request. Source: RFC 2132 9.13 (vendor class), RFC 3004 4 (user class), RFC 3046 2.
// A client that renews past its relay is seen at the place where its lease was given, so that it stays in its classes.

import { toHex } from "../../base/bytes.ts";
import { CLASS_LIST_MAX, type ClassSubject, classText } from "../../base/class-expression.ts";
import { formatIpv4 } from "../../base/ipv4.ts";
import { OPTION } from "../wire/option-table.ts";
import type { ClientRequest } from "./client-request.ts";

export function classSubject(request: ClientRequest): ClassSubject {
  const { message, client, place } = request;
  const { options } = message;
  return {
    messageType: message.messageType ?? "",
    hardwareType: message.hardwareType,
    hardwareAddress: toHex(message.hardwareAddress).replace(/..(?=.)/g, "$&:"),
    clientIdentifier: client.clientIdentifier === null ? "" : toHex(client.clientIdentifier),
    relayAddress: formatIpv4(message.relayAddress),
    vendorClass: classText(options.get(OPTION.VENDOR_CLASS) ?? null),
    userClasses: userClasses(options.get(OPTION.USER_CLASS) ?? null),
    circuitId: place?.circuitId ?? null,
    remoteId: place?.remoteId ?? null,
    subscriberId: place?.subscriberId ?? null,
    options,
  };
}

/** The entries of option 77, each with its length in front; many clients send a bare text instead, which is then the one
 *  entry. Source: RFC 3004 4. */
export function userClasses(value: Uint8Array | null): readonly string[] {
  if (value === null || value.length === 0) return [];
  const entries: string[] = [];
  let at = 0;
  while (at < value.length) {
    const end = at + 1 + (value[at] as number);
    if (end === at + 1 || end > value.length) return [classText(value)];
    if (entries.length < CLASS_LIST_MAX) entries.push(classText(value.subarray(at + 1, end)));
    at = end;
  }
  return entries;
}
