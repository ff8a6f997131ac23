/** Parts of a path, as either system writes them. */

/** What stands behind the last slash. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1) || path;
}

/** What stands before it. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.length - fileName(path).length - 1));
}
