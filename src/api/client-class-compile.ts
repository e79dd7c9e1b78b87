// Client classes of a relationship to what the engine runs on, and the names that scopes refer to them by.
// A class with a bad expression refuses the relationship, as its other mistakes do: half of the classes in force would
// give clients addresses and boot files that nobody wrote down.

import { compileClassExpression } from "../base/class-expression.ts";
import { parseIpv4 } from "../base/ipv4.ts";
import { seconds } from "../base/units.ts";
import type { Boot } from "./boot.ts";
import type { ClientClass } from "./client-class.ts";
import type { Fault } from "./compile-reservations.ts";
import type {
  CompiledBoot,
  CompiledClassPool,
  CompiledClientClass,
  CompiledRelationship,
  CompiledScope,
} from "./compiled.ts";
import type { DHCPScopeSpec } from "./dhcp-scope.ts";
import { showValue } from "./field-error.ts";
import { encodeOptions } from "./option-values.ts";

export type ClientClassesCompiled =
  | { readonly kind: "ok"; readonly classes: readonly CompiledClientClass[] }
  | { readonly kind: "refused"; readonly faults: readonly Fault[] };

/** All classes in their order, or everything that is wrong with them. */
export function compileClientClasses(classes: readonly ClientClass[]): ClientClassesCompiled {
  const faults: Fault[] = [];
  const compiled = classes.flatMap((entry, i) => {
    const path = `spec.clientClasses[${i}]`;
    const match = compileClassExpression(entry.match);
    if (match.kind === "invalid") {
      const place = match.position === null ? "" : `, position ${match.position}`;
      const message = `class ${showValue(entry.name)}${place}: ${match.message}`;
      faults.push({ reason: "InvalidExpression", field: `${path}.match`, message });
    }
    const options = encodeOptions(entry.options ?? {});
    if (options.kind === "invalid") {
      for (const { field, message } of options.errors) {
        faults.push({ reason: "InvalidOption", field: `${path}.options.${field}`, message });
      }
      return [];
    }
    const { name, boot } = entry;
    const lease = compileClassLease(entry);
    return [{ name, match: entry.match, options: options.options, boot: compileBoot(boot), lease }];
  });
  return faults.length > 0 ? { kind: "refused", faults } : { kind: "ok", classes: compiled };
}

function compileClassLease({ leaseTime }: ClientClass): CompiledClientClass["lease"] {
  const field = (value: number | undefined) => (value === undefined ? null : seconds(value));
  return {
    defaultSeconds: field(leaseTime?.defaultSeconds),
    minSeconds: field(leaseTime?.minSeconds),
    maxSeconds: field(leaseTime?.maxSeconds),
    renewSeconds: field(leaseTime?.renewSeconds),
    rebindSeconds: field(leaseTime?.rebindSeconds),
  };
}

export function compileBoot(boot: Boot | undefined): CompiledBoot {
  return {
    nextServer: boot?.nextServer === undefined ? null : parseIpv4(boot.nextServer),
    serverName: boot?.serverName ?? null,
    fileName: boot?.fileName ?? null,
  };
}

/** Names of classes that the relationship does not have. */
export function classReferenceFaults(spec: DHCPScopeSpec, known: ReadonlySet<string>): readonly Fault[] {
  const faultsOf = (names: readonly string[] | undefined, path: string): Fault[] =>
    (names ?? []).flatMap((name, i) => {
      if (known.has(name)) return [];
      const has = known.size === 0 ? "it has none" : `it has ${[...known].join(", ")}`;
      const message = `${showValue(name)}: the relationship has no such client class, ${has}; add it there or correct the name`;
      return [{ reason: "ClientClassNotFound", field: `${path}.allowedClasses[${i}]`, message }];
    });
  return [
    ...faultsOf(spec.allowedClasses, "spec"),
    ...spec.ranges.flatMap((range, i) => faultsOf(range.allowedClasses, `spec.ranges[${i}]`)),
  ];
}

/** The classes in force: the accepted ones, and behind them those of the last good configuration that a kept scope is
 *  limited to: without them it would admit nobody. */
export function classesInForce(
  accepted: readonly CompiledClientClass[],
  lastGood: CompiledRelationship | null,
  kept: readonly CompiledScope[],
): readonly CompiledClientClass[] {
  const needed = new Set(
    kept.flatMap((scope) => [...scope.allowedClasses, ...scope.classPools.flatMap(({ classes }) => classes)]),
  );
  for (const { name } of accepted) needed.delete(name);
  return [...accepted, ...(lastGood?.clientClasses ?? []).filter(({ name }) => needed.has(name))];
}

/** One text per set of classes, so that ranges of the same classes become one pool. */
export function classSetKey(classes: readonly string[] | undefined): string {
  return [...(classes ?? [])].sort().join(" ");
}

/** Pools by classes, those for all clients left out; sorted by their classes. */
export function classPoolsOf(pools: ReadonlyMap<string, CompiledClassPool["ranges"]>): CompiledClassPool[] {
  return [...pools]
    .filter(([key, ranges]) => key !== "" && ranges.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, ranges]) => ({ classes: key.split(" "), ranges }));
}
