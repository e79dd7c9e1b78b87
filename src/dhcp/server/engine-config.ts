// The configuration as the engine takes it: as compile() gives it, or with the reservations packed by another thread.

import type { CompiledRelationship, CompiledReservation, CompiledScope } from "../../api/compiled.ts";
import { type PackedReservations, packReservations } from "./reservation-index.ts";

export type EngineScope = Omit<CompiledScope, "reservations"> & {
  readonly reservations: readonly CompiledReservation[] | PackedReservations;
};

export type EngineConfig = Omit<CompiledRelationship, "scopes"> & { readonly scopes: readonly EngineScope[] };

/** The same with all reservations packed, and the memory that a thread can hand over with it. */
export function packConfig(config: CompiledRelationship): {
  readonly config: EngineConfig;
  readonly buffers: ArrayBuffer[];
} {
  const buffers: ArrayBuffer[] = [];
  const scopes = config.scopes.map((scope) => {
    const reservations = packReservations(scope.reservations);
    const { addresses, starts, texts, table } = reservations;
    buffers.push(addresses.buffer, starts.buffer, texts.buffer, table.buffer);
    return { ...scope, reservations };
  });
  return { config: { ...config, scopes }, buffers };
}
