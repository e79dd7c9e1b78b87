// Options out of the configuration as the bytes that go on the wire.

import type { CompiledOption } from "../../api/compiled.ts";
import { assert } from "../../base/assert.ts";
import { fromHex } from "../../base/bytes.ts";
import { OPTION } from "../wire/option-table.ts";

/** Options that the server itself decides on; what a scope says about them is left out.
 *  Source: RFC 2131 table 3, RFC 3046 2.2, RFC 3011 4. */
const SERVER_OPTIONS: ReadonlySet<number> = new Set<number>([
  OPTION.PAD,
  OPTION.REQUESTED_ADDRESS,
  OPTION.LEASE_TIME,
  OPTION.OVERLOAD,
  OPTION.MESSAGE_TYPE,
  OPTION.SERVER_IDENTIFIER,
  OPTION.PARAMETER_REQUEST_LIST,
  OPTION.MAX_MESSAGE_SIZE,
  OPTION.RENEWAL_TIME,
  OPTION.REBINDING_TIME,
  OPTION.CLIENT_IDENTIFIER,
  OPTION.RELAY_AGENT_INFORMATION,
  OPTION.SUBNET_SELECTION,
  OPTION.END,
]);

/** Configured options by code, without those that the server decides on. */
export function decodeOptions(options: readonly CompiledOption[]): ReadonlyMap<number, Uint8Array> {
  const decoded = new Map<number, Uint8Array>();
  for (const { code, hex } of options) if (!SERVER_OPTIONS.has(code)) decoded.set(code, hexBytes(hex));
  return decoded;
}

/** Hex text that has passed compile(). */
export function hexBytes(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert(bytes !== null, "compiled hex text is well formed");
  return bytes;
}
