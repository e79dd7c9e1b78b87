// How a text stands in a cell of the page's tables.

/** Without what Markdown would take for the cell's end or for HTML. */
export function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
