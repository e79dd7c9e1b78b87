// Which client classes a request is in, and what its scopes come to by that: options, boot fields, lease times, and the
// addresses it may get. Everything behind this file sees scopes only, so that no decision can forget a class.
// Source: RFC 2131 4.3.1 (a server may choose parameters by class), RFC 3004 (user class). Precedence: reservation, then class (the one listed first), then scope. Expressions: base/class-expression.ts.

import type { CompiledClientClass, CompiledLeaseTime } from "../../api/compiled.ts";
import { assert } from "../../base/assert.ts";
import { type ClassExpression, compileClassExpression } from "../../base/class-expression.ts";
import { seconds } from "../../base/units.ts";
import { OPTION } from "../wire/option-table.ts";
import { classSubject } from "./class-match.ts";
import type { ClientRequest, ServerView } from "./client-request.ts";
import { decodeOptions } from "./configured-options.ts";
import {
  FILE_NAME_BYTES_MAX,
  SERVER_NAME_BYTES_MAX,
  type ServerConfig,
  type ServerScope,
  textField,
} from "./prepare-config.ts";
import { reservationFor } from "./reservations.ts";
import type { SubnetSelection } from "./subnet-select.ts";

interface ServerClass {
  readonly config: CompiledClientClass;
  readonly expression: ClassExpression;
  readonly options: ReadonlyMap<number, Uint8Array>;
}

/** Scopes as classes have changed them, per revision. */
interface ClassIndex {
  readonly classes: readonly ServerClass[];
  readonly scopes: Map<string, ServerScope>;
}

/** Changed scopes kept: more sets of classes than this at once means that they are made anew. */
const SCOPES_KEPT_MAX = 4_096;
const INDEXES = new WeakMap<ServerConfig, ClassIndex>();

function indexOf(config: ServerConfig): ClassIndex {
  const known = INDEXES.get(config);
  if (known !== undefined) return known;
  const index = { classes: config.clientClasses.map(prepareClass), scopes: new Map<string, ServerScope>() };
  INDEXES.set(config, index);
  return index;
}

function prepareClass(config: CompiledClientClass): ServerClass {
  const compiled = compileClassExpression(config.match);
  assert(compiled.kind === "ok", `the expression of class ${config.name} has passed compile()`);
  return { config, expression: compiled.expression, options: decodeOptions(config.options) };
}

/** The selection with each scope as the client's classes make it. A scope whose allowedClasses leave the client out
 *  takes no new lease from it, as if it were disabled; a reservation names its client, so it counts all the same. */
export function applyClasses(
  view: ServerView,
  request: ClientRequest,
  selection: SubnetSelection | null,
): SubnetSelection | null {
  if (selection === null) return null;
  const isLimited = selection.network.some(({ config }) => config.allowedClasses.length > 0);
  if (view.config.clientClasses.length === 0 && !isLimited) return selection;
  const index = indexOf(view.config);
  const matching = matchingClasses(view, request, index.classes);
  const network = selection.network.map((scope) => scopeFor(index, request, scope, matching));
  const scope = network[selection.network.indexOf(selection.scope)];
  assert(scope !== undefined, "the selected scope is one of its network");
  return { ...selection, scope, network };
}

function matchingClasses(
  view: ServerView,
  request: ClientRequest,
  classes: readonly ServerClass[],
): readonly ServerClass[] {
  const subject = classSubject(request);
  return classes.filter(({ config, expression }) => {
    const isMember = expression.evaluate(subject);
    if (isMember === "error") view.counters?.countClassError(config.name);
    return isMember === true;
  });
}

function scopeFor(
  index: ClassIndex,
  request: ClientRequest,
  scope: ServerScope,
  classes: readonly ServerClass[],
): ServerScope {
  const names = new Set(classes.map(({ config }) => config.name));
  const { allowedClasses } = scope.config;
  const isAllowed =
    allowedClasses.length === 0 ||
    allowedClasses.some((name) => names.has(name)) ||
    reservationFor(scope, request) !== null;
  const key = `${scope.pool} ${isAllowed} ${[...names].join(" ")}`;
  const kept = index.scopes.get(key);
  if (kept !== undefined) return kept;
  if (index.scopes.size >= SCOPES_KEPT_MAX) index.scopes.clear();
  const changed = changedScope(scope, classes, names, isAllowed);
  index.scopes.set(key, changed);
  return changed;
}

