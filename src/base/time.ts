// Moments as text, as people, metav1.Time and scripts read them: RFC 3339, written in UTC with whole seconds.

import { type UnixSeconds, unixSeconds } from "./units.ts";

export function formatTime(at: UnixSeconds): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19)}Z`;
}

/** Rounded down to seconds; null when it is absent or no time. */
export function parseTime(text: unknown): UnixSeconds | null {
  if (typeof text !== "string") return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : unixSeconds(Math.floor(at / 1000));
}
