// What may be stored of our kinds: defaults filled in, the CRD's schema checked, then the rules over several fields.
// Source: Kubernetes CRD validation (defaulting, openAPIV3Schema, list types), always with strict field validation.

import { isIPv4 } from "node:net";
import { Ajv, type ErrorObject } from "ajv";
import { type FieldError, formatPath, type Path, showValue } from "../../src/api/field-error.ts";
import type { KindName } from "../../src/api/kinds.ts";
import { runRules } from "../../src/api/rule.ts";
import { RULES } from "../../src/api/rules.ts";
import type { KubeObject } from "../../src/kube/resource.ts";
import type { ServedKind } from "./kinds.ts";
import { StatusError } from "./status-error.ts";

const OPTIONS = { strict: false, allErrors: true, useDefaults: true, verbose: true, logger: false } as const;

export class Validator {
  readonly #ajv = new Ajv(OPTIONS).addFormat("ipv4", isIPv4);

  constructor() {
    this.#ajv.addFormat(
      "date-time",
      (text) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
    );
    const validate = (keys: readonly string[], list: readonly (Record<string, unknown> | null)[]) =>
      new Set(list.map((item) => JSON.stringify(keys.map((key) => item?.[key])))).size === list.length;
    this.#ajv.addKeyword({ keyword: "x-kubernetes-list-map-keys", type: "array", validate });
  }

  /** Fills in the defaults, in place. Throws a StatusError for what may not be stored in place of `old`. */
  admit(kind: ServedKind, object: KubeObject, old: KubeObject | null): void {
    if (kind.schema === null) return;
    const validate = this.#ajv.compile(kind.schema);
    const errors = validate(object) ? [] : (validate.errors ?? []);
    const unknown = errors.filter(({ keyword }) => keyword === "additionalProperties").map(fieldError);
    if (unknown.length > 0)
      throw new StatusError(400, `strict decoding error: unknown field "${unknown[0]!.field}"`);
    // A real API server evaluates the CEL of the same rules, and like here only when the schema holds.
    const broken = () => runRules(RULES[kind.kind as KindName], object, old ?? undefined);
    const wrong = errors.length > 0 ? errors.map(fieldError) : broken();
    if (wrong.length === 0) return;
    const text = wrong.map(({ field, message }) => `${field}: ${message}`).join(", ");
    const causes = wrong.map((error) => ({ reason: "FieldValueInvalid", ...error }));
    throw new StatusError(422, `${kind.kind} "${object.metadata.name}" is invalid: ${text}`, { causes });
  }
}

/** `/spec/ranges/0/end` as `spec.ranges[0].end`; what is missing or unknown belongs to the path. */
function fieldError({ instancePath, params, data, message, keyword }: ErrorObject): FieldError {
  const parts = instancePath.split("/").slice(1);
  const path: Path = parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll("~1", "/")));
  const child = params["missingProperty"] ?? params["additionalProperty"];
  if (child !== undefined) return { field: formatPath([...path, child]), message: "Required value" };
  const allowed = keyword === "enum" ? `: ${params["allowedValues"].join(", ")}` : "";
  return { field: formatPath(path), message: `Invalid value: ${showValue(data)}: ${message}${allowed}` };
}
