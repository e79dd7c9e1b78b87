// The one pure judge across objects: which of them fit together, and what the engine runs on. Controller and engines
// call it with the same objects and get the same answer. What it refuses is a rejection of exactly that object; the
// rest still compiles. Precedence: object-order.ts.

import { formatIpv4, formatIpv4Prefix, type Ipv4, type Ipv4Prefix, prefixContains } from "../base/ipv4.ts";
import { Memo } from "../base/memo.ts";
import { countAddresses } from "./address-ranges.ts";
import { classesInForce, classReferenceFaults, compileClientClasses } from "./client-class-compile.ts";
import { assemble, type ScopeDraft } from "./compile-assemble.ts";
import { keepReservations, keptScopes, lastGoodOf } from "./compile-last-good.ts";
import { compileMembers, portConflicts } from "./compile-relationship.ts";
import { addReservations, type Fault, newBook } from "./compile-reservations.ts";
import { compileScopeAlone, type ScopeAlone, type ScopeAloneCompiled } from "./compile-scope.ts";
import type { CompiledMember, CompiledRelationship, CompiledScope } from "./compiled.ts";
import type { DHCPReservationSetObject } from "./dhcp-reservation-set.ts";
import type { DHCPScopeObject, DHCPScopeSpec } from "./dhcp-scope.ts";
import type { FailoverRelationshipObject } from "./failover-relationship.ts";
import type { ObjectMeta } from "./kind.ts";
import type { KindName } from "./kinds.ts";
import { byPrecedence, objectKey } from "./object-order.ts";
import type { CompileResult, ObjectSet, Rejection } from "./object-set.ts";
import { encodeOptions } from "./option-values.ts";

/** Limits of one relationship: what fits an engine's memory with room to spare. */
export const SCOPES_MAX = 4096;
export const ADDRESSES_MAX = 4_194_304;
export const RESERVATIONS_MAX = 262_144;

/** What each scope's spec gives by itself. */
const aloneOf = new Memo<DHCPScopeSpec, ScopeAloneCompiled>();

/** Compiles one relationship with its scopes and reservations. Only what changed is worked through: what was made of an object
 *  before, by its identity, is kept, so that objects must not be changed after they were given here. `lastGood`: the configuration in force, if any; what a
 *  refused object had in it stays (compile-last-good.ts), so that a mistake in an edit takes nothing from clients. */
export function compile(
  objects: ObjectSet,
  namespace: string,
  name: string,
  lastGood: CompiledRelationship | null = null,
): CompileResult {
  const relationship = objects.relationships.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === name,
  );
  if (relationship === undefined) {
    const message = `${namespace}/${name}: there is no such FailoverRelationship`;
    const reason = "RelationshipNotFound";
    const rejection = {
      kind: "FailoverRelationship",
      namespace,
      name,
      reason,
      field: "metadata.name",
      message,
    } as const;
    return { kind: "rejected", rejections: [rejection] };
  }
  const refuse = (faults: readonly Fault[]): CompileResult => ({
    kind: "rejected",
    rejections: faults.map((fault) => rejectionOf("FailoverRelationship", relationship, fault)),
  });
  const defaults = encodeOptions(relationship.spec.scopeDefaults?.options ?? {});
  if (defaults.kind === "invalid") {
    return refuse(
      defaults.errors.map(({ field, message }) => {
        return { reason: "InvalidOption", field: `spec.scopeDefaults.options.${field}`, message };
      }),
    );
  }
  const conflicts = portConflicts(relationship, objects.relationships);
  if (conflicts.length > 0) return refuse(conflicts);
  const members = compileMembers(relationship);
  if (members.kind === "refused") return refuse(members.faults);
  const classes = compileClientClasses(relationship.spec.clientClasses ?? []);
  if (classes.kind === "refused") return refuse(classes.faults);

  const rejected: Rejection[] = [];
  const drafts = acceptScopes(relationship, members.members, objects.scopes, rejected);
  const refused = new Set(rejected.map((rejection) => rejection.name));
  const before = lastGoodOf(relationship, lastGood);
  reserve(namespace, { drafts, refused, before }, objects, rejected);
  const subnets = drafts.map(({ alone }) => alone.subnet);
  const kept = keptScopes(before, refused, subnets, members.members);
  const parts = { members: members.members, clientClasses: classesInForce(classes.classes, lastGood, kept) };
  return { kind: "compiled", config: assemble(relationship, parts, drafts, kept), rejected };
}

function rejectionOf(
  kind: KindName,
  { metadata }: { readonly metadata: ObjectMeta },
  fault: Fault,
): Rejection {
  const { reason, field, message } = fault;
  return { kind, namespace: metadata.namespace, name: metadata.name, reason, field, message };
}

