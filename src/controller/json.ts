// Looking into objects as the API sent them, without trusting their shape: what is not there is empty, never an error.

export type Json = Readonly<Record<string, unknown>>;

export function map(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** The entries of a list, each as a map. */
export function maps(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(map) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
