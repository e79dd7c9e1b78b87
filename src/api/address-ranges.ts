// Sums over address ranges: sorting, joining, cutting holes, counting. Both ends of a range belong to it.

import { type Ipv4, ipv4 } from "../base/ipv4.ts";
import type { AddressRange } from "./compiled.ts";

/** Sorted by start, overlapping and adjacent ranges joined. */
export function joinRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const joined: AddressRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last === undefined || range.start > last.end + 1) joined.push(range);
    else if (range.end > last.end) joined[joined.length - 1] = { start: last.start, end: range.end };
  }
  return joined;
}

/** What is left of `ranges` without `holes`, sorted and joined. */
export function cutHoles(ranges: readonly AddressRange[], holes: readonly AddressRange[]): AddressRange[] {
  const sortedHoles = joinRanges(holes);
  const left: AddressRange[] = [];
  let next = 0;
  for (const range of joinRanges(ranges)) {
    let start: number = range.start;
    while (next > 0 && (sortedHoles[next - 1]?.end ?? 0) >= start) next--;
    for (; next < sortedHoles.length; next++) {
      const hole = sortedHoles[next];
      if (hole === undefined || hole.start > range.end) break;
      if (hole.start > start) left.push({ start: ipv4(start), end: ipv4(hole.start - 1) });
      start = Math.max(start, hole.end + 1);
    }
    if (start <= range.end) left.push({ start: ipv4(start), end: range.end });
  }
  return left;
}

export function countAddresses(ranges: readonly AddressRange[]): number {
  return ranges.reduce((sum, range) => sum + range.end - range.start + 1, 0);
}

export function singleAddress(address: Ipv4): AddressRange {
  return { start: address, end: address };
}

export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.start <= b.end && b.start <= a.end;
}
