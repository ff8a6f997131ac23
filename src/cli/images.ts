/** The pictures that a command line means. */
import type { ExpandedPaths } from '../image/paths.ts';

/** Files, folders and patterns → paths; what leads to nothing is told apart, so that the rest is answered. */
export async function expandImages(patterns: readonly string[]): Promise<ExpandedPaths> {
  const { expandImagePaths } = await import('../image/paths.ts');
  return expandImagePaths(patterns);
}
