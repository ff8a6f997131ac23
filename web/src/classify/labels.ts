/** Labels as people write them: with commas or on lines of their own. */

/** What stands between commas, semicolons and line ends, each once, in the order written. */
export function parseLabels(text: string): string[] {
  const labels = text
    .split(/[,;\n]/)
    .map((label) => label.trim().replace(/\s+/g, ' '))
    .filter((label) => label !== '');
  return [...new Set(labels)];
}