function changedScope(
  scope: ServerScope,
  classes: readonly ServerClass[],
  names: ReadonlySet<string>,
  isAllowed: boolean,
): ServerScope {
  // The first class goes last, so that what it sets stays.
  const options = new Map(scope.options);
  for (const { options: own } of classes.toReversed())
    for (const [code, value] of own) options.set(code, value);
  const boot = { ...scope.config.boot };
  for (const { config } of classes.toReversed()) {
    boot.nextServer = config.boot.nextServer ?? boot.nextServer;
    boot.serverName = config.boot.serverName ?? boot.serverName;
    boot.fileName = config.boot.fileName ?? boot.fileName;
  }
  // A class's boot fields go before the scope's options that say the same.
  if (setsBoot(classes, "serverName") && !setsOption(classes, OPTION.TFTP_SERVER_NAME)) {
    options.delete(OPTION.TFTP_SERVER_NAME);
  }
  if (setsBoot(classes, "fileName") && !setsOption(classes, OPTION.BOOT_FILE_NAME)) {
    options.delete(OPTION.BOOT_FILE_NAME);
  }
  const own = scope.classPools.filter((pool) => pool.classes.some((name) => names.has(name)));
  return {
    ...scope,
    options,
    serverName: textField(boot.serverName, SERVER_NAME_BYTES_MAX),
    fileName: textField(boot.fileName, FILE_NAME_BYTES_MAX),
    admitsClient: isAllowed,
    poolsToSearch: [...own.map(({ pool }) => pool), scope.pool],
    config: {
      ...scope.config,
      boot,
      lease: leaseFor(scope.config.lease, classes),
      enabled: scope.config.enabled && isAllowed,
    },
  };
}

function setsBoot(classes: readonly ServerClass[], field: "serverName" | "fileName"): boolean {
  return classes.some(({ config }) => config.boot[field] !== null);
}

function setsOption(classes: readonly ServerClass[], code: number): boolean {
  return classes.some(({ options }) => options.has(code));
}

/** The scope's lease times with the classes' over them. What a class sets stands; what it leaves is bent to fit, so that
 *  min <= default <= max and T1 < T2 < default hold whatever stands in which object. */
export function leaseFor(
  scope: CompiledLeaseTime,
  classes: readonly { readonly config: Pick<CompiledClientClass, "lease"> }[],
): CompiledLeaseTime {
  const first = (field: keyof CompiledLeaseTime) =>
    classes.find(({ config }) => config.lease[field] !== null)?.config.lease[field] ?? null;
  const [ownDefault, ownMin, ownMax] = [first("defaultSeconds"), first("minSeconds"), first("maxSeconds")];
  const floor = ownMin ?? 0;
  const ceiling = Math.max(ownMax ?? Number.POSITIVE_INFINITY, floor);
  const defaultSeconds = Math.min(Math.max(ownDefault ?? scope.defaultSeconds, floor), ceiling);
  const isOwnLength = ownDefault !== null && ownDefault !== scope.defaultSeconds;
  // The scope's T1 and T2 were chosen for its own length of lease.
  const inherited = (value: CompiledLeaseTime["renewSeconds"]) => (isOwnLength ? null : value);
  return {
    defaultSeconds: seconds(defaultSeconds),
    minSeconds: seconds(Math.min(ownMin ?? scope.minSeconds, defaultSeconds)),
    maxSeconds: seconds(Math.max(ownMax ?? scope.maxSeconds, defaultSeconds)),
    renewSeconds: first("renewSeconds") ?? inherited(scope.renewSeconds),
    rebindSeconds: first("rebindSeconds") ?? inherited(scope.rebindSeconds),
  };
}
