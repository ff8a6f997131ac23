/** The pictures that a command line means. */
import type { ExpandedPaths } from '../image/paths.ts';
import { warn } from './model-options.ts';

/**
 * Files, folders and patterns → paths; what leads to nothing is told apart, so that the rest is answered. Files in folders
 * whose formats are not read are counted on standard error.
 */
export async function expandImages(
  patterns: readonly string[],
  options: { quiet?: boolean },
): Promise<ExpandedPaths> {
  const [{ expandImagePaths }, { describeUnread }] = await Promise.all([
    import('../image/paths.ts'),
    import('../image/unread.ts'),
  ]);
  const expanded = await expandImagePaths(patterns);
  const unread = describeUnread(expanded.unread);
  if (unread !== undefined) warn(options)(unread);
  return expanded;
}
