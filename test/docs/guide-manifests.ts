// The manifests that a page of the documentation shows.

/** All YAML blocks of objects in a Markdown text, as one stream of documents. */
export function manifestsIn(text: string): string {
  const blocks = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
  return blocks.filter((block) => block.includes("apiVersion:")).join("---\n");
}
