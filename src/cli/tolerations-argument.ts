// Reads the tolerations of the engine pods, by the rules of the API server, which would refuse every pod otherwise.

import type { Toleration } from "../controller/desired/render-options.ts";
import { usageError } from "./command-error.ts";

const FIELDS = ["key", "operator", "value", "effect", "tolerationSeconds"];
const OPERATORS: readonly unknown[] = ["Exists", "Equal"];
const EFFECTS: readonly unknown[] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** A list as in a pod's `tolerations`, in JSON. */
export function tolerationsArgument(text: string): readonly Toleration[] {
  const wrong = (why: string) =>
    usageError(
      `--engine-tolerations ${text}: ${why}; give JSON such as [{"key":"dedicated","operator":"Equal","value":"dhcp","effect":"NoSchedule"}]`,
    );
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    throw wrong("is no JSON");
  }
  if (!Array.isArray(values)) throw wrong("is no list");
  for (const [index, value] of values.entries()) {
    const problem = problemOf(value);
    if (problem !== null) throw wrong(`item ${index} ${problem}`);
  }
  return values;
}

function problemOf(item: unknown): string | null {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return "is no object";
  const {
    key = "",
    operator = "Equal",
    value = "",
    effect,
    tolerationSeconds,
  } = item as Record<string, unknown>;
  const unknown = Object.keys(item).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) return `has no field ${unknown}`;
  if (typeof key !== "string" || typeof value !== "string") return "has a key or value that is no text";
  if (!OPERATORS.includes(operator)) return "has an operator that is neither Exists nor Equal";
  if (effect !== undefined && !EFFECTS.includes(effect))
    return `has an effect that is none of ${EFFECTS.join(", ")}`;
  if (key === "")
    return "has no key: by that the engine would stay on a node that was declared out of service";
  if (operator === "Exists" && value !== "") return "has a value, which Exists does not look at";
  if (tolerationSeconds === undefined) return null;
  if (!Number.isInteger(tolerationSeconds)) return "has tolerationSeconds that are no whole number";
  return effect === "NoExecute" ? null : "has tolerationSeconds, which only the effect NoExecute knows";
}
