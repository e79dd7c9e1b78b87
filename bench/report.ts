// One line per figure, beside its target.

export class Report {
  missed = 0;

  /** `limit` null: only to be known. */
  line(name: string, value: number, limit: number | null, unit: string): void {
    const isMissed = limit !== null && value > limit;
    if (isMissed) this.missed += 1;
    const share = limit === 0 ? "" : `${Math.round((100 * value) / (limit ?? 1))} % `;
    const ratio = limit === null ? "" : `  ${share}of ${limit} ${unit}`;
    const missed = isMissed ? "  MISSED" : "";
    console.log(`${name.padEnd(46)} ${value.toFixed(2).padStart(10)} ${unit}${ratio}${missed}`);
  }
}
