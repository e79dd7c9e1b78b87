// Reads a stored CompiledRelationship back, as an engine does that starts from its snapshot. The file may be of another
// version, cut off or edited by hand, so everything is checked and the revision is computed anew, over what is in the file:
// a field that an older version did not know yet gets its default, so that an upgrade never leaves an engine without its
// configuration. Each new field of compiled.ts needs such a default here.

import { z } from "zod";
import { compileClassExpression } from "../base/class-expression.ts";
import { type CompiledRelationship, DEFAULT_SCOPE_POLICY, NO_LIMITS } from "./compiled.ts";
import { digestOf } from "./digest.ts";
import { type FieldError, fieldErrors } from "./field-error.ts";
import { DIALECTS } from "./relationship-member.ts";

export type CompiledRead =
  | { readonly kind: "ok"; readonly config: CompiledRelationship }
  | { readonly kind: "invalid"; readonly errors: readonly FieldError[] };

const address = z.int().min(0).max(0xffff_ffff);
const duration = z.int().min(0).max(0xffff_ffff);
const percent = z.int().min(0).max(100);
const port = z.int().min(1).max(65535);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const hex = z.string().regex(/^([0-9a-f]{2})*$/);

const prefix = z.strictObject({ address, prefixLength: z.int().min(0).max(32) });

const member = z.strictObject({
  name: z.string().min(1),
  nodeName: z.string(),
  address,
  linkAddress: address,
  interfaces: z.array(z.string().min(1)),
  metricsPort: port,
  external: z
    .strictObject({ dialect: z.enum(DIALECTS), relationshipName: z.string().min(1), port })
    .nullable()
    .default(null),
});

const options = z.array(z.strictObject({ code: z.int().min(1).max(254), hex }));

const reservation = z.strictObject({
  address,
  hardwareAddress: hex.nullable(),
  clientIdentifier: hex.nullable(),
  relayAgent: z
    .strictObject({ circuitId: hex.nullable(), remoteId: hex.nullable(), subscriberId: hex.nullable() })
    .nullable()
    .default(null),
  hostname: z.string().nullable(),
  options,
});

const ranges = z.array(
  z
    .strictObject({ start: address, end: address })
    .refine(({ start, end }) => start <= end, { error: "must not end before it starts" }),
);

const boot = z.strictObject({
  nextServer: address.nullable(),
  serverName: z.string().nullable(),
  fileName: z.string().nullable(),
});

const names = z.array(z.string().min(1));

const rate = z.strictObject({ perSecond: z.int().min(1), burst: z.int().min(1) }).nullable();

const clientClass = z.strictObject({
  name: z.string().min(1),
  match: z
    .string()
    .refine((text) => compileClassExpression(text).kind === "ok", { error: "must be a class expression" }),
  options,
  boot,
  lease: z.strictObject({
    defaultSeconds: duration.nullable(),
    minSeconds: duration.nullable(),
    maxSeconds: duration.nullable(),
    renewSeconds: duration.nullable(),
    rebindSeconds: duration.nullable(),
  }),
});

const policy = z.strictObject({
  authoritative: z.boolean(),
  rapidCommit: z.boolean(),
  subnetSelection: z.boolean(),
  autoConfiguration: z.boolean(),
  declinedHoldSeconds: duration,
  infiniteSeconds: duration.nullable(),
  addressProbe: z.boolean().default(DEFAULT_SCOPE_POLICY.addressProbe),
});

const limits = z.strictObject({
  perClient: rate,
  perCircuit: rate,
  leasesPerCircuit: z.int().min(1).nullable(),
});

const scope = z.strictObject({
  name: z.string().min(1),
  subnet: prefix,
  sharedNetwork: z.string().nullable(),
  enabled: z.boolean(),
  pools: ranges,
  allowedClasses: names.default([]),
  classPools: z.array(z.strictObject({ classes: names, ranges })).default([]),
  lease: z.strictObject({
    defaultSeconds: duration,
    minSeconds: duration,
    maxSeconds: duration,
    renewSeconds: duration.nullable(),
    rebindSeconds: duration.nullable(),
  }),
  relayAddresses: z.array(address),
  options,
  boot,
  reservations: z.array(reservation),
  policy: policy.default(DEFAULT_SCOPE_POLICY),
});

const compiledSchema = z.strictObject({
  namespace: z.string().min(1),
  name: z.string().min(1),
  uid: z.string().nullable(),
  mode: z.enum(["LoadBalance", "HotStandby"]),
  primary: z.string().min(1),
  members: z.tuple([member, member]),
  mcltSeconds: duration,
  maxSeconds: duration,
  primaryPercent: percent,
  reservePercent: percent,
  linkPort: port,
  fencing: z.enum(["None", "Witness"]),
  automatic: z.enum(["Enabled", "Disabled"]),
  afterSeconds: duration,
  leasequeryFrom: z.array(prefix).default([]),
  excludedAddresses: z.array(address).default([]),
  limits: limits.default(NO_LIMITS),
  clientClasses: z.array(clientClass).default([]),
  scopes: z.array(scope),
  revision: sha256,
  shape: sha256,
});

/** Checks parsed JSON. Never throws; a digest that does not fit the content is an error of field `revision`. */
export function readCompiled(json: unknown): CompiledRead {
  const result = compiledSchema.safeParse(json);
  if (!result.success)
    return { kind: "invalid", errors: fieldErrors(compiledSchema, result.error.issues, json) };
  const { revision } = result.data;
  const { revision: _revision, shape: _shape, ...body } = json as Record<string, unknown>;
  const computed = digestOf(body);
  if (computed !== revision) {
    const message = `${revision}: the content's digest is ${computed}; the file was changed or is not whole`;
    return { kind: "invalid", errors: [{ field: "revision", message }] };
  }
  const { members, primary } = result.data;
  if (!members.some(({ name }) => name === primary)) {
    return {
      kind: "invalid",
      errors: [{ field: "primary", message: `"${primary}": must name a member` }],
    };
  }
  return { kind: "ok", config: result.data as unknown as CompiledRelationship };
}
