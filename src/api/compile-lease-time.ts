// The lease times of a scope: its own, else the relationship's scopeDefaults, else the built-in ones.

import { seconds } from "../base/units.ts";
import type { CompiledLeaseTime } from "./compiled.ts";
import type { FieldError } from "./field-error.ts";
import {
  LEASE_DEFAULT_MAX_SECONDS,
  LEASE_DEFAULT_SECONDS,
  LEASE_SECONDS_MIN,
  type LeaseTime,
} from "./lease-time.ts";
import { runRules } from "./rule.ts";
import { leaseTimeRules } from "./rules-common.ts";

export type LeaseTimeCompiled =
  | { readonly kind: "ok"; readonly lease: CompiledLeaseTime }
  /** Fields are relative to `leaseTime`. */
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] };

/** Built-in values give way to set ones: an unset default fits between a set minimum and maximum. */
export function compileLeaseTime(
  own: LeaseTime | undefined,
  inherited: LeaseTime | undefined,
): LeaseTimeCompiled {
  const set = { ...defined(inherited), ...defined(own) };
  const minSeconds = set.minSeconds ?? Math.min(LEASE_SECONDS_MIN, set.defaultSeconds ?? LEASE_SECONDS_MIN);
  const ceiling = set.maxSeconds ?? Number.POSITIVE_INFINITY;
  const defaultSeconds = set.defaultSeconds ?? Math.max(Math.min(LEASE_DEFAULT_SECONDS, ceiling), minSeconds);
  const maxSeconds = set.maxSeconds ?? Math.max(LEASE_DEFAULT_MAX_SECONDS, defaultSeconds);
  const whole: LeaseTime = { ...set, minSeconds, defaultSeconds, maxSeconds };
  const errors = runRules(leaseTimeRules("leaseTime"), { leaseTime: whole }, undefined).map((error) => ({
    field: error.field.replace("leaseTime.", ""),
    message: `${error.message} (with what the scope inherits from scopeDefaults and the built-in values)`,
  }));
  if (errors.length > 0) return { kind: "invalid", errors };
  const lease = {
    defaultSeconds: seconds(defaultSeconds),
    minSeconds: seconds(minSeconds),
    maxSeconds: seconds(maxSeconds),
    renewSeconds: set.renewSeconds === undefined ? null : seconds(set.renewSeconds),
    rebindSeconds: set.rebindSeconds === undefined ? null : seconds(set.rebindSeconds),
  };
  return { kind: "ok", lease };
}

function defined(leaseTime: LeaseTime | undefined): LeaseTime {
  return Object.fromEntries(Object.entries(leaseTime ?? {}).filter(([, value]) => value !== undefined));
}