/** The scopes of the relationship that stand, each judged against the ones with precedence. */
function acceptScopes(
  relationship: FailoverRelationshipObject,
  members: readonly CompiledMember[],
  scopes: readonly DHCPScopeObject[],
  rejected: Rejection[],
): ScopeDraft[] {
  const memberAddresses = [...new Set(members.flatMap(({ address, linkAddress }) => [address, linkAddress]))];
  const taken = new Map(memberAddresses.map((address) => [address, "the address of a member"]));
  const accepted: ScopeDraft[] = [];
  const neighbours = new Neighbours();
  const classes = new Set((relationship.spec.clientClasses ?? []).map(({ name }) => name));
  const { scopeDefaults } = relationship.spec;
  const inherited = JSON.stringify([scopeDefaults, memberAddresses]);
  for (const object of scopesOf(relationship, scopes)) {
    const alone = aloneOf.get(object.spec, [inherited], () =>
      compileScopeAlone(object.spec, scopeDefaults, memberAddresses),
    );
    const faults =
      alone.kind === "refused"
        ? alone.faults
        : [...classReferenceFaults(object.spec, classes), ...neighbours.faultsOf(object, alone.scope)];
    if (alone.kind === "ok" && faults.length === 0) {
      const book = newBook(alone.scope.subnet, taken);
      const owner = `DHCPScope ${objectKey(object)}`;
      const entries = object.spec.reservations ?? [];
      const reservationFaults = addReservations(book, entries, { list: "spec.reservations", owner });
      if (reservationFaults.length === 0) {
        neighbours.add(object, alone.scope);
        accepted.push({ object, alone: alone.scope, book });
        continue;
      }
      for (const fault of reservationFaults) rejected.push(rejectionOf("DHCPScope", object, fault));
    }
    for (const fault of faults) rejected.push(rejectionOf("DHCPScope", object, fault));
  }
  return accepted;
}

/** The scopes that refer to the relationship, winners first. */
function scopesOf(
  relationship: FailoverRelationshipObject,
  scopes: readonly DHCPScopeObject[],
): DHCPScopeObject[] {
  const { namespace, name } = relationship.metadata;
  return scopes
    .filter(({ metadata, spec }) => metadata.namespace === namespace && spec.relationshipRef.name === name)
    .sort(byPrecedence);
}

/** The accepted scopes, as far as another one can clash with them. */
class Neighbours {
  private readonly scopes: { readonly object: DHCPScopeObject; readonly subnet: Ipv4Prefix }[] = [];
  private readonly relays = new Map<Ipv4, DHCPScopeObject>();
  private addresses = 0;

  add(object: DHCPScopeObject, scope: ScopeAlone): void {
    this.scopes.push({ object, subnet: scope.subnet });
    for (const relay of scope.relayAddresses) this.relays.set(relay, object);
    this.addresses += countAddresses(scope.shapePools);
  }

  faultsOf(object: DHCPScopeObject, scope: ScopeAlone): readonly Fault[] {
    const fault = this.overlap(scope) ?? this.overflow(scope) ?? this.relayClash(object, scope);
    return fault === null ? [] : [fault];
  }

  private overlap(scope: ScopeAlone): Fault | null {
    const other = this.scopes.find(
      ({ subnet }) =>
        prefixContains(subnet, scope.subnet.address) || prefixContains(scope.subnet, subnet.address),
    );
    if (other === undefined) return null;
    const winner = `DHCPScope ${objectKey(other.object)} (${formatIpv4Prefix(other.subnet)})`;
    const message = `${formatIpv4Prefix(scope.subnet)}: overlaps ${winner}, which has precedence; change one of the two`;
    return { reason: "SubnetOverlap", field: "spec.subnet", message };
  }

  private overflow(scope: ScopeAlone): Fault | null {
    if (this.scopes.length >= SCOPES_MAX) {
      const message = `a relationship serves at most ${SCOPES_MAX} scopes; use another relationship`;
      return { reason: "TooManyScopes", field: "spec.relationshipRef", message };
    }
    const count = countAddresses(scope.shapePools);
    if (this.addresses + count <= ADDRESSES_MAX) return null;
    const message = `${count} more addresses make more than the ${ADDRESSES_MAX} of one relationship; use smaller ranges`;
    return { reason: "TooManyAddresses", field: "spec.ranges", message };
  }

