// Columns for a terminal, as kubectl prints them.

/** Rows under upper-case headings, columns three spaces apart, no trailing blanks. Null cells show as "-". */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const cells = [headings, ...rows.map((row) => row.map((cell) => (cell === null ? "-" : String(cell))))];
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** 1 as "once", others as "N times". */
export function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
