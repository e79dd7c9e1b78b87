// Looks into zod schemas: which fields an object has, what a list holds, what was said about a field. Error messages,
// list keys and the reference need it; zod keeps these facts in `def`.

import type { z } from "zod";

/** What zod keeps about a schema, as far as we look. Source: zod 4, `schema.def`. */
interface Def {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
}

function defOf(schema: z.ZodType): Def {
  return schema.def as unknown as Def;
}

/** The schema without the wrappers optional, default and prefault. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const def = defOf(schema);
  return def.innerType === undefined ? schema : unwrap(def.innerType);
}

/** Fields of an object schema in order; null for anything else. */
export function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  return defOf(unwrap(schema)).shape ?? null;
}

/** What a list or a map holds; null for anything else. */
export function elementOf(schema: z.ZodType): z.ZodType | null {
  const def = defOf(unwrap(schema));
  return def.element ?? def.valueType ?? null;
}

/** The schema of the value at `path` below `schema`; null where there is none. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | null {
  let found: z.ZodType | null = schema;
  for (const segment of path) {
    if (found === null) return null;
    const shape: Readonly<Record<string, z.ZodType>> | null = shapeOf(found);
    found = shape === null ? elementOf(found) : (shape[String(segment)] ?? null);
  }
  return found;
}

/** What `.meta()` said about the schema, the outermost wrapper's words first. */
export function metaOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const own: Readonly<Record<string, unknown>> = schema.meta() ?? {};
  const inner = defOf(schema).innerType;
  return inner === undefined ? own : { ...metaOf(inner), ...own };
}

/** The keys that name an entry of a map-like list, [] for a set of scalars, null for other lists and non-lists. */
export function listKeysOf(schema: z.ZodType): readonly string[] | null {
  const meta = metaOf(schema);
  if (meta["x-kubernetes-list-type"] === "set") return [];
  return (meta["x-kubernetes-list-map-keys"] as readonly string[] | undefined) ?? null;
}