  /** A relay must stand for one wire: scopes on the same one may share it. */
  private relayClash(object: DHCPScopeObject, scope: ScopeAlone): Fault | null {
    const otherWire = (other: DHCPScopeObject | undefined): other is DHCPScopeObject =>
      other !== undefined &&
      (object.spec.sharedNetwork === undefined || other.spec.sharedNetwork !== object.spec.sharedNetwork);
    const remedy = "remove it, or give both scopes the same sharedNetwork";
    for (const relay of scope.relayAddresses) {
      const holding = this.scopes.find(({ subnet }) => prefixContains(subnet, relay))?.object;
      const other = [this.relays.get(relay), holding].find(otherWire);
      if (other === undefined) continue;
      const relayText = formatIpv4(relay);
      const field = `spec.relayAddresses[${object.spec.relayAddresses?.indexOf(relayText)}]`;
      const message = `"${relayText}": this relay belongs to DHCPScope ${objectKey(other)} already; ${remedy}`;
      return { reason: "RelayConflict", field, message };
    }
    for (const [relay, other] of this.relays) {
      if (!prefixContains(scope.subnet, relay) || !otherWire(other)) continue;
      const message = `${formatIpv4Prefix(scope.subnet)}: holds the relay ${formatIpv4(relay)}, which DHCPScope ${objectKey(other)} has in its relayAddresses; ${remedy} there`;
      return { reason: "RelayConflict", field: "spec.subnet", message };
    }
    return null;
  }
}

interface Reserving {
  readonly drafts: readonly ScopeDraft[];
  /** Names of the refused scopes. */
  readonly refused: ReadonlySet<string>;
  /** The scopes of the last good configuration. */
  readonly before: readonly CompiledScope[];
}

/** Enters the sets' reservations, sets with precedence first. */
function reserve(
  namespace: string,
  { drafts, refused, before }: Reserving,
  objects: ObjectSet,
  rejected: Rejection[],
): void {
  const byName = new Map(drafts.map((draft) => [draft.object.metadata.name, draft]));
  let total = drafts.reduce((sum, { book }) => sum + book.reservations.length, 0);
  const sets = objects.reservationSets.filter(({ metadata }) => metadata.namespace === namespace);
  const losers: DHCPReservationSetObject[] = [];
  for (const set of sets.sort(byPrecedence)) {
    const scope = set.spec.scopeRef.name;
    const draft = byName.get(scope);
    const faults = draft === undefined ? scopeRefused(scope, refused) : reserveSet(draft, set, total);
    if (faults.length > 0) losers.push(set);
    else if (draft !== undefined) total += set.spec.entries.length;
    for (const fault of faults) rejected.push(rejectionOf("DHCPReservationSet", set, fault));
  }
  // Last, so that nothing kept stands in the way of an accepted set.
  for (const set of losers) {
    const book = byName.get(set.spec.scopeRef.name)?.book;
    if (book !== undefined) keepReservations(before, set, book);
  }
}

/** A set of a refused scope waits with it; sets of other relationships' scopes are not ours to judge. */
function scopeRefused(scope: string, refused: ReadonlySet<string>): readonly Fault[] {
  if (!refused.has(scope)) return [];
  const message = `"${scope}": this DHCPScope is not accepted; see its own condition Accepted`;
  return [{ reason: "ScopeNotAccepted", field: "spec.scopeRef.name", message }];
}

function reserveSet(draft: ScopeDraft, set: DHCPReservationSetObject, total: number): readonly Fault[] {
  if (total + set.spec.entries.length > RESERVATIONS_MAX) {
    const message = `a relationship holds at most ${RESERVATIONS_MAX} reservations; use another relationship`;
    return [{ reason: "TooManyReservations", field: "spec.entries", message }];
  }
  const owner = `DHCPReservationSet ${objectKey(set)}`;
  return addReservations(draft.book, set.spec.entries, { list: "spec.entries", owner });
}

/** Scopes without a relationship and sets without a scope, in the whole set of objects: no compile() speaks of them. */
export function danglingReferences(objects: ObjectSet): readonly Rejection[] {
  const relationships = new Set(objects.relationships.map(objectKey));
  const scopes = new Set(objects.scopes.map(objectKey));
  const dangling = (
    kind: KindName,
    object: { metadata: ObjectMeta },
    field: string,
    target: string,
  ): Rejection => {
    const message = `"${target}": there is no such ${field === "spec.scopeRef.name" ? "DHCPScope" : "FailoverRelationship"} in namespace ${object.metadata.namespace}; create it or correct the name`;
    const reason = field === "spec.scopeRef.name" ? "ScopeNotFound" : "RelationshipNotFound";
    return rejectionOf(kind, object, { reason, field, message });
  };
  return [
    ...objects.scopes
      .filter(
        ({ metadata, spec }) => !relationships.has(`${metadata.namespace}/${spec.relationshipRef.name}`),
      )
      .map((scope) =>
        dangling("DHCPScope", scope, "spec.relationshipRef.name", scope.spec.relationshipRef.name),
      ),
    ...objects.reservationSets
      .filter(({ metadata, spec }) => !scopes.has(`${metadata.namespace}/${spec.scopeRef.name}`))
      .map((set) => dangling("DHCPReservationSet", set, "spec.scopeRef.name", set.spec.scopeRef.name)),
  ];
}
